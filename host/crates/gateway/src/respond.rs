//! From what happened to a response: the one place that picks a status.
//!
//! What the client sees says what it can do; what went wrong inside is for the
//! log alone. Errors are RFC 9457 problems.

mod body;
mod denied;
mod input;
mod kept;
mod may_have_run;
mod problem;
mod reason;
mod unread;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use super::endpoint::Endpoint;
use super::idempotency;
use super::identity::Denied;
use super::input::BodyFault;
use super::origin::Origin;
use super::transcode::{InputFault, Reply};
pub(super) use body::GatewayBody;
use input::{body_fault, input_fault, upload_fault};
pub(super) use kept::{not_modified, replay, says_not_now, stored};
use problem::Problem;
pub(super) use reason::reason;
use stoa_engine::Fault;
use stoa_engine::http::ResponseBody;
pub(super) use stoa_engine::http::Taken;
use stoa_engine::service_error::{ErrorCase, ServiceError};
use stoa_mesh::CallError;
use stoa_mesh::upstream::SendError;
use stoa_service::pool::PoolError;
use stoa_settings::Priority;
pub(super) use websocket::switched;

pub(super) type Response = http::Response<GatewayBody>;

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
    Upstream(SendError),
    /// The service failed for another request, whose answer was to be this one's too.
    Awaited(Failure),
    /// The request's idempotency key stands in the way.
    Idempotency(idempotency::Fault),
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

/// How a service failed, for all who wait for the same answer.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    Call(Arc<CallError>),
    Upstream(Arc<SendError>),
    /// It answered with this status.
    Answered(StatusCode),
}

impl Failure {
    /// # Errors
    /// The refusal itself, if it is about its own request alone.
    pub(super) fn of(refusal: Refusal) -> Result<Self, Refusal> {
        match refusal {
            Refusal::Call(CallError::Fault(Fault::Request(_)) | CallError::Upload(_))
            | Refusal::Upstream(SendError::Request(_) | SendError::Upload(_)) => Err(refusal),
            Refusal::Call(error) => Ok(Self::Call(Arc::new(error))),
            Refusal::Upstream(error) => Ok(Self::Upstream(Arc::new(error))),
            Refusal::Awaited(failure) => Ok(failure),
            own => Err(own),
        }
    }
}

/// A service's answer as a response. Its headers go where those of the request were,
/// which nobody needs any more.
pub(super) fn reply(
    reply: Reply,
    endpoint: &Endpoint,
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
            *response.status_mut() = success(endpoint, StatusCode::OK);
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
            *response.status_mut() = success(endpoint, StatusCode::NO_CONTENT);
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

/// The answer to a preflight: all of it is in its headers.
/// What a request is counted and logged as whose client left before it had an answer:
/// nobody gets it. nginx's word, as HTTP has none.
pub(super) fn client_left() -> StatusCode {
    StatusCode::from_u16(499).expect("499 has three digits")
}

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
        Refusal::Upstream(error) => upstream_error(&error, origin),
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

fn success(endpoint: &Endpoint, default: StatusCode) -> StatusCode {
    endpoint
        .route
        .status
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(default)
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

/// What is told of a service that an operator drains.
const DRAINING: &str = "the service takes no requests for a while: its operator drains it";

/// What is told of a service whose breaker is open.
fn open_breaker(held: bool) -> &'static str {
    match held {
        true => "the service takes no requests for a while: its operator holds its breaker open",
        false => "the service has failed too often and is left alone for a while",
    }
}

/// A call that got no answer.
pub(super) fn call_error(error: &CallError, origin: &Origin) -> Response {
    let (status, code, detail) = match error {
        CallError::Pool(PoolError::Start(_)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "no_instance",
            "no instance of the service could be started",
        ),
        CallError::Pool(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "the service has more calls than it can take",
        ),
        CallError::BreakerOpen { held, .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "breaker_open",
            open_breaker(*held),
        ),
        CallError::Drained => (StatusCode::SERVICE_UNAVAILABLE, "draining", DRAINING),
        CallError::Deadline | CallError::LittleTime | CallError::DeadlineInQueue => (
            StatusCode::GATEWAY_TIMEOUT,
            "deadline",
            "the service did not answer in time",
        ),
        CallError::Fault(Fault::Memory { .. }) => (
            StatusCode::BAD_GATEWAY,
            "memory_limit",
            "the service ran out of memory in this call",
        ),
        CallError::Fault(Fault::Dependency {
            retry_after: Some(_),
            ..
        }) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "dependency",
            "another service that the service needs takes no calls just now",
        ),
        CallError::Fault(Fault::Dependency { .. }) => (
            StatusCode::BAD_GATEWAY,
            "dependency",
            "another service that the service needs could not answer",
        ),
        CallError::Fault(Fault::Request(_)) => (
            StatusCode::BAD_REQUEST,
            "bad_request",
            "the request can't be passed to the service",
        ),
        CallError::Upload(fault) => return upload_fault(*fault, origin),
        CallError::Fault(_) => (
            StatusCode::BAD_GATEWAY,
            "trap",
            "the service failed in this call",
        ),
    };
    let problem = Problem::new(status, code).detail(detail);
    waited_for(problem, error.retry_after()).response(origin)
}

/// A failure that another request met with.
fn awaited(failure: &Failure, origin: &Origin) -> Response {
    match failure {
        Failure::Call(error) => call_error(error, origin),
        Failure::Upstream(error) => upstream_error(error, origin),
        Failure::Answered(status) => {
            let problem = Problem::new(*status, "failed")
                .detail("the service failed in a call that was made for several requests");
            waited_for(problem, None).response(origin)
        }
    }
}

/// An upstream that gave no answer.
pub(super) fn upstream_error(error: &SendError, origin: &Origin) -> Response {
    let (status, code, detail) = match error {
        SendError::Drained(_) => (StatusCode::SERVICE_UNAVAILABLE, "draining", DRAINING),
        SendError::NoInstance(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "no_instance",
            "the service has no instance that is up",
        ),
        SendError::Open { held, .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "breaker_open",
            open_breaker(*held),
        ),
        SendError::Busy { .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "the service has more requests than it can take",
        ),
        SendError::Deadline(_) => (
            StatusCode::GATEWAY_TIMEOUT,
            "deadline",
            "the service did not answer in time",
        ),
        SendError::Connect { .. } => (
            StatusCode::BAD_GATEWAY,
            "bad_gateway",
            "the service can't be reached",
        ),
        SendError::Broken { .. } => (
            StatusCode::BAD_GATEWAY,
            "bad_gateway",
            "the service gave no answer that is one",
        ),
        SendError::Upload(fault) => return upload_fault(*fault, origin),
        SendError::Request(_) => (
            StatusCode::BAD_REQUEST,
            "bad_request",
            "the request can't be passed to the service",
        ),
    };
    let problem = Problem::new(status, code).detail(detail);
    waited_for(problem, error.retry_after()).response(origin)
}

/// With when to try again: as soon as is known to help, or soon.
fn waited_for(problem: Problem<'_>, wait: Option<Duration>) -> Problem<'_> {
    match wait {
        Some(wait) => problem.retry_after_in(wait),
        None if problem.status == StatusCode::SERVICE_UNAVAILABLE => problem.retry_after(),
        None => problem,
    }
}

fn allow(mut response: Response, methods: &[Method]) -> Response {
    let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
    if let Ok(value) = HeaderValue::try_from(methods.join(", ")) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}
