//! What every response gets last, whoever gave it: a service, a cache, a refusal.

use http::{Method, Version, header};
use http_body::Body as _;

use super::Gateway;
use super::endpoint::{Destination, Endpoint, Handler};
use super::exchange::Exchange;
use super::origin::REQUEST_ID;
use super::respond::{GatewayBody, Response};
use stoa_http::compress::{self, Judge};
use stoa_settings::config::Compression;

impl Gateway {
    /// Finishes a response: the request's id, the caller's limit, other origins,
    /// security headers, and compression, which changes the body and so is last.
    pub(super) fn finish(
        &self,
        exchange: &Exchange,
        endpoint: Option<&Endpoint>,
        mut response: Response,
    ) -> Response {
        let headers = response.headers_mut();
        if let Some(id) = exchange.origin.id_header() {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(status) = &exchange.rate_limit {
            status.write(headers);
        }
        if let Some(cors) = endpoint.and_then(|endpoint| endpoint.cors.as_ref()) {
            cors.finish(exchange.page.as_ref(), headers);
        }
        self.security.finish(exchange.client.over_tls(), headers);
        let compressed = endpoint.is_none_or(|endpoint| endpoint.route.compression.is_on());
        if self.settings.compression == Compression::On && compressed {
            let judge = match endpoint {
                Some(endpoint) if endpoint.shows_headers() => Judge::Service,
                _ => Judge::Host,
            };
            response = compress::finish(response, exchange.coding, &exchange.head.method, judge);
        }
        if exchange.head.method == Method::HEAD {
            response = head_of(response);
        } else if exchange.head.version < Version::HTTP_2
            && let Some(endpoint) = endpoint
        {
            response = watched(response, endpoint);
        }
        response
    }
}

/// HTTP/1.1 passes no trailers on that the head does not announce (RFC 9110, section
/// 6.6.2): a component that has some is told so.
fn watched(response: Response, endpoint: &Endpoint) -> Response {
    match &endpoint.destination {
        Destination::Handler(Handler { revision, .. })
            if response.body().as_whole().is_none()
                && !response.headers().contains_key(header::TRAILER) =>
        {
            response.map(|body| body.without_trailers(revision))
        }
        _ => response,
    }
}

/// The answer to HEAD: how long the body of a GET would be, and none.
fn head_of(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let length = body.size_hint().exact().filter(|length| *length > 0);
    if let Some(length) = length
        && !parts.headers.contains_key(header::CONTENT_LENGTH)
    {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, GatewayBody::empty())
}
