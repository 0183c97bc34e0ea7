//! Preparing a request for who answers it: a component's own HTTP handler, or an
//! upstream.

use http::header::{self, HeaderValue};
use http::request::Parts;
use http_body_util::BodyExt;

use super::client::Client;
use super::input::Limited;
use super::origin::{Origin, REQUEST_ID, TRACEPARENT};
use crate::capabilities::context::CallContext;
use crate::engine::http::WasiBody;
use crate::mesh::upstream::headers::strip_hop_by_hop;

/// What proxies say of a client. Behind the gateway counts only what is believed.
const FORWARDED: [&str; 2] = ["forwarded", "x-real-ip"];
const FORWARDED_MORE: &str = "x-forwarded-";

/// What the host tells of a request; a client can't.
const OURS: &str = "x-stoa-";
/// The caller, as JSON: see [`Principal::to_header`].
///
/// [`Principal::to_header`]: crate::capabilities::context::Principal::to_header
const PRINCIPAL: header::HeaderName = header::HeaderName::from_static("x-stoa-principal");

/// The authority of a request that names none, as HTTP/1.0 allows: a component's
/// request must have one (RFC 9112, section 3.3).
const NAMELESS: HeaderValue = HeaderValue::from_static("localhost");

/// The request as the component gets it: without the connection's headers, with
/// the host's id and trace, with its client and its caller.
pub(super) fn request(
    mut parts: Parts,
    body: Limited,
    origin: &Origin,
    context: &CallContext,
    client: &Client,
) -> http::Request<Limited> {
    if parts.uri.authority().is_none() && !parts.headers.contains_key(header::HOST) {
        parts.headers.insert(header::HOST, NAMELESS);
    }
    introduced(parts, body, origin, context, client)
}

/// The request as any service gets it.
fn introduced(
    mut parts: Parts,
    body: Limited,
    origin: &Origin,
    context: &CallContext,
    client: &Client,
) -> http::Request<Limited> {
    let headers = &mut parts.headers;
    strip_hop_by_hop(headers);
    for name in ours(headers) {
        headers.remove(name);
    }
    client.introduce(headers);
    if let Some(id) = origin.id_header() {
        headers.insert(REQUEST_ID, id);
    }
    if let Ok(trace) = HeaderValue::try_from(origin.trace.to_string()) {
        headers.insert(TRACEPARENT, trace);
    }
    if let Some(principal) = context.principal.as_deref().and_then(|of| of.to_header()) {
        headers.insert(PRINCIPAL, principal);
    }
    http::Request::from_parts(parts, body)
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
    let ours = |name: &&header::HeaderName| {
        // Servers that pass headers as variables take `_` for `-` (RFC 3875, 4.1.18).
        let name = &*name.as_str().replace('_', "-");
        name.starts_with(OURS) || name.starts_with(FORWARDED_MORE) || FORWARDED.contains(&name)
    };
    headers.keys().filter(ours).cloned().collect()
}

/// The request as an upstream gets it: as a component would, and with the host that
/// the client asks for.
pub(super) fn outside(
    parts: Parts,
    body: Limited,
    origin: &Origin,
    context: &CallContext,
    client: &Client,
) -> http::Request<WasiBody> {
    let request = introduced(parts, body, origin, context, client);
    let mut request = request.map(BodyExt::boxed_unsync);
    let host = request.headers().get(header::HOST).cloned();
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let host = host.or_else(|| HeaderValue::try_from(authority?).ok());
    if let Some(host) = host {
        client.ask_for(&host, request.headers_mut());
    }
    request
}
