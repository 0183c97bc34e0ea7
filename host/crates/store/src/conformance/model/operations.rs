//! Operations by chance, done twice.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::reference::{Claimed, Reference, State};
use crate::Log;
use crate::conformance::{WIDE, at};
use crate::log::{
    Again, Appended, Dedupe, Delivery, Exhausted, NewMessage, Purge, Receipt, Redrive, Subscription,
};

/// Names of subscribers.
const NAMES: [&str; 3] = ["s", "t", "u"];
/// How long an id is remembered, in seconds.
const WINDOW: u64 = 15;

/// Something to do with a queue. Numbers of subscribers, keys and receipts that are too
/// great begin again with the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Messages of these keys, with a delay in seconds, and an id that may be a
    /// repetition.
    Append {
        /// A key for each.
        keys: Vec<Option<u8>>,
        /// Seconds.
        delay: u8,
        /// The id of the first one.
        dedupe: Option<u8>,
    },
    /// A subscriber comes.
    Subscribe(u8),
    /// A subscriber goes.
    Unsubscribe(u8),
    /// A subscriber claims.
    Claim {
        /// Which one.
        subscriber: u8,
        /// How many messages.
        most: u8,
        /// Seconds.
        lease: u8,
    },
    /// Something becomes of a message that was claimed, perhaps long ago.
    Settle {
        /// Of which.
        receipt: u8,
        /// What.
        fate: Fate,
    },
    /// So many seconds pass.
    Pass(u8),
    /// An operator looks.
    Look,
    /// An operator gives dead messages another chance.
    Redrive {
        /// Whose.
        subscriber: u8,
        /// One receipt's message, or all.
        receipt: Option<u8>,
        /// How many.
        most: u8,
    },
    /// An operator removes messages.
    Purge {
        /// Whose.
        subscriber: u8,
        /// Which.
        what: Purge,
    },
    /// The host dies and comes back.
    Crash,
}

/// What becomes of a message that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Ack,
    /// It is to come again in so many seconds, after an attempt or without one.
    Nack(u8, bool),
    /// It is given up.
    Bury(Exhausted),
    /// It takes longer, by so many seconds.
    Extend(u8),
}

