//! Preparing a request for who answers it: a component's own HTTP handler, or an
//! upstream.

use std::net::IpAddr;

use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::client::Client;
use super::input::Limited;
use super::origin::{Origin, REQUEST_ID, TRACEPARENT};
use crate::capabilities::context::CallContext;
use crate::engine::http::WasiBody;
use crate::mesh::upstream::headers::strip_hop_by_hop;

/// RFC 7239, and what was used before it.
const FORWARDED: HeaderName = header::FORWARDED;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

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
    strip_hop_by_hop(headers);
    for name in ours(headers) {
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

/// The request that one service sends to another of this host: in its call's trace,
/// and with its caller.
pub(super) fn inside<B>(mut request: http::Request<B>, context: &CallContext) -> http::Request<B> {
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    for name in ours(headers) {
        headers.remove(name);
    }
    let id = HeaderValue::try_from(context.request_id.to_string()).ok();
    let trace = HeaderValue::try_from(context.trace.to_string()).ok();
    let principal = context.principal.as_deref().and_then(|of| of.to_header());
    for (name, value) in [
        (REQUEST_ID, id),
        (TRACEPARENT, trace),
        (PRINCIPAL, principal),
    ] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    request
}

/// Headers in which only the host may say something.
fn ours(headers: &http::HeaderMap) -> Vec<header::HeaderName> {
    let names = headers.keys();
    names
        .filter(|name| name.as_str().starts_with(OURS))
        .cloned()
        .collect()
}

/// The request as an upstream gets it: as a component would, and with what the
/// connection told of the client.
pub(super) fn outside(
    parts: Parts,
    body: Incoming,
    limit: u64,
    origin: &Origin,
    context: &CallContext,
    client: &Client,
) -> http::Request<WasiBody> {
    let mut request = request(parts, body, limit, origin, context).map(BodyExt::boxed_unsync);
    let host = request.headers().get(header::HOST).cloned();
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let host = host.or_else(|| HeaderValue::try_from(authority?).ok());
    let address = client.address();
    let headers = request.headers_mut();
    // What the client says of itself is no more than that.
    headers.remove(FORWARDED);
    let node = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let named = host.as_ref().and_then(|host| host.to_str().ok());
    let named = named.map_or_else(String::new, |host| format!(";host=\"{host}\""));
    for (name, value) in [
        (
            FORWARDED,
            HeaderValue::try_from(format!("for={node}{named};proto=http")).ok(),
        ),
        (
            FORWARDED_FOR,
            HeaderValue::try_from(address.to_string()).ok(),
        ),
        (FORWARDED_HOST, host),
        (FORWARDED_PROTO, Some(HeaderValue::from_static("http"))),
    ] {
        match value {
            Some(value) => headers.insert(name, value),
            None => headers.remove(name),
        };
    }
    request
}
