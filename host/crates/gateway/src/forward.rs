//! Preparing a request for who answers it: a component's own HTTP handler, or an
//! upstream.

use std::borrow::Cow;

use http::Uri;
use http::header::{self, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http_body_util::BodyExt;

use super::client::Client;
use super::input::Limited;
use super::origin::{Origin, REQUEST_ID, TRACEPARENT};
use super::respond::Refusal;
use stoa_call::CallContext;
use stoa_engine::capabilities::outbound::outgoing::Errand;
use stoa_engine::http::WasiBody;
use stoa_mesh::upstream::headers::strip_hop_by_hop;

/// What proxies say of a client. Behind the gateway counts only what is believed.
const FORWARDED: [&str; 2] = ["forwarded", "x-real-ip"];
const FORWARDED_MORE: &str = "x-forwarded-";

/// What the host tells of a request; a client can't.
const OURS: &str = "x-stoa-";
/// The caller, as JSON: see [`Principal::to_header`].
///
/// [`Principal::to_header`]: stoa_call::Principal::to_header
const PRINCIPAL: header::HeaderName = header::HeaderName::from_static("x-stoa-principal");

/// The authority of a request that names none, as HTTP/1.0 allows: a component's
/// request must have one (RFC 9112, section 3.3).
const NAMELESS: &str = "localhost";

/// The request as the component gets it: with the URI that its client asks for,
/// without the connection's headers, with the host's id and trace, with its client and
/// its caller.
///
/// # Errors
///
/// When the host that the client asks for can't be one.
pub(super) fn request(
    mut request: http::Request<Limited>,
    origin: &Origin,
    context: &CallContext,
    client: &Client,
) -> Result<http::Request<Limited>, Refusal> {
    *request.uri_mut() = asked(&mut request, client)?;
    Ok(introduced(request, origin, context, client))
}

/// The URI that a client asks for, with the scheme that it speaks to whoever accepted
/// its connection and the host that it named there, whatever the version of HTTP: the
/// one place that decides both for `wasi:http`.
fn asked(request: &mut http::Request<Limited>, client: &Client) -> Result<Uri, Refusal> {
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    let named = client.told_authority().or(uri.authority.take());
    let named = named.map_or_else(|| named_in(request.headers()), Ok);
    uri.authority = Some(named.map_err(|_| Refusal::BadRequest("the Host header is no host"))?);
    uri.scheme = Some(client.scheme());
    let root = || PathAndQuery::from_static("/");
    uri.path_and_query.get_or_insert_with(root);
    Uri::from_parts(uri).map_err(|_| Refusal::BadRequest("the target is no URI"))
}

fn named_in(headers: &header::HeaderMap) -> Result<Authority, http::uri::InvalidUri> {
    match headers.get(header::HOST) {
        Some(host) if !host.is_empty() => Authority::try_from(host.as_bytes()),
        _ => Ok(Authority::from_static(NAMELESS)),
    }
}

/// The request as any service gets it.
fn introduced(
    mut request: http::Request<Limited>,
    origin: &Origin,
    context: &CallContext,
    client: &Client,
) -> http::Request<Limited> {
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    for name in ours(headers) {
        headers.remove(name);
    }
    client.introduce(headers);
    if let Some(id) = origin.id_header() {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(trace) = origin.trace.to_header() {
        headers.insert(TRACEPARENT, trace);
    }
    if let Some(principal) = context.principal.as_deref().and_then(|of| of.to_header()) {
        headers.insert(PRINCIPAL, principal);
    }
    request
}

/// The request that one service sends to another of this host: in its call's trace,
/// and with its caller. Of a client only who stands before the other may tell.
pub(super) fn inside<B>(
    mut request: http::Request<B>,
    context: &CallContext,
    errand: Errand,
) -> http::Request<B> {
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    for name in ours(headers) {
        if errand == Errand::Grant || is_about_host(&name) {
            headers.remove(name);
        }
    }
    let id = context.request_id.to_header();
    let trace = context.trace.to_header();
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
    let ours = |name: &&header::HeaderName| is_about_host(name) || is_about_client(name);
    headers.keys().filter(ours).cloned().collect()
}

fn is_about_host(name: &header::HeaderName) -> bool {
    dashed(name).starts_with(OURS)
}

fn is_about_client(name: &header::HeaderName) -> bool {
    let name = &*dashed(name);
    name.starts_with(FORWARDED_MORE) || FORWARDED.contains(&name)
}

/// Servers that pass headers as variables take `_` for `-` (RFC 3875, 4.1.18).
fn dashed(name: &header::HeaderName) -> Cow<'_, str> {
    match name.as_str() {
        name if name.contains('_') => Cow::Owned(name.replace('_', "-")),
        name => Cow::Borrowed(name),
    }
}

/// The request as an upstream gets it: as a component would, and with the host that
/// the client asks for.
pub(super) fn outside(
    request: http::Request<Limited>,
    origin: &Origin,
    context: &CallContext,
    client: &Client,
) -> http::Request<WasiBody> {
    let request = introduced(request, origin, context, client);
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
