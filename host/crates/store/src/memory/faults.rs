//! A log that fails by chance, in the ways that logs fail.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use fastrand::Rng;
use tokio::sync::watch;

use crate::log::{
    Again, Appended, Bounds, Delivery, Exhausted, Full, NewMessage, Peek, Peeked, Purge,
    QueueStats, Receipt, Redrive, Subscription,
};
use crate::{Log, Reply, StoreError, ready, waiting};

/// What fails, and how often: shares of the calls, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// The same one brings the same faults for the same calls.
    pub seed: u64,
    /// A reply that lets other tasks go on first.
    pub delayed: f64,
    /// An error, and nothing is done.
    pub refused: f64,
    /// An error though it is done.
    pub unknown: f64,
    /// A delivery that comes twice.
    pub repeated: f64,
}

impl Faults {
    /// Some of everything.
    pub fn some(seed: u64) -> Self {
        Self {
            seed,
            delayed: 0.3,
            refused: 0.1,
            unknown: 0.1,
            repeated: 0.1,
        }
    }
}

/// Turns for other tasks that a delayed reply takes, at most.
const TURNS: usize = 20;

/// A [`Log`] that fails by chance. What it says of what there is does not fail.
pub struct Faulty<L: ?Sized> {
    log: Arc<L>,
    faults: Faults,
    rng: Mutex<Rng>,
}

/// What is to happen to a call.
#[derive(Clone, Copy)]
struct Fault {
    turns: usize,
    refused: bool,
    unknown: bool,
}

impl<L: Log + ?Sized> Faulty<L> {
    /// Makes a log fail.
    pub fn new(log: Arc<L>, faults: Faults) -> Self {
        let rng = Mutex::new(Rng::with_seed(faults.seed));
        Self { log, faults, rng }
    }

    fn chance(&self, share: f64) -> bool {
        self.rng().f64() < share
    }

    fn rng(&self) -> std::sync::MutexGuard<'_, Rng> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> Fault {
        let delayed = self.chance(self.faults.delayed);
        Fault {
            turns: if delayed {
                self.rng().usize(1..=TURNS)
            } else {
                0
            },
            refused: self.chance(self.faults.refused),
            unknown: self.chance(self.faults.unknown),
        }
    }

    /// Calls the log, or not, and spoils its reply.
    fn call<'a, T: Send + 'a>(&'a self, call: impl FnOnce(&'a L) -> Reply<'a, T>) -> Reply<'a, T> {
        let fault = self.fault();
        if fault.refused {
            return ready(Err(StoreError::Io("refused by chance".into())));
        }
        // Called now, not when the reply is polled: a change begins with its call.
        let reply = call(&self.log);
        waiting(async move {
            for _ in 0..fault.turns {
                tokio::task::yield_now().await;
            }
            let done = reply.await?;
            match fault.unknown {
                true => Err(StoreError::Io("done, but not said, by chance".into())),
                false => Ok(done),
            }
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
            let again = claimed.iter().filter(|_| self.chance(self.faults.repeated));
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
