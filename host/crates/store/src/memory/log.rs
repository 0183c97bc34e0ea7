//! A log that fails by chance, in the ways that logs fail.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use super::faults::{Chance, Faults};
use crate::log::{
    Again, Appended, Bounds, Delivery, Exhausted, Full, NewMessage, Peek, Peeked, Purge,
    QueueStats, Receipt, Redrive, Subscription,
};
use crate::{Log, Reply, ready, waiting};

/// A [`Log`] that fails by chance. What it says of what there is does not fail.
pub struct Faulty<L: ?Sized> {
    log: Arc<L>,
    chance: Chance,
}

impl<L: Log + ?Sized> Faulty<L> {
    /// Makes a log fail.
    pub fn new(log: Arc<L>, faults: Faults) -> Self {
        let chance = Chance::new(faults);
        Self { log, chance }
    }

    /// Calls the log, or not, and spoils its reply.
    fn call<'a, T: Send + 'a>(&'a self, call: impl FnOnce(&'a L) -> Reply<'a, T>) -> Reply<'a, T> {
        let fault = self.chance.fault();
        if let Err(refused) = fault.refuse() {
            return ready(Err(refused));
        }
        // Called now, not when the reply is polled: a change begins with its call.
        let reply = call(&self.log);
        waiting(async move {
            fault.before().await;
            let done = reply.await?;
            fault.after().await?;
            Ok(done)
        })
    }
}

impl<L: Log + ?Sized> Log for Faulty<L> {
    fn append<'a>(
        &'a self,
        queue: &'a str,
        messages: Vec<NewMessage>,
        bounds: Bounds,
        now: SystemTime,
    ) -> Reply<'a, Result<Vec<Appended>, Full>> {
        self.call(|log| log.append(queue, messages, bounds, now))
    }

    fn subscribe<'a>(&'a self, queue: &'a str, subscriber: &'a str) -> Reply<'a, ()> {
        self.call(|log| log.subscribe(queue, subscriber))
    }

    fn unsubscribe<'a>(&'a self, queue: &'a str, subscriber: &'a str) -> Reply<'a, ()> {
        self.call(|log| log.unsubscribe(queue, subscriber))
    }

    fn claim<'a>(
        &'a self,
        from: Subscription<'a>,
        most: usize,
        now: SystemTime,
        until: SystemTime,
    ) -> Reply<'a, Vec<Delivery>> {
        let claimed = self.call(|log| log.claim(from, most, now, until));
        waiting(async move {
            let mut claimed = claimed.await?;
            let again = claimed.iter().filter(|_| self.chance.repeats());
            let again: Vec<_> = again.cloned().collect();
            claimed.extend(again);
            Ok(claimed)
        })
    }

    fn extend<'a>(&'a self, receipt: &'a Receipt, until: SystemTime) -> Reply<'a, bool> {
        self.call(|log| log.extend(receipt, until))
    }

    fn ack(&self, receipt: Receipt) -> Reply<'_, bool> {
        self.call(|log| log.ack(receipt))
    }

    fn nack(&self, receipt: Receipt, again: Again) -> Reply<'_, bool> {
        self.call(|log| log.nack(receipt, again))
    }

    fn bury(&self, receipt: Receipt, error: String, how: Exhausted) -> Reply<'_, bool> {
        self.call(|log| log.bury(receipt, error, how))
    }

    fn next_due<'a>(&'a self, from: Subscription<'a>) -> Reply<'a, Option<SystemTime>> {
        self.log.next_due(from)
    }

    fn watch(&self, queue: &str) -> watch::Receiver<u64> {
        self.log.watch(queue)
    }

    fn queues(&self) -> Reply<'_, Vec<String>> {
        self.log.queues()
    }

    fn subscribers<'a>(&'a self, queue: &'a str) -> Reply<'a, Vec<String>> {
        self.log.subscribers(queue)
    }

    fn stats<'a>(&'a self, queue: &'a str, now: SystemTime) -> Reply<'a, QueueStats> {
        self.log.stats(queue, now)
    }

    fn peek<'a>(
        &'a self,
        queue: &'a str,
        what: Peek<'a>,
        now: SystemTime,
    ) -> Reply<'a, Vec<Peeked>> {
        self.log.peek(queue, what, now)
    }

    fn redrive<'a>(
        &'a self,
        from: Subscription<'a>,
        which: Redrive,
        most: usize,
    ) -> Reply<'a, u64> {
        self.call(|log| log.redrive(from, which, most))
    }

    fn purge<'a>(
        &'a self,
        queue: &'a str,
        subscriber: Option<&'a str>,
        what: Purge,
    ) -> Reply<'a, u64> {
        self.call(|log| log.purge(queue, subscriber, what))
    }
}
