//! What clients are told of a call that got no answer of its service.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::input::upload_fault;
use super::problem::Problem;
use super::{Refusal, Response};
use crate::origin::Origin;
use stoa_engine::Fault;
use stoa_mesh::CallError;
use stoa_mesh::upstream::SendError;
use stoa_service::pool::PoolError;

/// How a service failed, for all who wait for the same answer.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    Call(Arc<CallError>),
    Upstream(Arc<SendError>),
    /// It answered with this status.
    Answered(StatusCode),
}

impl Failure {
    /// # Errors
    /// The refusal itself, if it is about its own request alone.
    pub(crate) fn of(refusal: Refusal) -> Result<Self, Refusal> {
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
pub(crate) fn call_error(error: &CallError, origin: &Origin) -> Response {
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
pub(super) fn awaited(failure: &Failure, origin: &Origin) -> Response {
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
pub(crate) fn upstream_error(error: &SendError, origin: &Origin) -> Response {
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
