//! A client of the admin API: one typed method an endpoint.
//!
//! Speaks plain HTTP, since the admin API listens on loopback or behind a proxy
//! of the operator's. Knows nothing of terminals: what is shown is the command's.

mod config;
mod discovery;
mod drain;
mod error;
mod exchange;
mod keys;
mod queues;
mod schedules;
mod secret;
mod stream;
mod tokens;
mod upload;

pub use error::ClientError;
pub use error::describe;
pub use stream::{Events, Lines, Progress, Watch};

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body_util::combinators::BoxBody;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use stoa_api::upstream::UpstreamDetail;
use stoa_api::{
    BreakerRequest, BreakerState, DeployRequest, DeploymentsUnderWay, PoolState, PurgeReply,
    PurgeRequest, RevisionSummary, RouteSummary, ScaleRequest, ServiceDetail, ServiceSummary,
    TrafficReply, TrafficRequest,
};

/// How long a connection may take: a host that is there answers at once, one
/// behind a dropped route never does.
const CONNECT: Duration = Duration::from_secs(5);

/// What stays as it is in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

type Body = BoxBody<Bytes, std::io::Error>;

/// A host's admin API, seen from outside.
#[derive(Clone)]
pub struct Client {
    http: Http<HttpConnector, Body>,
    base: String,
    token: Option<String>,
}

/// Which lines of the log are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Those of one service; `None` is all.
    pub service: Option<String>,
    /// The least level; `None` is what the host logs.
    pub level: Option<String>,
    /// What happens when the lines so far are read.
    pub end: LogEnd,
}

/// Where a log ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogEnd {
    /// With what the host remembers.
    #[default]
    Now,
    /// Never: new lines follow.
    Never,
}

