//! Waiting for an instance: into the queue, and out of it with a turn or a reason.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::lanes::Waiter;
use super::queue::{Refused, Why};
use super::slot::Handoff;
use super::state::Turn;
use super::{Lease, Pool, PoolError};
use stoa_call::CallContext;
use stoa_engine::Waits;

/// The most that a client is asked to wait: the estimate is of now.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

impl Pool {
    /// Waits for an instance.
    pub(super) async fn wait(
        self: &Arc<Self>,
        context: &CallContext,
    ) -> Result<Lease<'_>, PoolError> {
        let since = Instant::now();
        let until = match context.is_nested() {
            // Given up, what its caller has done so far would be for nothing.
            true => context.deadline,
            false => context.deadline.min(since + self.queue_deadline),
        };
        let turn = self.enqueue(since, until, context);
        let turn = tokio::time::timeout_at(until.into(), turn).await;
        let now = Instant::now();
        let waited = now - since;
        self.metrics.queue_wait.observe(waited);
        match turn {
            Ok(Ok(turn)) => Ok(self.start(turn?, context).await?.had_since(now)),
            _ => Err(PoolError::QueueDeadline {
                waited,
                retry_after: self.retry_after(),
            }),
        }
    }

    fn enqueue(
        self: &Arc<Self>,
        since: Instant,
        until: Instant,
        context: &CallContext,
    ) -> oneshot::Receiver<Result<Handoff, PoolError>> {
        let (caller, turn) = oneshot::channel();
        let waiter = Waiter {
            caller,
            priority: context.priority,
            since,
            until,
        };
        let refused = self.lock().enqueue(waiter, context.is_nested());
        self.refuse(refused);
        // Room may have come since the claim, when nobody stood here to take it.
        self.settle();
        turn
    }

    /// Tells those who were refused.
    fn refuse(&self, refused: Vec<Refused<Turn>>) {
        if refused.is_empty() {
            return;
        }
        let retry_after = self.retry_after();
        for Refused { waiter, why } in refused {
            let error = self.explain(&waiter, why, retry_after);
            // Who is gone need not be told.
            let _ = waiter.caller.send(Err(error));
        }
    }

    fn explain(&self, waiter: &Waiter<Turn>, why: Why, retry_after: Duration) -> PoolError {
        let waited = waiter.since.elapsed();
        match why {
            Why::Full => PoolError::QueueFull {
                busy: self.lock().usage().busy,
                queue: self.queue,
                retry_after,
            },
            Why::Shed => PoolError::Shed {
                priority: waiter.priority,
                waited,
                retry_after,
            },
            Why::NoTime(wait) => PoolError::NoTime { wait, retry_after },
            Why::Late => PoolError::QueueDeadline {
                waited,
                retry_after,
            },
        }
    }

    /// When another try is worth it: when those who wait now were served. At least a
    /// second, as clients know no less; no more while that is not known.
    fn retry_after(&self) -> Duration {
        let wait = self.lock().wait_time().unwrap_or_default();
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        Duration::from_secs_f64(seconds.min(LONGEST_RETRY.as_secs_f64()))
    }

    /// Serves waiters as far as there are instances or room for them.
    pub(super) fn settle(self: &Arc<Self>) {
        let mut state = self.lock();
        let refused = state.serve_queue(self);
        if state.is_drained() {
            self.settled.notify_waiters();
        }
        drop(state);
        self.refuse(refused);
    }
}

/// A call that waits for the host lets another one begin.
impl Waits for Pool {
    fn begin(self: Arc<Self>) {
        let awaited = self.lock().wait();
        if awaited {
            self.settle();
        }
    }

    fn end(&self) {
        self.lock().resume();
    }
}
