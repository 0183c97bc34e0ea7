//! Whether a call that failed is tried again, and when.
//!
//! Only what certainly did not run, or may run twice. Never under overload, never
//! when the breaker is open, never past the deadline, and never beyond a share of
//! the calls: an outage must not be answered with twice the load.

use std::time::{Duration, Instant};

use super::breaker::{Outcome, Tally};
use super::fault::{CallError, UpstreamFault};
use stoa_engine::Fault;
use stoa_service::pool::PoolError;
use stoa_settings as settings;

/// Whether a call may be made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Twice is as good as once: RFC 9110, section 9.2.2.
    Idempotent,
    /// Only when it certainly did not run.
    Once,
}

/// The retries of one link: how many there are, how many there may be.
pub struct Retries {
    settings: settings::Retry,
    window: Duration,
    tally: Tally,
}

impl Retries {
    /// No retry so far. `window` is how far back calls and retries are compared.
    pub fn new(settings: settings::Retry, window: Duration) -> Self {
        Self {
            tally: Tally::new(window),
            settings,
            window,
        }
    }

    /// How long to wait before a call that failed with `error` after so many
    /// retries is tried again; `None` is never.
    pub fn wait(
        &self,
        error: &CallError,
        repeat: Repeat,
        retried: u32,
        deadline: Instant,
    ) -> Option<Duration> {
        if !self.are_left(retried) || !worth_it(error, repeat) {
            return None;
        }
        let most = self.settings.backoff.saturating_mul(1 << retried.min(16));
        // Full jitter: those that failed together do not come back together.
        let wait = most.min(self.settings.backoff_max).mul_f64(fastrand::f64());
        (Instant::now() + wait < deadline).then_some(wait)
    }

    /// Whether a call may be tried again at all after so many retries.
    fn are_left(&self, retried: u32) -> bool {
        retried < self.settings.retries
    }

    /// Takes a retry from the budget, given the calls of the window, retries among them:
    /// these earn none.
    pub fn take(&self, calls: u64) -> bool {
        let used = self.tally.count();
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let (calls, used) = (calls.saturating_sub(used) as f64, used as f64);
        let floor = f64::from(self.settings.floor) * self.window.as_secs_f64();
        let allowed = calls * self.settings.budget + floor;
        let has_room = used + 1.0 <= allowed;
        if has_room {
            self.tally.add();
        }
        has_room
    }
}

/// How handlers name the host's own refusal of what they were not granted: it says nothing
/// of them.
const DENIED: &str = "ErrorCode::HttpRequestDenied";

/// What a failure says of who was to answer: nothing, where the host refused or the fault
/// is another's, such as a caller's that left no `fair` time.
pub fn outcome(error: &CallError, fair: bool) -> Outcome {
    match error {
        CallError::Deadline if !fair => Outcome::Ignored,
        CallError::Upstream(fault) => match **fault {
            UpstreamFault::Connect { .. } | UpstreamFault::Broken { .. } => Outcome::Failure,
            UpstreamFault::NoInstance(_)
            | UpstreamFault::Busy { .. }
            | UpstreamFault::Request(_) => Outcome::Ignored,
        },
        CallError::Fault(Fault::HandlerError(code)) if code == DENIED => Outcome::Ignored,
        CallError::Pool(PoolError::Start(_))
        | CallError::Deadline
        | CallError::Fault(
            Fault::Trap(_)
            | Fault::Memory { .. }
            | Fault::NoResponse
            | Fault::HandlerError(_)
            | Fault::Instantiate(_),
        ) => Outcome::Failure,
        CallError::Pool(
            PoolError::QueueFull { .. }
            | PoolError::NoTime { .. }
            | PoolError::QueueDeadline { .. }
            | PoolError::Shed { .. },
        )
        | CallError::LittleTime
        | CallError::DeadlineInQueue
        | CallError::BreakerOpen { .. }
        | CallError::Drained
        | CallError::Upload(_)
        | CallError::Queue(_)
        // The dependency's own breaker counts it; another call's crash counts there.
        | CallError::Fault(
            Fault::Dependency { .. } | Fault::InstanceLost | Fault::Request(_),
        ) => Outcome::Ignored,
    }
}

