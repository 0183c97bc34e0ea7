//! Preparing a request for a component's own HTTP handler.

use http::header::{self, HeaderValue};
use http::request::Parts;
use hyper::body::Incoming;

use super::input::Limited;
use super::origin::{Origin, REQUEST_ID, TRACEPARENT};
use crate::capabilities::context::CallContext;

/// Headers that belong to one connection, RFC 9110 section 7.6.1.
const HOP_BY_HOP: [header::HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What the host tells of a request; a client can't.
const OURS: &str = "x-stoa-";
/// The caller, as JSON: see [`Principal::to_header`].
///
/// [`Principal::to_header`]: crate::capabilities::context::Principal::to_header
const PRINCIPAL: header::HeaderName = header::HeaderName::from_static("x-stoa-principal");

/// The request as the component gets it: without the connection's headers, with
/// the host's id and trace and with its caller.
pub(super) fn request(
    mut parts: Parts,
    body: Incoming,
    limit: u64,
    origin: &Origin,
    context: &CallContext,
) -> http::Request<Limited> {
    let headers = &mut parts.headers;
    for name in hop_by_hop(headers).into_iter().chain(ours(headers)) {
        headers.remove(name);
    }
    if let Some(id) = origin.id_header() {
        headers.insert(REQUEST_ID, id);
    }
    if let Ok(trace) = HeaderValue::try_from(origin.trace.to_string()) {
        headers.insert(TRACEPARENT, trace);
    }
    if let Some(principal) = context.principal.as_deref().and_then(|of| of.to_header()) {
        headers.insert(PRINCIPAL, principal);
    }
    http::Request::from_parts(parts, Limited::new(body, limit))
}

/// Headers in which only the host may say something.
fn ours(headers: &http::HeaderMap) -> Vec<header::HeaderName> {
    let names = headers.keys();
    names
        .filter(|name| name.as_str().starts_with(OURS))
        .cloned()
        .collect()
}

/// The headers of this connection only: known ones, and those that the client
/// declared so. Most requests have none, and cost one look at each header.
fn hop_by_hop(headers: &http::HeaderMap) -> Vec<header::HeaderName> {
    let mut found: Vec<_> = headers
        .keys()
        .filter(|name| HOP_BY_HOP.contains(name))
        .cloned()
        .collect();
    if !found.is_empty() {
        let values = headers.get_all(header::CONNECTION).iter();
        let names = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        found.extend(names.filter_map(|name| header::HeaderName::try_from(name.trim()).ok()));
    }
    found
}
