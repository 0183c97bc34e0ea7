//! What every response gets last, whoever gave it: a service, a cache, a refusal.

use std::mem;

use http::Method;
use http::header::{self, Entry};
use http_body::Body as _;

use super::Gateway;
use super::exchange::Exchange;
use super::origin::REQUEST_ID;
use super::respond::{GatewayBody, Response};

impl Gateway {
    /// Finishes a response: the request's id, what is left of the caller's limit,
    /// security headers; and no body of an answer to HEAD.
    pub(super) fn finish(&self, exchange: &Exchange, response: &mut Response) {
        let headers = response.headers_mut();
        if let Some(id) = exchange.origin.id_header() {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(status) = &exchange.rate_limit {
            status.write(headers);
        }
        self.security.finish(exchange.client.over_tls(), response);
        if exchange.head.method == Method::HEAD {
            leave_head(response);
        }
    }
}

/// The answer to HEAD: how long the body of a GET would be, and none.
fn leave_head(response: &mut Response) {
    let body = mem::replace(response.body_mut(), GatewayBody::empty());
    let length = body.size_hint().exact().filter(|length| *length > 0);
    if let Some(length) = length
        && let Entry::Vacant(vacant) = response.headers_mut().entry(header::CONTENT_LENGTH)
    {
        vacant.insert(length.into());
    }
}
