//! Drains.

use http::Method;

use super::{Client, ClientError, of};
use stoa_api::{DrainState, HostDrain};

impl Client {
    /// Whether a service is drained, and what of it is under way.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn drain_state(&self, service: &str) -> Result<DrainState, ClientError> {
        self.get(&of(service, "/drain")).await
    }

    /// Has a service take no new calls.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn drain(&self, service: &str) -> Result<DrainState, ClientError> {
        let path = of(service, "/drain");
        self.parsed(self.send(Method::POST, &path, None).await?)
            .await
    }

    /// Lets a drained service take calls again.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn undrain(&self, service: &str) -> Result<DrainState, ClientError> {
        let path = of(service, "/drain");
        self.parsed(self.send(Method::DELETE, &path, None).await?)
            .await
    }

    /// Has the host end.
    ///
    /// # Errors
    /// If it can't be reached or refuses.
    pub async fn drain_host(&self) -> Result<HostDrain, ClientError> {
        self.parsed(self.send(Method::POST, "/v1/drain", None).await?)
            .await
    }
}
