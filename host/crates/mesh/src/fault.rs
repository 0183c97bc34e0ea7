//! Why calls get no answer, whatever they lead to: a function, a handler, an upstream.
//!
//! A leaf: it stands on what instances and pools fail with, and knows nothing of guards.
//! Knows nothing of statuses either, which the gateway picks.

use std::sync::Arc;
use std::time::Duration;

use stoa_call::deadline::Elapsed;
use stoa_engine::Fault;
use stoa_service::pool::PoolError;

/// What a caller should wait before it tries a drained service again: an operator's work
/// takes its time.
const DRAINED_FOR: Duration = Duration::from_secs(5);

/// What a caller should wait before it tries a queue again that is full: a subscriber takes
/// thousands of calls in that time.
const QUEUE_FULL_FOR: Duration = Duration::from_secs(1);

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
    /// An upstream gave no answer. Boxed: each call's outcome would have room for it.
    #[error(transparent)]
    Upstream(Box<UpstreamFault>),
    /// A queue did not keep the call. Boxed as the above.
    #[error("the queue {} did not keep the call: {}", .0.queue, .0.fault)]
    Queue(Box<NotKept>),
}

/// A call that a queue did not keep.
#[derive(Debug)]
pub struct NotKept {
    /// The queue.
    pub queue: Arc<str>,
    /// Why.
    pub fault: QueueFault,
}

/// Why a queue did not keep a call.
#[derive(Debug, thiserror::Error)]
pub enum QueueFault {
    /// It holds as much as it may.
    #[error("{0}")]
    Full(String),
    /// The call itself is too large.
    #[error("{0}")]
    TooLarge(String),
    /// The store failed.
    #[error("{0}")]
    Store(String),
}

/// Why an upstream gave no answer, where a component would have no such reason.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamFault {
    /// It has no instance that may get traffic.
    #[error("{0} has no instance that is up")]
    NoInstance(Arc<str>),
    /// As many requests are under way as it may have.
    #[error("{upstream} has {limit} requests under way, which is its limit")]
    Busy {
        /// The upstream.
        upstream: Arc<str>,
        /// The limit that it was declared with.
        limit: u32,
    },
    /// No connection came about.
    #[error("{upstream} can't be reached at {instance}: {reason}")]
    Connect {
        /// The upstream.
        upstream: Arc<str>,
        /// The last instance that was tried.
        instance: String,
        /// What went wrong.
        reason: String,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("{upstream} gave no answer at {instance}: {reason}")]
    Broken {
        /// The upstream.
        upstream: Arc<str>,
        /// The instance.
        instance: String,
        /// What went wrong.
        reason: String,
    },
    /// The request can't be sent on.
    #[error("the request can't be sent on: {0}")]
    Request(String),
}

/// How a request's body failed: its sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UploadFault {
    /// It goes on beyond the route's limit.
    #[error("the body is larger than the {limit} bytes that the route allows")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// It broke off, or its framing is wrong.
    #[error("the body ended before it was complete")]
    Broken,
    /// It was waited for too long.
    #[error("the body did not arrive in time")]
    TooSlow,
}

/// What is added to an open breaker's state.
fn by_whom(held: bool) -> &'static str {
    match held {
        true => ", held so by an operator",
        false => "",
    }
}

// === impl CallError ===

impl CallError {
    /// Whether the call may have left something behind.
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Deadline | Self::LittleTime | Self::Upload(_) => true,
            Self::Fault(fault) => !matches!(fault, Fault::Request(_)),
            Self::Upstream(fault) => matches!(**fault, UpstreamFault::Broken { .. }),
            Self::Queue(kept) => matches!(kept.fault, QueueFault::Store(_)),
            Self::Pool(_) | Self::DeadlineInQueue | Self::BreakerOpen { .. } | Self::Drained => {
                false
            }
        }
    }

    /// Whether the request itself is at fault: that says nothing of who was to answer.
    pub fn is_of_request(&self) -> bool {
        match self {
            Self::Upload(_) | Self::Fault(Fault::Request(_)) => true,
            Self::Queue(kept) => matches!(kept.fault, QueueFault::TooLarge(_)),
            Self::Upstream(fault) => matches!(**fault, UpstreamFault::Request(_)),
            _ => false,
        }
    }

    /// When another try may work; `None` if that is not known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Pool(error) => error.retry_after(),
            Self::BreakerOpen { retry_after, .. } => Some(*retry_after),
            Self::Drained => Some(DRAINED_FOR),
            Self::Queue(kept) => {
                let is_too_large = matches!(kept.fault, QueueFault::TooLarge(_));
                (!is_too_large).then_some(QUEUE_FULL_FOR)
            }
            Self::Fault(Fault::Dependency { retry_after, .. }) => *retry_after,
            Self::Deadline
            | Self::LittleTime
            | Self::DeadlineInQueue
            | Self::Fault(_)
            | Self::Upload(_)
            | Self::Upstream(_) => None,
        }
    }

    /// A call that a queue did not keep.
    pub(crate) fn queue(queue: &Arc<str>, fault: QueueFault) -> Self {
        Self::Queue(Box::new(NotKept {
            queue: queue.clone(),
            fault,
        }))
    }

    /// The same of a call that had its instance `late`.
    pub(crate) fn begun(self, late: bool) -> Self {
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

impl From<UpstreamFault> for CallError {
    fn from(fault: UpstreamFault) -> Self {
        Self::Upstream(Box::new(fault))
    }
}

// === impl UploadFault ===

impl UploadFault {
    /// The fault as metrics name it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "body_too_large",
            Self::Broken => "broken_body",
            Self::TooSlow => "slow_body",
        }
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

    #[test]
    fn of_an_upstream_only_a_request_that_was_sent_may_have_run() {
        let (upstream, instance) = (Arc::<str>::from("legacy"), "http://a".to_owned());
        let reason = || "reset".to_owned();
        let broken = UpstreamFault::Broken {
            upstream: upstream.clone(),
            instance: instance.clone(),
            reason: reason(),
        };
        let connect = UpstreamFault::Connect {
            upstream: upstream.clone(),
            instance,
            reason: reason(),
        };
        let none = UpstreamFault::NoInstance(upstream);
        let request = UpstreamFault::Request("no path".to_owned());
        for (fault, sent, of_request) in [
            (broken, true, false),
            (connect, false, false),
            (none, false, false),
            (request, false, true),
        ] {
            let error = CallError::from(fault);
            assert_eq!(error.may_have_run(), sent, "{error}");
            assert_eq!(error.is_of_request(), of_request, "{error}");
            assert_eq!(error.retry_after(), None, "{error}");
        }
    }

    /// Each call's outcome has room for it, and so has the future of each call.
    #[test]
    fn an_error_is_small() {
        assert!(size_of::<CallError>() <= 56, "{}", size_of::<CallError>());
    }
}
