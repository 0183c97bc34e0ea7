//! What an upstream is declared with: an HTTP service that is no component.
//!
//! One shape serves the manifest, the admin API and the stored record, as for
//! services. Every default stands here, with its reason.

use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use serde::{Deserialize, Serialize};

use super::{Breaker, Route, duration};

/// Everything about an upstream but the instances that join it with a lease.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamSettings {
    /// Origins that serve it and need no lease: `http://127.0.0.1:9000`.
    pub targets: Vec<String>,
    /// HTTP routes that lead to it.
    pub routes: Vec<Route>,
    /// What is taken off the front of a request's path: `/legacy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip_prefix: Option<String>,
    /// The `Host` header that its instances see.
    pub host: HostHeader,
    /// How its instances are asked whether they are well; `None` is not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
    /// What one request may use.
    pub limits: UpstreamLimits,
    /// When an instance that fails is left alone; each has a breaker of its own.
    pub breaker: Breaker,
}

/// The `Host` header of a request to an upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostHeader {
    /// As the client sent it: links that the upstream writes stay right.
    #[default]
    Client,
    /// That of the instance's URL, for those that serve by name.
    Target,
}

/// An active health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthCheck {
    /// Answers GET with a 2xx when the instance is well.
    pub path: String,
    /// Time between two checks of an instance.
    #[serde(with = "duration")]
    pub every: Duration,
    /// Time for one answer.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Checks in a row that must succeed before an instance gets traffic again.
    pub rise: u32,
    /// Checks in a row that must fail before an instance gets none.
    pub fall: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: "/healthz".to_owned(),
            // Often enough to bring an instance back soon; what fails between two
            // checks is seen by its traffic.
            every: Duration::from_secs(5),
            // A check that takes longer says that the instance is overloaded.
            timeout: Duration::from_secs(1),
            // HAProxy's: one good answer of a restarting instance may be luck, and
            // so may two bad ones.
            rise: 2,
            fall: 3,
        }
    }
}

/// What one request to an upstream may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamLimits {
    /// Time until the response's head is there.
    #[serde(with = "duration")]
    pub deadline: Duration,
    /// Time until a connection is there.
    #[serde(with = "duration")]
    pub connect: Duration,
    /// Request body, in bytes.
    pub body: u64,
    /// Requests and WebSockets under way at a time, over all instances.
    pub connections: u32,
    /// Time that a WebSocket may carry nothing.
    #[serde(with = "duration")]
    pub websocket_idle: Duration,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            // As for a service.
            deadline: Duration::from_secs(30),
            // As linkerd has it: one lost SYN is sent again by then, and an instance that
            // is gone is found out within a second.
            connect: Duration::from_secs(1),
            // As for a service; uploads raise it.
            body: 1 << 20,
            // Envoy's default: enough for any but the largest, and it keeps one
            // slow upstream from holding all file descriptors.
            connections: 1024,
            // Browsers don't ping, and an open chat may be silent for long: nginx's 60 s
            // cut it off. As long as Envoy keeps a TCP connection and HAProxy's manual a tunnel.
            websocket_idle: Duration::from_secs(3600),
        }
    }
}

/// Checks the URL of an instance: scheme and authority.
///
/// # Errors
///
/// What was expected and what was found.
pub fn target(text: &str) -> Result<Uri, String> {
    let bad = || format!("expected an origin such as \"http://127.0.0.1:9000\", found {text:?}");
    let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| bad())?;
    // One that is no number of 16 bits is none to `Uri`, and to port 0 nobody listens.
    let port = uri.authority().is_some_and(has_port);
    if port && uri.port_u16().is_none_or(|port| port == 0) {
        return Err(format!("expected a port from 1 to 65535, found {text:?}"));
    }
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !text.contains('#');
    let authority = uri
        .authority()
        .filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    if scheme && bare && authority.is_some() {
        Ok(uri)
    } else {
        Err(bad())
    }
}

/// Whether a colon follows the host, with whatever behind it.
fn has_port(authority: &Authority) -> bool {
    let after = authority.as_str().rsplit(['@', ']']).next();
    after.is_some_and(|after| after.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_origin() {
        for good in [
            "http://127.0.0.1:9000",
            "https://api.example.com",
            "http://[::1]:1/",
        ] {
            assert!(target(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:9000",
            "ftp://a",
            "http://a/b",
            "http://u@a",
            "http://a?x",
            "http://",
            "http://127.0.0.1:0",
            "http://x:99999",
            "http://[::1]:99999",
            "http://x#f",
        ] {
            assert!(
                target(bad).unwrap_err().contains(&format!("{bad:?}")),
                "{bad}"
            );
        }
    }
}
