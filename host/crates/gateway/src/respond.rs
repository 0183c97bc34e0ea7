//! From what happened to a response: the one place that picks a status.
//!
//! What the client sees says what it can do; what went wrong inside is for the
//! log alone. Errors are RFC 9457 problems.

mod body;
mod denied;
mod failure;
mod input;
mod kept;
mod may_have_run;
mod problem;
mod reason;
mod unread;
mod websocket;

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use super::identity::Denied;
use super::input::BodyFault;
use super::origin::Origin;
pub(super) use body::GatewayBody;
use failure::awaited;
pub(super) use failure::{Failure, call_error};
use input::{body_fault, input_fault};
pub(super) use kept::{KeyFault, not_modified, replay, says_not_now, stored};
use problem::{Problem, Traced as _};
pub(super) use reason::reason;
use stoa_engine::Fault;
use stoa_engine::http::ResponseBody;
pub(super) use stoa_engine::http::Taken;
use stoa_engine::service_error::{ErrorCase, ServiceError};
use stoa_mesh::CallError;
use stoa_service::pool::PoolError;
use stoa_settings::Priority;
use stoa_transcode::{InputFault, Reply};
pub(super) use websocket::{Over, switched};

pub(super) type Response = http::Response<GatewayBody>;

/// The answer of a stage to a request; `None` lets it go on.
pub(super) type Answer = Result<Option<Response>, Refusal>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a request got no answer of its service.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The request breaks HTTP: what is wrong.
    BadRequest(&'static str),
    UriTooLong,
    /// More header fields than a request may have.
    TooManyFields,
    NoRoute {
        /// The route that may have been meant.
        nearest: Option<String>,
    },
    /// The path takes these methods.
    MethodNotAllowed(Vec<Method>),
    /// A list of methods was asked for.
    Options(Vec<Method>),
    /// The caller may not use the route.
    Denied(Denied),
    /// The caller has sent as many requests as it may: how long it should wait.
    TooManyRequests {
        wait: Duration,
    },
    Body(BodyFault),
    Input(InputFault),
    Call(CallError),
    /// The service failed for another request, whose answer was to be this one's too.
    Awaited(Failure),
    /// The request's idempotency key stands in the way.
    Idempotency(KeyFault),
    /// A component is asked for a WebSocket.
    NoWebSocket,
    /// A page that the route's policy does not name asks for a WebSocket.
    OtherOrigin,
    /// Another protocol is asked for by an extended CONNECT.
    OtherProtocol,
    /// What was kept can't be read.
    Store,
    /// The client wants a stored answer, and there is none.
    NotCached,
    /// The client wants an answer with another tag.
    NoMatch,
}

/// A service's answer as a response, with the status that its route wants for `success`.
/// Its headers go where those of the request were,
/// which nobody needs any more.
pub(super) fn reply(
    reply: Reply,
    success: Option<u16>,
    origin: &Origin,
    mut headers: HeaderMap,
) -> Response {
    match reply {
        Reply::Body {
            json,
            version,
            location,
        } => {
            headers.clear();
            headers.insert(header::CONTENT_TYPE, JSON);
            let mut response = Response::new(GatewayBody::whole(json));
            *response.status_mut() = status_of(success, StatusCode::OK);
            *response.headers_mut() = headers;
            if let Some(place) = location.and_then(|path| HeaderValue::try_from(path).ok()) {
                response.headers_mut().insert(header::LOCATION, place);
            }
            if let Some(etag) =
                version.and_then(|version| HeaderValue::try_from(format!("\"{version}\"")).ok())
            {
                response.headers_mut().insert(header::ETAG, etag);
            }
            response
        }
        Reply::Empty => {
            let mut response = Response::new(GatewayBody::empty());
            *response.status_mut() = status_of(success, StatusCode::NO_CONTENT);
            response
        }
        Reply::Error(error) => service_error(error, origin),
        Reply::OwnError { case, json, status } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Problem::new(status, &case).value(json).response(origin)
        }
        Reply::Internal { .. } => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal").response(origin)
        }
    }
}

