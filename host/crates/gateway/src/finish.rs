//! What every response gets last, whoever gave it: a service, a cache, a refusal.

use http::{Method, header};
use http_body::Body as _;

use super::Gateway;
use super::exchange::Exchange;
use super::origin::REQUEST_ID;
use super::respond::{GatewayBody, Response};

impl Gateway {
    /// Finishes a response: the request's id, what is left of the caller's limit,
    /// security headers; and no body of an answer to HEAD.
    pub(super) fn finish(&self, exchange: &Exchange, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if let Some(id) = exchange.origin.id_header() {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(status) = &exchange.rate_limit {
            status.write(headers);
        }
        self.security.finish(exchange.client.over_tls(), headers);
        match exchange.head.method {
            Method::HEAD => head_of(response),
            _ => response,
        }
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
