//! What lets calls through to a service: whether it takes any, its breaker, its retries.
//!
//! A [`Gate`] knows no target: all that leads to one revision over one link shares one,
//! so that what fails in one function is left alone in the others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::breaker::{Breaker, Outcome, Permit, Rejected};
use super::fault::CallError;
use super::intake::{Drained, Intake};
use super::retry::{Repeat, Retries};
use stoa_telemetry::metrics::RetryMetrics;

/// The name of the link that the gateway's calls come over.
pub const GATEWAY: &str = "gateway";

/// What lets calls through, and counts what becomes of them.
pub struct Gate {
    intake: Arc<Intake>,
    circuit: Option<Circuit>,
}

/// What a gate knows of a revision.
pub(super) struct Circuit {
    pub(super) breaker: Breaker,
    pub(super) retries: Retries,
    pub(super) metrics: Arc<RetryMetrics>,
}

/// The right to make one call. Dropped, it tells nothing of the call.
#[must_use = "what became of the call is to be told"]
pub(super) struct Admitted<'g>(Option<Permit<'g>>);

// === impl Gate ===

impl Gate {
    /// A gate that an operator can close, and nothing else: what it leads to guards its
    /// parts itself.
    pub fn of(intake: Arc<Intake>) -> Self {
        Self {
            intake,
            circuit: None,
        }
    }

    /// A gate that is always open: for what the host itself wants to know, and for queues,
    /// which keep calls whatever becomes of those that get them.
    pub fn free() -> Self {
        Self::of(Arc::default())
    }

    pub(super) fn guarded(intake: Arc<Intake>, circuit: Circuit) -> Self {
        Self {
            intake,
            circuit: Some(circuit),
        }
    }

    /// Whether the service takes calls.
    pub fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// Of a revision.
    pub(super) fn breaker(&self) -> Option<&Breaker> {
        Some(&self.circuit.as_ref()?.breaker)
    }

    /// Lets a call through to a service that takes some; each call is asked for again.
    ///
    /// # Errors
    ///
    /// While the service is drained.
    pub fn check(&self) -> Result<(), CallError> {
        Ok(self.intake.check()?)
    }

    /// Lets a call through that begins `now` and ends by `deadline`.
    ///
    /// # Errors
    ///
    /// While the service is drained, or its breaker is open.
    pub(super) fn admit(&self, deadline: Instant, now: Instant) -> Result<Admitted<'_>, CallError> {
        self.check()?;
        let breaker = self.breaker();
        let permit = breaker.map(|breaker| breaker.admit(deadline.into(), now.into()));
        Ok(Admitted(permit.transpose()?))
    }

    /// Counts a call as failed that was settled, such as one whose body broke off in the
    /// middle.
    pub(super) fn fail(&self) {
        if let Some(breaker) = self.breaker() {
            breaker.fail();
        }
    }

    /// Counts what a call came to that was made again.
    pub(super) fn retried(&self, outcome: &Result<(), CallError>) {
        let Some(circuit) = &self.circuit else { return };
        let count = match outcome {
            Ok(()) => &circuit.metrics.succeeded,
            Err(_) => &circuit.metrics.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a call is to be made again that failed after so many retries; waits until
    /// it is time.
    pub(super) async fn again(
        &self,
        error: &CallError,
        repeat: Repeat,
        retried: u32,
        deadline: Instant,
    ) -> bool {
        let Some(circuit) = &self.circuit else {
            return false;
        };
        let Some(wait) = circuit.retries.wait(error, repeat, retried, deadline) else {
            return false;
        };
        if !circuit.retries.take(circuit.breaker.read().calls()) {
            circuit.metrics.over_budget.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        tokio::time::sleep(wait).await;
        true
    }
}

// === impl Admitted ===

impl Admitted<'_> {
    /// Tells what became of the call, which ends now; gives that time.
    pub(super) fn settle(self, outcome: Outcome) -> Instant {
        let now = tokio::time::Instant::now();
        if let Some(permit) = self.0 {
            permit.settle_at(outcome, now);
        }
        now.into_std()
    }
}

impl From<Rejected> for CallError {
    fn from(rejected: Rejected) -> Self {
        Self::BreakerOpen {
            retry_after: rejected.retry_after,
            held: rejected.held,
        }
    }
}

impl From<Drained> for CallError {
    fn from(_: Drained) -> Self {
        Self::Drained
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::intake::Intakes;
    use stoa_settings as settings;

    fn guarded(intakes: &Intakes) -> Gate {
        let circuit = Circuit {
            breaker: Breaker::new(settings::Breaker::default(), Box::new(|_| {})),
            retries: Retries::new(settings::Retry::default(), Duration::from_secs(10)),
            metrics: Arc::default(),
        };
        Gate::guarded(intakes.of("product"), circuit)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[tokio::test]
    async fn a_gate_closes_for_its_operator_and_for_its_breaker() {
        let intakes = Intakes::default();
        let guarded = guarded(&intakes);
        let plain = Gate::of(intakes.of("product"));
        for gate in [&guarded, &plain] {
            assert!(gate.admit(later(), Instant::now()).is_ok());
        }
        intakes.set("product", true);
        for gate in [&guarded, &plain] {
            assert!(matches!(gate.check(), Err(CallError::Drained)));
            assert!(matches!(
                gate.admit(later(), Instant::now()),
                Err(CallError::Drained)
            ));
        }
        assert!(
            Gate::free().admit(later(), Instant::now()).is_ok(),
            "it is nobody's"
        );
        intakes.set("product", false);
        let fail = |_| {
            guarded
                .admit(later(), Instant::now())
                .map(|one| one.settle(Outcome::Failure))
        };
        let refused = (0..100).map(fail).find_map(Result::err);
        assert!(matches!(refused, Some(CallError::BreakerOpen { .. })));
        assert!(plain.admit(later(), Instant::now()).is_ok());
    }

    #[tokio::test]
    async fn what_became_of_a_call_is_counted_once_it_is_told() {
        let gate = guarded(&Intakes::default());
        let numbers = || gate.breaker().unwrap().record().numbers();
        drop(gate.admit(later(), Instant::now()));
        assert_eq!(numbers().calls, 0, "its caller left");
        let admit = || gate.admit(later(), Instant::now()).ok().unwrap();
        admit().settle(Outcome::Success);
        admit().settle(Outcome::Failure);
        assert_eq!((numbers().calls, numbers().failed), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_made_again_only_where_there_are_retries() {
        let lost = CallError::Fault(stoa_engine::Fault::InstanceLost);
        let repeat = Repeat::Idempotent;
        let gate = guarded(&Intakes::default());
        assert!(gate.again(&lost, repeat, 0, later()).await);
        assert!(!Gate::free().again(&lost, repeat, 0, later()).await);
    }
}
