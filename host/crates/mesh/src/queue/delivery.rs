//! One delivery: a stored call is made, and what becomes of it is written down.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::StoredCall;
use super::subscriber::Subscriber;
use crate::fault::CallError;
use crate::guard::{Called, Terms};
use crate::own_error;
use crate::retry::Repeat;
use stoa_call::{CallContext, RequestId, TraceContext};
use stoa_engine::Fault;
use stoa_engine::value::Val;
use stoa_service::pool::PoolError;
use stoa_service::revision::Revision;
use stoa_settings::{OnExhausted, Priority};
use stoa_store::StoreError;
use stoa_store::log::{Again, Delivery, Exhausted, Receipt};

/// The name of the link that deliveries come over.
pub const LINK: &str = "queue";

/// How long a delivery is a worker's that gives no sign of life.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// How long a call waits that nobody could take: it was not tried.
const NOT_NOW: Duration = Duration::from_secs(1);

/// … and how long at most: an operator who lets a service go on waits for it.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// What became of a delivery.
pub(super) enum Outcome {
    /// The subscriber has done it.
    Done,
    /// It could not be tried, and is to come again after a while.
    NotNow(Duration),
    /// None of the subscriber's can be tried for a while.
    NoneNow(Duration),
    /// The subscriber failed.
    Failed(String),
}

impl Subscriber {
    /// Delivers a call and writes down what became of it.
    pub(super) async fn deliver(self: Arc<Self>, delivery: Delivery) {
        let receipt = delivery.receipt.clone();
        let outcome = tokio::select! {
            outcome = self.call(&delivery) => outcome,
            // Others have it now.
            () = self.lease(&receipt) => return,
        };
        if let Err(error) = self.settle(&delivery, outcome).await {
            tracing::error!(
                queue = &*self.queue.name,
                service.name = &*self.service,
                "what became of a delivery could not be written down, it will come again: {error}"
            );
        }
    }

    /// Keeps the lease as long as this is polled; ends when it is lost.
    async fn lease(&self, receipt: &Receipt) {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            let until = SystemTime::now() + LEASE;
            if matches!(self.queue.log.extend(receipt, until).await, Ok(false)) {
                return;
            }
        }
    }

    async fn call(&self, delivery: &Delivery) -> Outcome {
        let Some(revision) = self.revision() else {
            return Outcome::NoneNow(NOT_NOW);
        };
        match self.prepare(&revision, delivery) {
            Ok((guard, params, context)) => {
                let slots = self.slots(&revision, guard.target().index);
                let mut results = vec![Val::Bool(false); slots];
                let terms = Terms::of(Repeat::Once);
                let called = guard.call(&context, &params, &mut results, &terms).await;
                told(called, &results)
            }
            Err(fault) => Outcome::Failed(fault),
        }
    }

    /// The context of the call: nobody's, unhurried, in a trace of its own.
    pub(super) fn context(
        &self,
        stored: &StoredCall<'_>,
        enqueued: SystemTime,
        revision: &Revision,
    ) -> CallContext {
        let trace = TraceContext::root();
        if let Some(made) = stored.made_at() {
            tracing::debug!(
                queue = &*self.queue.name,
                service.name = &*self.service,
                trace.id = format_args!("{:032x}", trace.trace_id),
                link.trace.id = format_args!("{:032x}", made.trace_id),
                link.span.id = format_args!("{:016x}", made.span_id),
                "delivering {}",
                stored.function
            );
        }
        CallContext {
            trace,
            request_id: stored
                .request_id()
                .unwrap_or_else(|| RequestId::new(Instant::now())),
            enqueued: Some(enqueued),
            priority: Priority::Low,
            ..CallContext::new(revision.deadline(None))
        }
    }

    async fn settle(&self, delivery: &Delivery, outcome: Outcome) -> Result<(), StoreError> {
        let (log, settings) = (&self.queue.log, self.queue.settings());
        let receipt = delivery.receipt.clone();
        let now = SystemTime::now();
        match &outcome {
            Outcome::Done => {
                self.metrics.delivered.inc();
                log.ack(receipt).await?;
            }
            Outcome::NotNow(wait) | Outcome::NoneNow(wait) => {
                let wait = (*wait).min(LONGEST_REST);
                if matches!(outcome, Outcome::NoneNow(_)) {
                    self.rest(wait);
                }
                let due = now + wait;
                log.nack(receipt, Again { due, attempt: None }).await?;
            }
            Outcome::Failed(error) if delivery.attempts + 1 < settings.max_attempts => {
                self.metrics.retried.inc();
                let wait = settings.wait(delivery.attempts + 1, fastrand::f64());
                let again = Again {
                    due: now + wait,
                    attempt: Some(error.clone()),
                };
                log.nack(receipt, again).await?;
            }
            Outcome::Failed(error) => {
                self.metrics.dead.inc();
                self.tell(delivery, error);
                let how = match settings.on_exhausted {
                    OnExhausted::DeadLetter => Exhausted::Dead,
                    OnExhausted::PauseKey => Exhausted::PauseKey,
                };
                log.bury(receipt, error.clone(), how).await?;
            }
        }
        Ok(())
    }

    fn tell(&self, delivery: &Delivery, error: &str) {
        tracing::error!(
            queue = &*self.queue.name,
            service.name = &*self.service,
            message = delivery.id,
            attempts = delivery.attempts + 1,
            "a call was given up: {error}; `stoa queue peek {}` shows it, `stoa queue redrive` has it delivered again",
            self.queue.name
        );
    }
}

/// What a call says of its delivery.
fn told(called: Called, results: &[Val]) -> Outcome {
    match called.outcome {
        Ok(()) => own_error::of_results(results).map_or(Outcome::Done, Outcome::Failed),
        Err(error) if is_attempt(&error) => Outcome::Failed(error.to_string()),
        Err(error) => {
            let wait = error.retry_after().unwrap_or(NOT_NOW);
            match error {
                // Another one failed, or another's call ended the instance.
                CallError::Fault(_) => Outcome::NotNow(wait),
                _ => Outcome::NoneNow(wait),
            }
        }
    }
}

/// Whether the subscriber has tried: what the host refused, and what was stopped since the
/// host or an instance ended, counts for nothing.
fn is_attempt(error: &CallError) -> bool {
    match error {
        CallError::Pool(PoolError::Start(_)) => true,
        // A dependency that takes no calls just now is no failure of this one; one that
        // failed in it is.
        CallError::Fault(Fault::Dependency { retry_after, .. }) => retry_after.is_none(),
        CallError::Fault(fault) => !matches!(fault, Fault::InstanceLost),
        CallError::Deadline => true,
        CallError::Pool(_)
        | CallError::LittleTime
        | CallError::DeadlineInQueue
        | CallError::BreakerOpen { .. }
        | CallError::Drained
        | CallError::Upload(_)
        | CallError::Upstream(_)
        | CallError::Queue(_) => false,
    }
}
