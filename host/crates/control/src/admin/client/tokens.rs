//! Tokens for development.

use http::Method;

use super::{Client, ClientError, json};
use stoa_api::{NewToken, TokenRequest};

impl Client {
    /// Has the host sign a token for development.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn create_token(&self, request: &TokenRequest) -> Result<NewToken, ClientError> {
        self.parsed(
            self.send(Method::POST, "/v1/tokens", Some(json(request)))
                .await?,
        )
        .await
    }
}