/// A component's own response.
pub(super) fn pass(response: http::Response<ResponseBody>) -> Response {
    response.map(GatewayBody::from)
}

/// What a request is counted and logged as whose client left before it had an answer:
/// nobody gets it. nginx's word, as HTTP has none.
pub(super) fn client_left() -> StatusCode {
    StatusCode::from_u16(499).expect("499 has three digits")
}

/// The answer to a preflight: all of it is in its headers.
pub(super) fn preflight(headers: HeaderMap) -> Response {
    let mut response = Response::new(GatewayBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    response
}

/// The host's own answer.
pub(super) fn refuse(refusal: Refusal, origin: &Origin) -> Response {
    match refusal {
        Refusal::BadRequest(detail) => Problem::new(StatusCode::BAD_REQUEST, "bad_request")
            .detail(detail)
            .response(origin),
        Refusal::TooManyFields => unread::head_too_large().response(origin),
        Refusal::UriTooLong => Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long")
            .detail("the request's target is longer than the host takes")
            .response(origin),
        Refusal::NoRoute { nearest } => {
            let hint = nearest.map(|route| format!("; did you mean {route:?}?"));
            Problem::new(StatusCode::NOT_FOUND, "no_route")
                .detail(format!(
                    "no service has a route for this path{}",
                    hint.unwrap_or_default()
                ))
                .response(origin)
        }
        Refusal::MethodNotAllowed(methods) => {
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
            allow(
                problem
                    .detail("the path takes other methods: see the Allow header")
                    .response(origin),
                &methods,
            )
        }
        Refusal::Options(methods) => {
            let mut response = Response::new(GatewayBody::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            allow(response, &methods)
        }
        Refusal::Denied(denied) => denied::response(&denied, origin),
        Refusal::TooManyRequests { wait } => denied::too_many_requests(wait, origin),
        Refusal::Body(fault) => body_fault(&fault, origin),
        Refusal::Input(fault) => input_fault(fault, origin),
        Refusal::Call(error) => call_error(&error, origin),
        Refusal::Awaited(failure) => awaited(&failure, origin),
        Refusal::Idempotency(fault) => kept::idempotency(fault, origin),
        Refusal::NotCached => kept::not_cached(origin),
        Refusal::NoMatch => kept::no_match(origin),
        Refusal::NoWebSocket => websocket::no_websocket(origin),
        Refusal::OtherOrigin => websocket::other_origin(origin),
        Refusal::OtherProtocol => websocket::other_protocol(origin),
        Refusal::Store => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store")
            .detail("what the host keeps can't be read now")
            .retry_after()
            .response(origin),
    }
}

fn status_of(success: Option<u16>, usual: StatusCode) -> StatusCode {
    let status = success.and_then(|status| StatusCode::from_u16(status).ok());
    status.unwrap_or(usual)
}

fn service_error(error: ServiceError, origin: &Origin) -> Response {
    let (status, code) = match error.case {
        ErrorCase::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        ErrorCase::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        ErrorCase::Conflict => (StatusCode::CONFLICT, "conflict"),
        ErrorCase::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
        ErrorCase::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
        ErrorCase::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        ErrorCase::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        ErrorCase::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let retry = matches!(
        error.case,
        ErrorCase::TooManyRequests | ErrorCase::Unavailable
    );
    let errors = error
        .violations
        .into_iter()
        .map(|violation| (violation.pointer, violation.detail))
        .collect();
    let problem = Problem::new(status, code)
        .detail(error.detail)
        .errors(errors);
    if retry {
        problem.retry_after().response(origin)
    } else {
        problem.response(origin)
    }
}

fn allow(mut response: Response, methods: &[Method]) -> Response {
    let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
    if let Ok(value) = HeaderValue::try_from(methods.join(", ")) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}
