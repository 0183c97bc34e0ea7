//! Secrets.

use http::{Method, header};
use http_body_util::{BodyExt, Full};

use super::{Client, ClientError, segment};
use stoa_api::{KeyRotation, SecretSummary};

impl Client {
    /// All secrets, without their values.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn secrets(&self) -> Result<Vec<SecretSummary>, ClientError> {
        self.get("/v1/secrets").await
    }

    /// Sets a secret.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn set_secret(
        &self,
        name: &str,
        value: Vec<u8>,
    ) -> Result<SecretSummary, ClientError> {
        let request = self
            .request(Method::PUT, &format!("/v1/secrets/{}", segment(name)))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        let body = Full::new(value.into()).map_err(|never| match never {});
        self.parsed(self.exchange(request, body.boxed()).await?)
            .await
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for one that is not there.
    pub async fn remove_secret(&self, name: &str) -> Result<(), ClientError> {
        let path = format!("/v1/secrets/{}", segment(name));
        let response = self.send(Method::DELETE, &path, None).await?;
        self.accepted(response).await.map(|_| ())
    }

    /// Seals all secrets with a new key.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn rotate_secrets_key(&self) -> Result<KeyRotation, ClientError> {
        self.parsed(self.send(Method::POST, "/v1/secrets-key", None).await?)
            .await
    }
}
