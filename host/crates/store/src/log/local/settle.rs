//! Claiming messages, and what becomes of them.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Local, Queue, gone, millis, time};
use crate::StoreError;
use crate::log::index::{Claim, Claimed, Entry};
use crate::log::journal::{Journal, Mark, Verdict, Write};
use crate::log::{Again, Delivery, Exhausted, MAX_BODY, MAX_ERROR, Receipt, Subscription};

impl<J: Journal> Local<J> {
    pub(super) fn claim_now(
        &self,
        from: Subscription<'_>,
        most: usize,
        now: SystemTime,
        until: SystemTime,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.journal.check()?;
        let Some(queue) = self.find(from.queue) else {
            return Ok(Vec::new());
        };
        let claim = Claim {
            most,
            now: millis(now),
            until: millis(until),
        };
        let claimed = queue.index().claim(from.subscriber, claim);
        let subscriber: Arc<str> = from.subscriber.into();
        let read = claimed
            .iter()
            .map(|one| self.read(&queue, &subscriber, one));
        // One that is gone meanwhile was purged: nobody needs it.
        let deliveries: Result<Vec<_>, _> = read.filter_map(Result::transpose).collect();
        if deliveries.is_err() {
            let mut index = queue.index();
            claimed
                .iter()
                .for_each(|one| index.unclaim(&subscriber, one));
            drop(index);
            queue.notify();
        }
        deliveries
    }

    fn read(
        &self,
        queue: &Queue,
        subscriber: &Arc<str>,
        claimed: &Claimed,
    ) -> Result<Option<Delivery>, StoreError> {
        let Some(body) = self.journal.body(&queue.name, claimed.id, MAX_BODY)? else {
            return Ok(None);
        };
        let last_error = match claimed.marked {
            true => self.last_error(queue, claimed.id, subscriber)?,
            false => None,
        };
        Ok(Some(Delivery {
            receipt: Receipt {
                queue: Arc::clone(&queue.name),
                subscriber: Arc::clone(subscriber),
                id: claimed.id,
                lease: claimed.lease,
            },
            id: claimed.id,
            key: claimed.key.as_deref().map(str::to_owned),
            body,
            attempts: claimed.attempts,
            enqueued: time(claimed.enqueued),
            last_error,
        }))
    }

    pub(super) fn last_error(
        &self,
        queue: &Queue,
        id: u64,
        subscriber: &str,
    ) -> Result<Option<String>, StoreError> {
        let mark = self.journal.mark(&queue.name, id, subscriber)?;
        Ok(mark.and_then(|mark| mark.error))
    }

    pub(super) fn ack_now(&self, receipt: &Receipt) -> Result<bool, StoreError> {
        self.settle(receipt, |_, _| Ok(Mark::done()))
    }

    pub(super) fn nack_now(&self, receipt: &Receipt, again: Again) -> Result<bool, StoreError> {
        self.settle(receipt, |queue, entry| {
            let error = match again.attempt {
                None if entry.marked => self.last_error(queue, receipt.id, &receipt.subscriber)?,
                None => None,
                Some(_) => again.attempt.clone().map(cut),
            };
            Ok(Mark {
                verdict: Verdict::Again,
                attempts: entry.attempts + u32::from(again.attempt.is_some()),
                due: millis(again.due),
                error,
            })
        })
    }

    pub(super) fn bury_now(
        &self,
        receipt: &Receipt,
        error: String,
        how: Exhausted,
    ) -> Result<bool, StoreError> {
        self.settle(receipt, |_, entry| {
            let pauses = how == Exhausted::PauseKey && entry.key.is_some();
            Ok(Mark {
                verdict: if pauses {
                    Verdict::Paused
                } else {
                    Verdict::Dead
                },
                attempts: entry.attempts + 1,
                due: 0,
                error: Some(cut(error)),
            })
        })
    }

    /// Ends a lease, if it was not lost, with the mark that `verdict` makes of it.
    fn settle(
        &self,
        receipt: &Receipt,
        verdict: impl FnOnce(&Queue, &Entry) -> Result<Mark, StoreError>,
    ) -> Result<bool, StoreError> {
        self.journal.check()?;
        let Some(queue) = self.find(&receipt.queue) else {
            return Ok(false);
        };
        let mut index = queue.index();
        let Some(entry) = index.held(receipt) else {
            return Ok(false);
        };
        let mark = verdict(&queue, entry)?;
        let last = index
            .message(receipt.id)
            .is_some_and(|message| message.is_last());
        let write = match mark.verdict {
            Verdict::Done if last => gone(&index, receipt.id),
            _ => Some(Write::Mark {
                id: receipt.id,
                subscriber: Arc::clone(&receipt.subscriber),
                mark: mark.clone(),
            }),
        };
        self.journal.apply(&queue.name, write.as_slice())?;
        let frees = index.mark(receipt.id, &receipt.subscriber, &mark);
        drop(index);
        if frees {
            queue.notify();
        }
        Ok(true)
    }
}

/// What is kept of an error.
fn cut(mut error: String) -> String {
    error.truncate(error.floor_char_boundary(MAX_ERROR));
    error
}
