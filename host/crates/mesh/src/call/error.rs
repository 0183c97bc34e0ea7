//! Why calls get no answer.

use std::time::Duration;

use stoa_call::deadline::Elapsed;
use stoa_engine::Fault;
use stoa_service::pool::PoolError;

use crate::intake;
use crate::upload::{RequestBodyState, UploadFault};

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No instance could be had.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The call took too long and was stopped.
    #[error("the call was stopped at its deadline")]
    Deadline,
    /// The same, after it had waited for an instance for most of its time.
    #[error("the call was stopped at its deadline, most of which it had to wait for an instance")]
    LittleTime,
    /// The deadline passed before the call had an instance.
    #[error("no instance of the service became free before the call's deadline")]
    DeadlineInQueue,
    /// The revision fails, so it is left alone for a while; or an operator wants it so.
    #[error("the service's breaker is open{}; the next try may be in {retry_after:?}", by_whom(*held))]
    BreakerOpen {
        /// When it is worth trying again.
        retry_after: Duration,
        /// Whether an operator holds it open.
        held: bool,
    },
    /// The service takes no new calls.
    #[error("the service is drained: it takes no calls until `stoa drain` lets it go on")]
    Drained,
    /// The component failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The call failed after the request's body had.
    #[error("the request could not be passed on whole: {0}")]
    Upload(UploadFault),
}

/// What is added to an open breaker's state.
pub(crate) fn by_whom(held: bool) -> &'static str {
    match held {
        true => ", held so by an operator",
        false => "",
    }
}

impl CallError {
    /// Whether the call may have left something behind.
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Deadline | Self::LittleTime | Self::Upload(_) => true,
            Self::Fault(fault) => !matches!(fault, Fault::Request(_)),
            Self::Pool(_) | Self::DeadlineInQueue | Self::BreakerOpen { .. } | Self::Drained => {
                false
            }
        }
    }

    /// When another try may work; `None` if that is not known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Pool(error) => error.retry_after(),
            Self::BreakerOpen { retry_after, .. } => Some(*retry_after),
            Self::Drained => Some(intake::RETRY_AFTER),
            Self::Fault(Fault::Dependency { retry_after, .. }) => *retry_after,
            Self::Deadline
            | Self::LittleTime
            | Self::DeadlineInQueue
            | Self::Fault(_)
            | Self::Upload(_) => None,
        }
    }

    /// The same, or what `upload` failed with before: a component need not bear that.
    pub(crate) fn blaming(self, upload: &RequestBodyState) -> Self {
        let fault = match &self {
            Self::Deadline | Self::LittleTime => upload.fault_at_deadline(),
            Self::Fault(_) => upload.fault(),
            _ => None,
        };
        fault.map_or(self, Self::Upload)
    }

    /// The same of a call that had its instance `late`.
    pub(super) fn begun(self, late: bool) -> Self {
        match self {
            Self::Deadline if late => Self::LittleTime,
            other => other,
        }
    }

    /// What a caller is told when the call was made again and that failed with
    /// `self`: of a try that ran, rather than of one that did not.
    pub(crate) fn or_earlier(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(earlier) if earlier.may_have_run() && !self.may_have_run() => earlier,
            _ => self,
        }
    }
}

impl From<Elapsed> for CallError {
    fn from(_: Elapsed) -> Self {
        Self::Deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_that_was_not_let_in_does_not_hide_the_one_that_ran() {
        let lost = || CallError::Fault(Fault::InstanceLost);
        let full = || PoolError::QueueFull {
            busy: 1,
            queue: 1,
            retry_after: Duration::ZERO,
        };
        let open = || CallError::BreakerOpen {
            retry_after: Duration::ZERO,
            held: false,
        };
        let start = || CallError::Pool(PoolError::Start(Fault::NoResponse));
        for refused in [full().into(), open(), start(), CallError::DeadlineInQueue] {
            let told = refused.or_earlier(Some(lost()));
            assert!(matches!(told, CallError::Fault(Fault::InstanceLost)));
        }
        let told = CallError::Deadline.or_earlier(Some(lost()));
        assert!(matches!(told, CallError::Deadline), "the last that ran");
        let told = open().or_earlier(Some(start()));
        assert!(matches!(told, CallError::BreakerOpen { .. }), "neither ran");
        assert!(matches!(
            open().or_earlier(None),
            CallError::BreakerOpen { .. }
        ));
    }
}
