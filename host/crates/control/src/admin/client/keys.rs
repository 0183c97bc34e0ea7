//! API keys.

use http::Method;

use super::{Client, ClientError, json, segment};
use stoa_api::{KeyRequest, KeySummary, NewKey};

impl Client {
    /// The API keys.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn keys(&self) -> Result<Vec<KeySummary>, ClientError> {
        self.get("/v1/keys").await
    }

    /// Makes an API key.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn create_key(&self, request: &KeyRequest) -> Result<NewKey, ClientError> {
        self.parsed(
            self.send(Method::POST, "/v1/keys", Some(json(request)))
                .await?,
        )
        .await
    }

    /// Revokes an API key.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for an unknown key.
    pub async fn revoke_key(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/v1/keys/{}", segment(id));
        let response = self.send(Method::DELETE, &path, None).await?;
        self.accepted(response).await.map(|_| ())
    }
}