/// A log and the model at the same point.
#[derive(Default)]
pub(super) struct Run {
    reference: Reference,
    /// In seconds; the model takes 0 for what is over.
    now: u64,
    receipts: Vec<(&'static str, Receipt)>,
    last_id: u64,
    acked: BTreeSet<(&'static str, u64)>,
}

impl Run {
    pub(super) fn new() -> Self {
        let now = 1;
        Self {
            now,
            ..Self::default()
        }
    }

    pub(super) async fn step(&mut self, log: &dyn Log, operation: &Operation) {
        match operation {
            Operation::Append {
                keys,
                delay,
                dedupe,
            } => self.append(log, keys, u64::from(*delay), *dedupe).await,
            Operation::Subscribe(who) => {
                self.reference.subscribe(name(*who));
                log.subscribe("q", name(*who)).await.unwrap();
            }
            Operation::Unsubscribe(who) => {
                self.reference.unsubscribe(name(*who));
                log.unsubscribe("q", name(*who)).await.unwrap();
            }
            Operation::Claim {
                subscriber,
                most,
                lease,
            } => {
                let until = self.now + u64::from(*lease);
                self.claim(log, name(*subscriber), usize::from(*most), until)
                    .await;
            }
            Operation::Settle { receipt, fate } => self.settle(log, *receipt, *fate).await,
            Operation::Pass(seconds) => self.now += u64::from(*seconds),
            Operation::Look => self.look(log).await,
            Operation::Redrive {
                subscriber,
                receipt,
                most,
            } => self.redrive(log, name(*subscriber), *receipt, *most).await,
            Operation::Purge { subscriber, what } => {
                self.purge(log, name(*subscriber), *what).await;
            }
            Operation::Crash => self.reference.crash(),
        }
        for who in NAMES {
            self.check_next_due(log, who).await;
        }
    }

    async fn append(&mut self, log: &dyn Log, keys: &[Option<u8>], delay: u64, id: Option<u8>) {
        let due = self.now + delay;
        let first = id.filter(|_| !keys.is_empty());
        let messages = keys.iter().enumerate().map(|(at_, key)| NewMessage {
            key: key.map(|key| key.to_string()),
            body: vec![key.unwrap_or(9); 3],
            due: (delay > 0).then(|| at(due)),
            dedupe: first.filter(|_| at_ == 0).map(|id| Dedupe {
                id: id.to_string(),
                until: at(self.now + WINDOW),
            }),
        });
        let appended = log.append("q", messages.collect(), WIDE, at(self.now));
        let appended = appended.await.unwrap().unwrap();
        let remembered = first.and_then(|id| self.reference.remembered.get(&id).copied());
        let known = remembered.filter(|(_, until)| *until > self.now);
        if let (Some(id), None, Some(new)) = (first, known, appended.first()) {
            let what = (new.id, self.now + WINDOW);
            self.reference.remembered.insert(id, what);
        }
        let state = match delay {
            0 => State::Waiting,
            _ => State::Delayed(due),
        };
        for (index, (key, appended)) in keys.iter().zip(&appended).enumerate() {
            let known = known.filter(|_| index == 0).map(|(id, _)| id);
            self.check_id(*appended, known);
            if known.is_none() {
                self.reference.add(appended.id, *key, state);
            }
        }
    }

    fn check_id(&mut self, appended: Appended, known: Option<u64>) {
        assert_eq!(appended.duplicate, known.is_some(), "{appended:?}");
        match known {
            Some(known) => assert_eq!(appended.id, known),
            None => assert!(appended.id > self.last_id, "{appended:?} {}", self.last_id),
        }
        self.last_id = self.last_id.max(appended.id);
    }

    async fn claim(&mut self, log: &dyn Log, who: &'static str, most: usize, until: u64) {
        let claimed = log.claim(from(who), most, at(self.now), at(until));
        let claimed = claimed.await.unwrap();
        self.reference.advance(self.now, Some(who));
        let expected = self.reference.claim(who, most, until);
        assert_eq!(claimed.iter().map(told).collect::<Vec<_>>(), expected);
        for delivery in claimed {
            assert!(!self.acked.contains(&(who, delivery.id)), "{delivery:?}");
            if let Some(entry) = self.reference.entry(delivery.id, who) {
                entry.claim = Some(self.receipts.len());
            }
            self.receipts.push((who, delivery.receipt));
        }
    }

    async fn settle(&mut self, log: &dyn Log, receipt: u8, fate: Fate) {
        let Some(number) = usize::from(receipt).checked_rem(self.receipts.len()) else {
            return;
        };
        // The last ones are of most interest.
        let number = self.receipts.len() - 1 - number;
        let (who, receipt) = self.receipts[number].clone();
        let expected = self.expect(number, fate);
        let done = match fate {
            Fate::Ack => log.ack(receipt.clone()),
            Fate::Nack(seconds, counts) => {
                let due = at(self.now + u64::from(seconds));
                let attempt = counts.then(|| format!("nack {number}"));
                log.nack(receipt.clone(), Again { due, attempt })
            }
            Fate::Bury(how) => log.bury(receipt.clone(), format!("bury {number}"), how),
            Fate::Extend(seconds) => log.extend(&receipt, at(self.now + u64::from(seconds))),
        };
        let done = done.await.unwrap();
        assert_eq!(done, expected, "{fate:?} of {receipt:?} for {who}");
        if done && fate == Fate::Ack {
            self.acked.insert((who, receipt.id));
        }
    }

    /// Does it to the model.
    fn expect(&mut self, number: usize, fate: Fate) -> bool {
        let (who, id) = (self.receipts[number].0, self.receipts[number].1.id);
        let free = self.reference.is_free(id, who);
        let mut messages = self.reference.messages.iter();
        let keyed = messages.any(|message| message.id == id && message.key.is_some());
        let now = self.now;
        let entry = self.reference.entry(id, who);
        let Some(entry) = entry.filter(|entry| entry.is_held(number)) else {
            return false;
        };
        match fate {
            Fate::Ack => self.reference.done(id, who),
            Fate::Nack(seconds, counts) => {
                if counts {
                    (entry.attempts, entry.error) =
                        (entry.attempts + 1, Some(format!("nack {number}")));
                }
                entry.settle(State::Retrying(now + u64::from(seconds)));
            }
            Fate::Bury(how) => entry.bury(format!("bury {number}"), how, keyed),
            Fate::Extend(seconds) => {
                let until = now + u64::from(seconds);
                match entry.state {
                    State::InFlight(before) => entry.state = State::InFlight(before.max(until)),
                    _ if free => entry.state = State::InFlight(until),
                    _ => return false,
                }
            }
        }
        true
    }

    async fn look(&mut self, log: &dyn Log) {
        let stats = log.stats("q", at(self.now)).await.unwrap();
        self.reference.advance(self.now, None);
        let mut names = self.reference.subscribers.clone();
        names.sort_unstable();
        let expected: Vec<_> = names
            .iter()
            .map(|name| self.reference.stats(name))
            .collect();
        let mut found = stats.subscribers;
        found.iter_mut().for_each(|stats| stats.oldest = None);
        assert_eq!(found, expected);
        assert_eq!(stats.messages, self.reference.messages.len() as u64);
    }

    async fn redrive(&mut self, log: &dyn Log, who: &'static str, receipt: Option<u8>, most: u8) {
        let which = match receipt {
            None => Redrive::All,
            Some(number) => {
                let number = usize::from(number).checked_rem(self.receipts.len());
                Redrive::Ids(
                    number
                        .map(|number| self.receipts[number].1.id)
                        .into_iter()
                        .collect(),
                )
            }
        };
        let most = usize::from(most);
        let expected = self.reference.redrive(who, &which, most);
        let redriven = log.redrive(from(who), which, most).await.unwrap();
        assert_eq!(redriven, expected);
    }

    async fn purge(&mut self, log: &dyn Log, who: &'static str, what: Purge) {
        let expected = self.reference.purge(who, what);
        let purged = log.purge("q", Some(who), what).await.unwrap();
        assert_eq!(purged, expected);
    }

    async fn check_next_due(&self, log: &dyn Log, who: &'static str) {
        let due = log.next_due(from(who)).await.unwrap();
        let expected = self.reference.next_due(who);
        // What is there is due at any time that is over.
        let told = |due: SystemTime| (due >= at(0)).then_some(due);
        let expected = expected.map(|due| (due > 0).then(|| at(due)));
        assert_eq!(due.map(told), expected, "for {who}");
    }

    /// Delivers all that is left.
    pub(super) async fn finish(&mut self, log: &dyn Log) {
        self.look(log).await;
        if self.reference.subscribers.is_empty() {
            self.step(log, &Operation::Subscribe(0)).await;
        }
        for who in self.reference.subscribers.clone() {
            self.redrive(log, who, None, u8::MAX).await;
        }
        while !self.reference.messages.is_empty() {
            self.now += 1000;
            for who in self.reference.subscribers.clone() {
                let before = self.receipts.len();
                self.claim(log, who, 100, self.now + 1).await;
                // Receipts are counted from the last one.
                for receipt in 0..(self.receipts.len() - before) as u8 {
                    self.settle(log, receipt, Fate::Ack).await;
                }
            }
        }
        self.look(log).await;
    }
}

fn told(delivery: &Delivery) -> Claimed {
    Claimed {
        id: delivery.id,
        attempts: delivery.attempts,
        error: delivery.last_error.clone(),
    }
}

fn from(subscriber: &str) -> Subscription<'_> {
    let queue = "q";
    Subscription { queue, subscriber }
}

fn name(number: u8) -> &'static str {
    NAMES[usize::from(number) % NAMES.len()]
}
