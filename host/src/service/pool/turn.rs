//! Waiting for an instance: into the queue, and out of it with a turn or a reason.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::queue::{Refused, Waiter, Why};
use super::slot::Handoff;
use super::state::Turn;
use super::{Lease, Pool, PoolError};
use crate::capabilities::context::CallContext;

impl Pool {
    /// Waits for an instance.
    pub(super) async fn wait(
        self: &Arc<Self>,
        call: u64,
        context: &CallContext,
    ) -> Result<Lease, PoolError> {
        let since = Instant::now();
        let until = context.deadline.min(since + self.queue_deadline);
        let turn = self.enqueue(since, until, context)?;
        let turn = tokio::time::timeout_at(until.into(), turn).await;
        let waited = since.elapsed();
        self.metrics.queue_wait.observe(waited);
        match turn {
            Ok(Ok(turn)) => self.start(call, turn?).await,
            _ => Err(PoolError::QueueDeadline {
                waited,
                retry_after: self.limiter.retry_after(self.lock().standing()),
            }),
        }
    }

    fn enqueue(
        self: &Arc<Self>,
        since: Instant,
        until: Instant,
        context: &CallContext,
    ) -> Result<oneshot::Receiver<Result<Handoff, PoolError>>, PoolError> {
        let (caller, turn) = oneshot::channel();
        let mut state = self.lock();
        let waiter = Waiter {
            caller,
            priority: context.priority,
            since,
            until,
        };
        let pushed = state.enqueue(waiter, context.nested);
        let full = pushed.as_ref().is_err().then(|| PoolError::QueueFull {
            busy: state.busy(),
            queue: self.queue,
            retry_after: self.limiter.retry_after(state.standing()),
        });
        drop(state);
        if let Some(full) = full {
            return Err(full);
        }
        self.refuse(pushed.ok().flatten());
        // Room may have come since the claim, when nobody stood here to take it.
        self.settle();
        Ok(turn)
    }

    /// Tells those who were given up.
    fn refuse(&self, refused: impl IntoIterator<Item = Refused<Turn>>) {
        for Refused { waiter, why } in refused {
            let waited = waiter.since.elapsed();
            let retry_after = self.limiter.retry_after(self.lock().standing());
            let error = match why {
                Why::Shed => PoolError::Shed {
                    priority: waiter.priority,
                    waited,
                    retry_after,
                },
                Why::Late => PoolError::QueueDeadline {
                    waited,
                    retry_after,
                },
            };
            // Who is gone need not be told.
            let _ = waiter.caller.send(Err(error));
        }
    }

    /// Serves waiters as far as there are instances or room for them.
    pub(super) fn settle(self: &Arc<Self>) {
        let mut state = self.lock();
        let pace = state.pace(&self.limiter);
        let refused = state.serve_queue(self, &self.seats, self.limit(), pace);
        if state.busy() == 0 {
            self.settled.notify_waiters();
        }
        drop(state);
        self.refuse(refused);
    }
}
