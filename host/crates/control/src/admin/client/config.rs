//! A service's configuration.

use http::{Method, header};
use http_body_util::{BodyExt, Full};

use super::{Client, ClientError, json, of, segment};
use stoa_api::{ConfigChanges, ConfigDetail, ConfigRollback, ConfigValue, ConfigVersion};

impl Client {
    /// What a service reads now.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn config(&self, service: &str) -> Result<ConfigDetail, ClientError> {
        self.get(&of(service, "/config")).await
    }

    /// One value that a service reads now.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for a value that is not there.
    pub async fn config_value(&self, service: &str, key: &str) -> Result<ConfigValue, ClientError> {
        let path = format!("/config/{}", segment(key));
        self.get(&of(service, &path)).await
    }

    /// The operator's changes, newest first.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn config_history(&self, service: &str) -> Result<Vec<ConfigVersion>, ClientError> {
        self.get(&of(service, "/config-history")).await
    }

    /// Sets and unsets values, all or none; with a version, only that one is changed.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for a value that does not fit
    /// the service's schema.
    pub async fn change_config(
        &self,
        service: &str,
        changes: &ConfigChanges,
        version: Option<u64>,
    ) -> Result<ConfigDetail, ClientError> {
        self.conditional(
            Method::PATCH,
            &of(service, "/config"),
            json(changes),
            version,
        )
        .await
    }

    /// Goes back to an old version; `None` is the one before.
    ///
    /// # Errors
    /// As for [`Client::change_config`].
    pub async fn rollback_config(
        &self,
        service: &str,
        to: Option<u64>,
        version: Option<u64>,
    ) -> Result<ConfigDetail, ClientError> {
        let body = json(&ConfigRollback { to });
        self.conditional(
            Method::POST,
            &of(service, "/config-rollback"),
            body,
            version,
        )
        .await
    }

    async fn conditional(
        &self,
        method: Method,
        path: &str,
        body: bytes::Bytes,
        version: Option<u64>,
    ) -> Result<ConfigDetail, ClientError> {
        let mut request = self
            .request(method, path)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(version) = version {
            request = request.header(header::IF_MATCH, format!("\"{version}\""));
        }
        let body = Full::new(body).map_err(|never| match never {});
        self.parsed(self.exchange(request, body.boxed()).await?)
            .await
    }
}