impl Client {
    /// A client of the host at `address`, `http://HOST:PORT`. Connects when it
    /// is first used.
    ///
    /// # Errors
    /// If the address is none, or not plain HTTP.
    pub fn new(address: &str, token: Option<String>) -> Result<Self, ClientError> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let http = Http::builder(TokioExecutor::new()).build(connector);
        Ok(Self {
            http,
            base: base(address)?,
            token,
        })
    }

    /// The host's address, `http://HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.base
    }

    /// Whether the host has the component with this SHA-256, in hex.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn has_component(&self, digest: &str) -> Result<bool, ClientError> {
        let path = format!("/v1/components/{}", segment(digest));
        let response = self.send(Method::HEAD, &path, None).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(false),
            _ => self.accepted(response).await.map(|_| true),
        }
    }

    /// Uploads a component from its file, in pieces; `sent` is told the bytes of
    /// each.
    ///
    /// # Errors
    /// If the file can't be read, the host can't be reached, or it refuses.
    pub async fn put_component(
        &self,
        digest: &str,
        file: &Path,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<(), ClientError> {
        let unreadable = |cause| ClientError::File {
            path: file.to_owned(),
            cause,
        };
        let (size, body) = upload::body(file, sent).await.map_err(unreadable)?;
        let request = self
            .request(Method::PUT, &format!("/v1/components/{}", segment(digest)))
            .header(header::CONTENT_TYPE, "application/wasm")
            .header(header::CONTENT_LENGTH, size);
        let response = self.exchange(request, body).await?;
        self.accepted(response).await.map(|_| ())
    }

    /// Deploys services together; the progress is read as it comes.
    ///
    /// # Errors
    /// If the host can't be reached or refuses before the first step.
    pub async fn deploy(&self, request: &DeployRequest) -> Result<Progress, ClientError> {
        let response = self
            .send(Method::POST, "/v1/deployments", Some(json(request)))
            .await?;
        let response = self.accepted(response).await?;
        Ok(Progress::new(response.into_body(), &self.base))
    }

    /// What is being deployed, while other deployments wait for it.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn deployments(&self) -> Result<DeploymentsUnderWay, ClientError> {
        self.get("/v1/deployments").await
    }

    /// Every service.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn services(&self) -> Result<Vec<ServiceSummary>, ClientError> {
        self.get("/v1/services").await
    }

    /// One service.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for an unknown service.
    pub async fn service(&self, service: &str) -> Result<ServiceDetail, ClientError> {
        self.get(&of(service, "")).await
    }

    /// One upstream.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for an unknown upstream.
    pub async fn upstream(&self, upstream: &str) -> Result<UpstreamDetail, ClientError> {
        self.get(&format!("/v1/upstreams/{}", segment(upstream)))
            .await
    }

    /// The revisions of a service.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn revisions(&self, service: &str) -> Result<Vec<RevisionSummary>, ClientError> {
        self.get(&of(service, "/revisions")).await
    }

    /// The routes of all services.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn routes(&self) -> Result<Vec<RouteSummary>, ClientError> {
        self.get("/v1/routes").await
    }

    /// Gives the revisions of a service other shares of the traffic.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn traffic(
        &self,
        service: &str,
        request: &TrafficRequest,
    ) -> Result<TrafficReply, ClientError> {
        let path = of(service, "/traffic");
        self.parsed(self.send(Method::POST, &path, Some(json(request))).await?)
            .await
    }

    /// Gives the pool of a service other bounds.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn scale(
        &self,
        service: &str,
        request: &ScaleRequest,
    ) -> Result<PoolState, ClientError> {
        let path = of(service, "/scale");
        self.parsed(self.send(Method::PUT, &path, Some(json(request))).await?)
            .await
    }

    /// Removes answers from the response cache.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn purge_cache(&self, request: &PurgeRequest) -> Result<PurgeReply, ClientError> {
        let sent = self.send(Method::POST, "/v1/cache/purge", Some(json(request)));
        self.parsed(sent.await?).await
    }

    /// The breakers of a service.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn breakers(&self, service: &str) -> Result<Vec<BreakerState>, ClientError> {
        self.get(&of(service, "/breaker")).await
    }

    /// Holds the breakers of a service, or lets them go.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn force_breakers(
        &self,
        service: &str,
        request: &BreakerRequest,
    ) -> Result<Vec<BreakerState>, ClientError> {
        let path = of(service, "/breaker");
        self.parsed(self.send(Method::PUT, &path, Some(json(request))).await?)
            .await
    }

    /// Takes a service away.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as when others depend on it.
    pub async fn undeploy(&self, service: &str, state: StateFate) -> Result<(), ClientError> {
        let path = match state {
            StateFate::Keep => of(service, ""),
            StateFate::Purge => of(service, "?purge=true"),
        };
        let response = self.send(Method::DELETE, &path, None).await?;
        self.accepted(response).await.map(|_| ())
    }

    /// The contract of a service's live revision, as WIT.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn contract(&self, service: &str) -> Result<String, ClientError> {
        let response = self
            .send(Method::GET, &of(service, "/contract"), None)
            .await?;
        let bytes = self.whole(self.accepted(response).await?).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The OpenAPI document of a service's routes.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn openapi(&self, service: &str) -> Result<serde_json::Value, ClientError> {
        self.get(&of(service, "/openapi")).await
    }

    /// The OpenAPI document of all routes.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn app_openapi(&self) -> Result<serde_json::Value, ClientError> {
        self.get("/v1/app/openapi.json").await
    }

    /// The OpenAPI document of the admin API itself.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn admin_openapi(&self) -> Result<serde_json::Value, ClientError> {
        self.get("/v1/openapi.json").await
    }

    /// The log, line by line; each is an ECS object in JSON.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn logs(&self, query: &LogQuery) -> Result<Events, ClientError> {
        let path = match &query.service {
            Some(service) => of(service, "/logs"),
            None => "/v1/logs".to_owned(),
        };
        let follow = query.end == LogEnd::Never;
        let level = query
            .level
            .as_deref()
            .map(|level| format!("&level={}", segment(level)));
        let path = format!("{path}?follow={follow}{}", level.unwrap_or_default());
        let response = self.send(Method::GET, &path, None).await?;
        let response = self.accepted(response).await?;
        Ok(Events::new(response.into_body(), &self.base))
    }
}

/// What happens to the state of a service that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFate {
    /// It stays, for when the service comes back.
    Keep,
    /// It is deleted for good.
    Purge,
}

impl fmt::Debug for Client {
    /// Leaves the token out: it must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// Path of a service, and what follows it.
fn of(service: &str, rest: &str) -> String {
    format!("/v1/services/{}{rest}", segment(service))
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("the shapes of the API have string keys")
        .into()
}

/// `http://HOST:PORT`, from what people write.
fn base(address: &str) -> Result<String, ClientError> {
    let bad = || ClientError::Address {
        found: address.to_owned(),
    };
    let full = match address.contains("://") {
        true => address.to_owned(),
        false => format!("http://{address}"),
    };
    let uri: http::Uri = full.parse().map_err(|_| bad())?;
    let plain =
        uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
    match uri.authority() {
        Some(authority) if plain && !authority.as_str().contains('@') => {
            Ok(format!("http://{authority}"))
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests;