fn worth_it(error: &CallError, repeat: Repeat) -> bool {
    match error {
        // Not one instruction of it ran.
        CallError::Pool(PoolError::Start(_)) => true,
        CallError::Fault(Fault::Trap(_) | Fault::InstanceLost | Fault::NoResponse) => {
            repeat == Repeat::Idempotent
        }
        // Memory: the next try needs as much. Dependency: who called it has retried
        // already, and retries must not multiply along a chain.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(settings: settings::Retry) -> Retries {
        Retries::new(settings, Duration::from_secs(10))
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    fn lost() -> CallError {
        CallError::Fault(Fault::InstanceLost)
    }

    #[test]
    fn what_may_have_run_is_repeated_only_where_that_is_safe() {
        let retries = retries(settings::Retry::default());
        assert!(
            retries
                .wait(&lost(), Repeat::Idempotent, 0, later())
                .is_some()
        );
        assert!(retries.wait(&lost(), Repeat::Once, 0, later()).is_none());
        let start = CallError::Pool(PoolError::Start(Fault::NoResponse));
        assert!(retries.wait(&start, Repeat::Once, 0, later()).is_some());
    }

    #[test]
    fn overload_and_deadlines_are_never_answered_with_more_load() {
        let retries = retries(settings::Retry::default());
        let full = PoolError::QueueFull {
            busy: 1,
            queue: 1,
            retry_after: Duration::ZERO,
        };
        let open = CallError::BreakerOpen {
            retry_after: Duration::ZERO,
            held: false,
        };
        for error in [
            full.into(),
            open,
            CallError::Deadline,
            CallError::DeadlineInQueue,
        ] {
            let wait = retries.wait(&error, Repeat::Idempotent, 0, later());
            assert!(wait.is_none(), "{error}");
        }
    }

    #[test]
    fn a_deadline_that_was_too_short_says_nothing_of_the_callee() {
        assert_eq!(outcome(&CallError::Deadline, true), Outcome::Failure);
        assert_eq!(outcome(&CallError::Deadline, false), Outcome::Ignored);
        assert_eq!(outcome(&CallError::LittleTime, true), Outcome::Ignored);
        let trap = CallError::Fault(Fault::NoResponse);
        assert_eq!(outcome(&trap, false), Outcome::Failure);
    }

    #[test]
    fn of_an_upstream_only_what_an_instance_failed_with_counts_against_it() {
        let reached = |reached: bool| {
            let (upstream, instance, reason) = ("legacy".into(), String::new(), String::new());
            match reached {
                true => UpstreamFault::Broken {
                    upstream,
                    instance,
                    reason,
                },
                false => UpstreamFault::Connect {
                    upstream,
                    instance,
                    reason,
                },
            }
        };
        let busy = UpstreamFault::Busy {
            upstream: "legacy".into(),
            limit: 1,
        };
        for (fault, said) in [
            (reached(true), Outcome::Failure),
            (reached(false), Outcome::Failure),
            (busy, Outcome::Ignored),
            (UpstreamFault::NoInstance("legacy".into()), Outcome::Ignored),
            (UpstreamFault::Request(String::new()), Outcome::Ignored),
        ] {
            let error = CallError::from(fault);
            assert_eq!(outcome(&error, true), said, "{error}");
            assert!(!worth_it(&error, Repeat::Idempotent), "{error}");
        }
    }

    #[test]
    fn what_was_not_granted_says_nothing_of_the_callee() {
        let code = |code: &str| CallError::Fault(Fault::HandlerError(code.to_owned()));
        assert_eq!(outcome(&code(DENIED), true), Outcome::Ignored);
        let own = code("ErrorCode::InternalError(None)");
        assert_eq!(outcome(&own, true), Outcome::Failure);
    }

    #[test]
    fn waits_grow_and_end_before_the_deadline() {
        let settings = settings::Retry {
            retries: 9,
            ..settings::Retry::default()
        };
        let retries = retries(settings);
        for retried in 0..9 {
            let wait = retries.wait(&lost(), Repeat::Idempotent, retried, later());
            let most = Duration::from_millis(10 << retried).min(Duration::from_secs(1));
            assert!(wait.is_some_and(|wait| wait <= most), "{wait:?}");
        }
        assert!(
            retries
                .wait(&lost(), Repeat::Idempotent, 9, later())
                .is_none()
        );
        let past = retries.wait(&lost(), Repeat::Idempotent, 0, Instant::now());
        assert!(past.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_is_a_share_of_the_calls_and_a_floor() {
        let retries = retries(settings::Retry::default());
        let mut taken = 0;
        while retries.take(100 + taken) {
            taken += 1;
        }
        assert_eq!(taken, 50, "20 of 100, and 3 a second");
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(retries.take(0), "the floor is there again");
    }
}
