//! What browsers can be made to send: a page of another site must change nothing here,
//! and a name that was bound anew to this machine must not lead to this port.
//!
//! A browser adds a password that it knows (Eureka's) to whatever a page sends, and says
//! in `Sec-Fetch-Site` and `Origin` whose page it is. Other clients send neither.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Refusal;
use super::server::Admin;

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// By which names the port may be asked.
#[derive(Debug, Clone)]
pub enum Hosts {
    /// Any: it is open to a network, which has its own names.
    Any,
    /// Those of this machine: addresses, `localhost`, and these.
    Local(Arc<[String]>),
}

/// Turns away what a page of another site made a browser send.
pub(super) async fn browsers(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let refusal = match host(&request) {
        // Browsers always say: the check of some load balancer does not.
        Some(host) if !admin.hosts.has(host) => Refusal::Host(host.to_owned()),
        host if !request.method().is_safe() && is_foreign(request.headers(), host) => {
            Refusal::CrossSite
        }
        _ => return next.run(request).await,
    };
    let reason = refusal.code();
    admin.telemetry.metrics.rejected(reason).inc();
    tracing::debug!(reason, "admin request refused: {refusal:?}");
    refusal.into_response()
}

// === impl Hosts ===

impl Hosts {
    /// Those of a port that listens here; `more` are further names of it.
    pub fn of(listens: SocketAddr, more: &[String]) -> Self {
        if listens.ip().to_canonical().is_loopback() {
            Self::Local(more.into())
        } else {
            Self::Any
        }
    }

    /// A name that is bound anew is a name: addresses are what they are.
    fn has(&self, host: &str) -> bool {
        let Self::Local(more) = self else {
            return true;
        };
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || more.iter().any(|known| known.eq_ignore_ascii_case(&name))
    }
}

/// What the request is addressed to, if it says so; empty for what is no text.
fn host(request: &Request) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str());
    }
    let host = request.headers().get(header::HOST)?;
    Some(host.to_str().unwrap_or_default())
}

/// Whether a page that is not of this very port sends it. Another port of the same
/// machine is another site, too: who serves there is somebody else.
fn is_foreign(headers: &HeaderMap, host: Option<&str>) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let origin = origin.to_str().ok();
    let place = origin.and_then(|origin| origin.split_once("://"));
    let own = |place: &str| host.is_some_and(|host| place.eq_ignore_ascii_case(host));
    !place.is_some_and(|(_, place)| own(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_open_to_a_network_has_any_name() {
        let of = |listens: &str| Hosts::of(listens.parse().unwrap(), &["stoa.internal".into()]);
        for loopback in [
            "127.0.0.1:8081",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            let hosts = of(loopback);
            assert!(hosts.has("stoa.internal") && hosts.has("127.0.0.1:8081"));
            assert!(!hosts.has("stoa.example") && !hosts.has(""), "{loopback}");
        }
        for open in ["0.0.0.0:8081", "10.0.0.1:1", "[::]:1"] {
            assert!(of(open).has("stoa.example"), "{open}");
        }
    }
}
