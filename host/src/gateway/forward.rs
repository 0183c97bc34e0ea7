//! Preparing a request for a component's own HTTP handler.

use http::header::{self, HeaderValue};
use http::request::Parts;
use hyper::body::Incoming;

use super::input::Limited;
use super::origin::{Origin, REQUEST_ID, TRACEPARENT};

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

/// The request as the component gets it: without the connection's headers, with
/// the host's id and trace.
pub(super) fn request(
    mut parts: Parts,
    body: Incoming,
    limit: u64,
    origin: &Origin,
) -> http::Request<Limited> {
    let headers = &mut parts.headers;
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    if let Some(id) = origin.id_header() {
        headers.insert(REQUEST_ID, id);
    }
    if let Ok(trace) = HeaderValue::try_from(origin.trace.to_string()) {
        headers.insert(TRACEPARENT, trace);
    }
    http::Request::from_parts(parts, Limited::new(body, limit))
}

/// Further headers that the client declared to be of this connection only.
fn named_by_connection(headers: &http::HeaderMap) -> Vec<header::HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter();
    let names = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    names
        .filter_map(|name| header::HeaderName::try_from(name.trim()).ok())
        .collect()
}
