//! Reading an issuer's keys from its address.

use std::fmt;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

/// How long an issuer may take, connection and all: requests may wait for it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Size of a document of keys at most, in bytes; real ones have a few KiB.
const LONGEST: usize = 1 << 20;

/// A client of one address of keys.
pub struct JwksFetcher {
    http: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    uri: Uri,
}

impl JwksFetcher {
    /// Connects when it is first asked.
    ///
    /// # Errors
    /// When `url` is none, or when the system has no certificates to trust, for an `https`
    /// address.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url
            .parse()
            .with_context(|| format!("{url} is no address of keys"))?;
        let is_secure = uri.scheme_str() == Some("https");
        if !is_secure {
            tracing::warn!("keys from {uri} can be forged on their way: use https but on loopback");
        }
        let tls = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()?;
        let tls = if is_secure {
            tls.with_native_roots().context(
                "the system has no certificates that an https address can be checked with",
            )?
        } else {
            tls.with_root_certificates(RootCertStore::empty())
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .build();
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, uri })
    }

    /// The document at the address.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn fetch(&self) -> Result<Bytes, String> {
        timeout(PATIENCE, self.exchange())
            .await
            .map_err(|_| format!("no whole answer in {PATIENCE:?}"))?
    }

    async fn exchange(&self) -> Result<Bytes, String> {
        let request = Request::get(&self.uri)
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let response = self.http.request(request).await;
        let response = response.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
        // Redirections are not followed: the address is the operator's choice.
        if !response.status().is_success() {
            return Err(format!("the answer is {}", response.status()));
        }
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        body.map(|body| body.to_bytes())
            .map_err(|error| error.to_string())
    }
}

impl fmt::Display for JwksFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}
