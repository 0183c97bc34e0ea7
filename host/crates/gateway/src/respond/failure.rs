//! What clients are told of a call that got no answer of its service.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::input::upload_fault;
use super::problem::{Problem, Traced as _};
use super::{Refusal, Response};
use crate::origin::Origin;
use stoa_engine::Fault;
use stoa_mesh::{CallError, QueueFault, UpstreamFault};
use stoa_service::pool::PoolError;

/// How a service failed, for all who wait for the same answer.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    Call(Arc<CallError>),
    /// It answered with this status.
    Answered(StatusCode),
}

impl Failure {
    /// # Errors
    /// The refusal itself, if it is about its own request alone.
    pub(crate) fn of(refusal: Refusal) -> Result<Self, Refusal> {
        match refusal {
            Refusal::Call(error) if error.is_of_request() => Err(Refusal::Call(error)),
            Refusal::Call(error) => Ok(Self::Call(Arc::new(error))),
            Refusal::Awaited(failure) => Ok(failure),
            own => Err(own),
        }
    }
}

/// What a client is told of a failure.
struct Told {
    status: StatusCode,
    code: &'static str,
    detail: &'static str,
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
    let told = match error {
        CallError::Upload(fault) => return upload_fault(*fault, origin),
        CallError::Pool(PoolError::Start(_)) => {
            unavailable("no_instance", "no instance of the service could be started")
        }
        CallError::Pool(_) => {
            unavailable("overloaded", "the service has more calls than it can take")
        }
        CallError::BreakerOpen { held, .. } => unavailable("breaker_open", open_breaker(*held)),
        CallError::Drained => unavailable("draining", DRAINING),
        CallError::Deadline | CallError::LittleTime | CallError::DeadlineInQueue => Told {
            status: StatusCode::GATEWAY_TIMEOUT,
            code: "deadline",
            detail: "the service did not answer in time",
        },
        CallError::Fault(fault) => of_component(fault),
        CallError::Upstream(fault) => of_upstream(fault),
        CallError::Queue(kept) if matches!(kept.fault, QueueFault::TooLarge(_)) => Told {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: "body_too_large",
            detail: "the queue keeps no call of this size",
        },
        CallError::Queue(_) => unavailable(
            "queue_unavailable",
            "the queue can't take the request just now",
        ),
    };
    let problem = Problem::new(told.status, told.code).detail(told.detail);
    waited_for(problem, error.retry_after()).response(origin)
}

/// A component that failed.
fn of_component(fault: &Fault) -> Told {
    match fault {
        Fault::Memory { .. } => {
            bad_gateway("memory_limit", "the service ran out of memory in this call")
        }
        Fault::Dependency {
            retry_after: Some(_),
            ..
        } => unavailable(
            "dependency",
            "another service that the service needs takes no calls just now",
        ),
        Fault::Dependency { .. } => bad_gateway(
            "dependency",
            "another service that the service needs could not answer",
        ),
        Fault::Request(_) => BAD_REQUEST,
        _ => bad_gateway("trap", "the service failed in this call"),
    }
}

/// An upstream that gave no answer.
fn of_upstream(fault: &UpstreamFault) -> Told {
    match fault {
        UpstreamFault::NoInstance(_) => {
            unavailable("no_instance", "the service has no instance that is up")
        }
        UpstreamFault::Busy { .. } => unavailable(
            "overloaded",
            "the service has more requests than it can take",
        ),
        UpstreamFault::Connect { .. } => bad_gateway("bad_gateway", "the service can't be reached"),
        UpstreamFault::Broken { .. } => {
            bad_gateway("bad_gateway", "the service gave no answer that is one")
        }
        UpstreamFault::Request(_) => BAD_REQUEST,
    }
}

/// A request that nobody can be asked.
const BAD_REQUEST: Told = Told {
    status: StatusCode::BAD_REQUEST,
    code: "bad_request",
    detail: "the request can't be passed to the service",
};

fn unavailable(code: &'static str, detail: &'static str) -> Told {
    Told {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code,
        detail,
    }
}

fn bad_gateway(code: &'static str, detail: &'static str) -> Told {
    Told {
        status: StatusCode::BAD_GATEWAY,
        code,
        detail,
    }
}

/// A failure that another request met with.
pub(super) fn awaited(failure: &Failure, origin: &Origin) -> Response {
    match failure {
        Failure::Call(error) => call_error(error, origin),
        Failure::Answered(status) => {
            let problem = Problem::new(*status, "failed")
                .detail("the service failed in a call that was made for several requests");
            waited_for(problem, None).response(origin)
        }
    }
}

/// With when to try again: as soon as is known to help, or soon.
fn waited_for(problem: Problem<'_>, wait: Option<Duration>) -> Problem<'_> {
    match wait {
        Some(wait) => problem.retry_after_in(wait),
        None if problem.status() == StatusCode::SERVICE_UNAVAILABLE => problem.retry_after(),
        None => problem,
    }
}
