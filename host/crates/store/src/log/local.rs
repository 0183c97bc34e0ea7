//! Queues of one process: an index of each in memory, and a journal that keeps them.
//!
//! A change holds its queue's lock while it is check_name, applied to the journal and made
//! in the index, so that both see the same order; nothing is awaited meanwhile. Only
//! then its ticket is taken. Where applying fails, the index stays as it was.

mod append;
mod look;
mod remove;
mod settle;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

pub(crate) use self::append::check_message;
use super::index::{Index, Millis};
use super::journal::{Journal, Write};
use super::{
    Again, Appended, Bounds, Delivery, Exhausted, Full, Log, MAX_NAME, NewMessage, Peek, Peeked,
    Purge, QueueStats, Receipt, Redrive, Subscription,
};
use crate::{Reply, StoreError, ready, waiting};

/// [`Log`] on a journal.
pub(crate) struct Local<J> {
    journal: J,
    queues: RwLock<BTreeMap<Arc<str>, Arc<Queue>>>,
}

/// A queue of this process.
pub(crate) struct Queue {
    name: Arc<str>,
    index: Mutex<Index>,
    changed: watch::Sender<u64>,
}

// === impl Queue ===

impl Queue {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            // Receipts of an earlier process must not fit.
            index: Mutex::new(Index::new(fastrand::u64(1..))),
            changed: watch::Sender::new(0),
        }
    }

    /// Never held across an await.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        // Its changes don't panic halfway: all they do is to maps.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn notify(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

// === impl Local ===

impl<J: Journal> Local<J> {
    /// No queues yet, but for those that [`Self::open`] makes.
    pub(crate) fn new(journal: J) -> Self {
        Self {
            journal,
            queues: RwLock::default(),
        }
    }

    pub(crate) fn journal(&self) -> &J {
        &self.journal
    }

    /// The queue, if there is one.
    fn find(&self, name: &str) -> Option<Arc<Queue>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.get(name).map(Arc::clone)
    }

    /// The queue; it comes into being in memory alone.
    pub(crate) fn open(&self, name: &str) -> Arc<Queue> {
        if let Some(queue) = self.find(name) {
            return queue;
        }
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        let name: Arc<str> = name.into();
        let queue = queues.entry(Arc::clone(&name));
        Arc::clone(queue.or_insert_with(|| Arc::new(Queue::new(name))))
    }

    fn all(&self) -> Vec<Arc<Queue>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.values().map(Arc::clone).collect()
    }

    fn names(&self) -> Vec<String> {
        let all = self.all().into_iter();
        let there = all.filter(|queue| queue.index().is_there());
        there.map(|queue| queue.name.to_string()).collect()
    }

    /// The answer, once what was applied is on disk.
    fn when_durable<T: Send + 'static>(&self, answer: T) -> Reply<'static, T> {
        let durable = self.journal.durable();
        waiting(async move {
            durable.await?;
            Ok(answer)
        })
    }

    /// A change was made, or nothing was.
    fn settled(&self, made: Result<bool, StoreError>) -> Reply<'static, bool> {
        match made {
            Ok(true) => self.when_durable(true),
            other => ready(other),
        }
    }
}

