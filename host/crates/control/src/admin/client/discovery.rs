//! What is registered.

use http::Method;

use super::{Client, ClientError, Watch};
use stoa_api::Directory;

impl Client {
    /// What is registered now.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn discovery(&self) -> Result<Directory, ClientError> {
        self.get("/v1/discovery").await
    }

    /// What is registered and each change of it, or each change after a revision.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for a revision whose changes are
    /// forgotten.
    pub async fn watch_discovery(&self, from: Option<u64>) -> Result<Watch, ClientError> {
        let from = from.map(|revision| format!("&from={revision}"));
        let path = format!("/v1/discovery?watch=true{}", from.unwrap_or_default());
        let response = self.send(Method::GET, &path, None).await?;
        let response = self.accepted(response).await?;
        Ok(Watch::new(response.into_body(), &self.base))
    }
}
