//! What a guard leads to: who answers a call.
//!
//! A function of a revision, its own HTTP handler, an upstream, which picks one of its
//! instances itself, or a queue, which keeps a call for later. Each is asked once for each time that its guard asks; whether it may
//! be, and what its answer says of it, is the guard's.

mod function;
mod handler;
mod lease;
mod queue;
mod threads;

use std::sync::Arc;
use std::time::Duration;

pub use function::Function;
pub use handler::Handler;
pub(super) use handler::Listening;
pub use queue::{Kept, Queue};

use super::fault::CallError;
use stoa_call::TraceContext;
use stoa_engine::Fault;
use stoa_service::revision::Revision;

/// Who answers calls, as its guard and its routes see it.
pub trait Target {
    /// The service, or the upstream.
    fn service(&self) -> &Arc<str>;

    /// The number of the revision, or of the upstream's declaration.
    fn number(&self) -> u64;

    /// How long a call may take, with all that it waits for.
    fn time_limit(&self) -> Duration;

    /// Bytes that a request's body may have.
    fn body_limit(&self) -> u64;

    /// Tells the operator of a failure, and of what its caller is not told.
    fn report(&self, trace: &TraceContext, error: &CallError);
}

/// A target that a revision exports.
trait Export {
    /// Whose it is.
    fn revision(&self) -> &Revision;

    /// Its name in logs.
    fn name(&self) -> &str;
}

impl<T: Export> Target for T {
    fn service(&self) -> &Arc<str> {
        &self.revision().service
    }

    fn number(&self) -> u64 {
        self.revision().number
    }

    fn time_limit(&self) -> Duration {
        self.revision().settings.limits.deadline
    }

    fn body_limit(&self) -> u64 {
        self.revision().settings.limits.body
    }

    fn report(&self, trace: &TraceContext, error: &CallError) {
        report(self.revision(), self.name(), trace, error);
    }
}

/// Tells the operator how a call of a revision failed, unless it was not made at all:
/// that is counted, and would be told for each of many.
fn report(revision: &Revision, function: &str, trace: &TraceContext, error: &CallError) {
    match error {
        CallError::Pool(_)
        | CallError::DeadlineInQueue
        | CallError::BreakerOpen { .. }
        | CallError::Drained => {}
        CallError::Upload(_) | CallError::Fault(Fault::Request(_)) => tracing::debug!(
            service = &*revision.service,
            function,
            trace.id = format_args!("{:032x}", trace.trace_id),
            "a request failed its call: {error}"
        ),
        CallError::Deadline
        | CallError::LittleTime
        | CallError::Fault(_)
        | CallError::Queue(_)
        | CallError::Upstream(_) => tracing::error!(
            service.name = &*revision.service,
            service.version = revision.number,
            function,
            trace.id = format_args!("{:032x}", trace.trace_id),
            "call failed: {error}"
        ),
    }
}