impl<J: Journal> Log for Local<J> {
    fn append<'a>(
        &'a self,
        queue: &'a str,
        messages: Vec<NewMessage>,
        bounds: Bounds,
        now: SystemTime,
    ) -> Reply<'a, Result<Vec<Appended>, Full>> {
        match self.append_now(queue, messages, bounds, now) {
            // Also when all were there: the first ones may be on their way to the disk.
            Ok(Ok(appended)) => self.when_durable(Ok(appended)),
            other => ready(other),
        }
    }

    fn subscribe<'a>(&'a self, queue: &'a str, subscriber: &'a str) -> Reply<'a, ()> {
        match self.subscribe_now(queue, subscriber) {
            Ok(()) => self.when_durable(()),
            Err(error) => ready(Err(error)),
        }
    }

    fn unsubscribe<'a>(&'a self, queue: &'a str, subscriber: &'a str) -> Reply<'a, ()> {
        match self.unsubscribe_now(queue, subscriber) {
            Ok(gone) => waiting(self.remove_all(queue, gone)),
            Err(error) => ready(Err(error)),
        }
    }

    fn claim<'a>(
        &'a self,
        from: Subscription<'a>,
        most: usize,
        now: SystemTime,
        until: SystemTime,
    ) -> Reply<'a, Vec<Delivery>> {
        ready(self.claim_now(from, most, now, until))
    }

    fn extend<'a>(&'a self, receipt: &'a Receipt, until: SystemTime) -> Reply<'a, bool> {
        let queue = self.find(&receipt.queue);
        ready(Ok(queue.is_some_and(|queue| {
            queue.index().extend(receipt, millis(until))
        })))
    }

    fn ack(&self, receipt: Receipt) -> Reply<'_, bool> {
        self.settled(self.ack_now(&receipt))
    }

    fn nack(&self, receipt: Receipt, again: Again) -> Reply<'_, bool> {
        self.settled(self.nack_now(&receipt, again))
    }

    fn bury(&self, receipt: Receipt, error: String, how: Exhausted) -> Reply<'_, bool> {
        self.settled(self.bury_now(&receipt, error, how))
    }

    fn next_due<'a>(&'a self, from: Subscription<'a>) -> Reply<'a, Option<SystemTime>> {
        let queue = self.find(from.queue);
        let due = queue.and_then(|queue| queue.index().cursor(from.subscriber)?.next_due());
        ready(Ok(due.map(time)))
    }

    fn watch(&self, queue: &str) -> watch::Receiver<u64> {
        self.open(queue).changed.subscribe()
    }

    fn queues(&self) -> Reply<'_, Vec<String>> {
        ready(Ok(self.names()))
    }

    fn subscribers<'a>(&'a self, queue: &'a str) -> Reply<'a, Vec<String>> {
        let found = self.find(queue).map(|queue| {
            let index = queue.index();
            index.cursors().map(|(name, _)| name.to_string()).collect()
        });
        ready(Ok(found.unwrap_or_default()))
    }

    fn stats<'a>(&'a self, queue: &'a str, now: SystemTime) -> Reply<'a, QueueStats> {
        ready(Ok(self.stats_now(queue, millis(now))))
    }

    fn peek<'a>(
        &'a self,
        queue: &'a str,
        what: Peek<'a>,
        now: SystemTime,
    ) -> Reply<'a, Vec<Peeked>> {
        ready(self.peek_now(queue, what, millis(now)))
    }

    fn redrive<'a>(
        &'a self,
        from: Subscription<'a>,
        which: Redrive,
        most: usize,
    ) -> Reply<'a, u64> {
        waiting(self.redrive_all(from, which, most))
    }

    fn purge<'a>(
        &'a self,
        queue: &'a str,
        subscriber: Option<&'a str>,
        what: Purge,
    ) -> Reply<'a, u64> {
        waiting(self.purge_all(queue, subscriber, what))
    }
}

/// What removes a message.
fn gone(index: &Index, id: u64) -> Option<Write> {
    Some(Write::Gone(index.message(id)?.gone(id)))
}

/// Whether a queue or a subscriber may have this name.
///
/// # Errors
/// [`StoreError::BadName`].
pub(crate) fn check_name(name: &str) -> Result<(), StoreError> {
    let fits = (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
    let bad = || StoreError::BadName {
        found: name.to_owned(),
    };
    fits.then_some(()).ok_or_else(bad)
}

pub(crate) fn millis(time: SystemTime) -> Millis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Times beyond what the system can tell are its epoch: nothing waits for ever.
pub(crate) fn time(millis: Millis) -> SystemTime {
    let since = Duration::from_millis(millis);
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
