//! Responses that were there before, and why there is none.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::problem::{Problem, Traced as _};
use super::{GatewayBody, Response};
use crate::origin::Origin;
use stoa_http::validators::of_not_modified;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Why a request with an idempotency key is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFault {
    /// The route wants a key.
    Missing,
    /// The key is none.
    Malformed,
    /// The first request is still under way.
    InFlight,
    /// The first request asked for something else.
    Mismatch,
    /// The first request was answered, but its answer was too long to be kept.
    Cut,
}

/// The first answer to an idempotency key, again.
pub(crate) fn replay(status: u16, headers: HeaderMap, body: Bytes) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = stored(status, headers, body);
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// An answer from memory.
pub(crate) fn stored(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response {
    let mut response = Response::new(GatewayBody::whole(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The client has this response already.
pub(crate) fn not_modified(response: &Response) -> Response {
    let mut short = Response::new(GatewayBody::empty());
    *short.headers_mut() = of_not_modified(response.headers());
    *short.status_mut() = StatusCode::NOT_MODIFIED;
    short
}

pub(super) fn not_cached(origin: &Origin) -> Response {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "not_cached")
        .detail("the request wants a stored answer, and none is stored")
        .response(origin)
}

pub(super) fn no_match(origin: &Origin) -> Response {
    Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed")
        .detail(
            "the answer is not one that the If-Match header names: see the ETag header of a GET",
        )
        .response(origin)
}

/// Whether a response asks the client to come again: nothing has happened yet.
pub(crate) fn says_not_now(response: &Response) -> bool {
    matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    )
}

pub(super) fn idempotency(fault: KeyFault, origin: &Origin) -> Response {
    let (status, code, detail) = match fault {
        KeyFault::Missing => (
            StatusCode::BAD_REQUEST,
            "idempotency_key_missing",
            "the route asks for an Idempotency-Key header: send a new one for each operation",
        ),
        KeyFault::Malformed => (
            StatusCode::BAD_REQUEST,
            "idempotency_key_malformed",
            "expected one Idempotency-Key of 1 to 255 printable characters, such as a UUID",
        ),
        KeyFault::InFlight => (
            StatusCode::CONFLICT,
            "idempotency_in_flight",
            "the first request with this Idempotency-Key is still under way: try again",
        ),
        KeyFault::Mismatch => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_mismatch",
            "this Idempotency-Key was used for another request: use a new one",
        ),
        KeyFault::Cut => (
            StatusCode::CONFLICT,
            "idempotency_answer_too_large",
            "the first request with this Idempotency-Key was answered, but its answer was too \
             large to be kept; the call is not run again",
        ),
    };
    let problem = Problem::new(status, code).detail(detail);
    if fault == KeyFault::InFlight {
        problem.retry_after().response(origin)
    } else {
        problem.response(origin)
    }
}

/// The reason as metrics name it.
pub(super) fn reason(fault: KeyFault) -> &'static str {
    match fault {
        KeyFault::Missing | KeyFault::Malformed => "idempotency_key",
        KeyFault::InFlight => "idempotency_in_flight",
        KeyFault::Mismatch => "idempotency_mismatch",
        KeyFault::Cut => "idempotency_answer_too_large",
    }
}
