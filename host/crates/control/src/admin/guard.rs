//! What browsers can be made to send: a page of another site must change nothing here,
//! and a name that was bound anew to this machine must not lead to this port.
//!
//! A browser adds a password that it knows (Eureka's) to whatever a page sends, and says
//! in `Sec-Fetch-Site` and `Origin` whose page it is. Other clients send neither.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Refusal;
use super::state::Admin;

const SEC_FETCH_SITE: &str = "sec-fetch-site";

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
