//! One queue in memory: which messages there are, and how it is with each of them for
//! each subscriber.
//!
//! A pure state machine: it knows no clock, no disk and no bodies. A change is asked
//! for first, written down by the caller, and made then; what is read from the disk at
//! a start is made in the same way. Everything but a look at many messages takes time
//! by the logarithm of their number.

mod cursor;
mod lane;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use self::cursor::{Cursor, Entry, State};
use super::journal::{Gone, Mark, Verdict};
use super::{Bound, Bounds, CLAIM_BYTES, Full, Receipt};

/// Milliseconds since 1970.
pub(crate) type Millis = u64;

/// The messages of a queue and the cursors of its subscribers.
pub(crate) struct Index {
    next: u64,
    /// The disk knows that numbers below may have been given out.
    reserved: u64,
    /// What is before it waits for nobody who may still come.
    floor: u64,
    next_lease: u64,
    bytes: u64,
    messages: BTreeMap<u64, Message>,
    subscribers: BTreeMap<Arc<str>, Cursor>,
}

/// What is known of a message in memory.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) key: Option<Arc<str>>,
    pub(crate) enqueued: Millis,
    /// Not delivered before; not after `enqueued` if it came without a delay.
    pub(crate) due: Millis,
    /// Bytes of its body.
    pub(crate) size: u32,
    /// How many subscribers need it.
    needed: u32,
    /// Marks of it are on disk.
    marked: bool,
}

/// A message that was claimed.
pub(crate) struct Claimed {
    pub(crate) id: u64,
    pub(crate) lease: u64,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) enqueued: Millis,
    pub(crate) attempts: u32,
    /// There is a mark that may tell the last error.
    pub(crate) marked: bool,
}

/// How much to claim.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) most: usize,
    pub(crate) now: Millis,
    pub(crate) until: Millis,
}

// === impl Message ===

impl Message {
    pub(crate) fn new(key: Option<Arc<str>>, enqueued: Millis, due: Millis, size: u32) -> Self {
        Self {
            key,
            enqueued,
            due,
            size,
            needed: 0,
            marked: false,
        }
    }

    /// What it takes of [`Bounds::bytes`].
    pub(crate) fn weight(&self) -> u64 {
        u64::from(self.size) + self.key.as_ref().map_or(0, |key| key.len() as u64)
    }

    /// One subscriber at most needs it: when that one is done, it goes.
    pub(crate) fn is_last(&self) -> bool {
        self.needed <= 1
    }

    /// What removes it.
    pub(crate) fn gone(&self, id: u64) -> Gone {
        Gone {
            id,
            size: self.size as usize,
            key: self.key.as_ref().map_or(0, |key| key.len()),
            marked: self.marked,
        }
    }

    fn state(&self, now: Millis) -> State {
        match self.due > now.max(self.enqueued) {
            true => State::Delayed(self.due),
            false => State::Waiting,
        }
    }
}

// === impl Index ===

impl Index {
    /// An empty queue. Its leases begin with the number `lease`: take one that no
    /// earlier index of the queue came to.
    pub(crate) fn new(lease: u64) -> Self {
        Self {
            next: 1,
            reserved: 1,
            floor: 0,
            next_lease: lease,
            bytes: 0,
            messages: BTreeMap::new(),
            subscribers: BTreeMap::new(),
        }
    }

    /// Whether anything was ever done to the queue that is still known.
    pub(crate) fn is_there(&self) -> bool {
        self.next > 1 || !self.messages.is_empty() || !self.subscribers.is_empty()
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Numbers below may have been given out, as the disk says.
    pub(crate) fn reserve(&mut self, below: u64) {
        self.reserved = self.reserved.max(below);
    }

    /// Gives out no number below `next` any more.
    pub(crate) fn skip_to(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// Whether so many messages of so many bytes may be added.
    pub(crate) fn room(&self, messages: u64, bytes: u64, bounds: Bounds) -> Result<(), Full> {
        let checks = [
            (Bound::Messages, self.len(), messages, bounds.messages),
            (Bound::Bytes, self.bytes, bytes, bounds.bytes),
        ];
        let over = checks
            .into_iter()
            .find(|(_, there, more, limit)| *more > 0 && there.saturating_add(*more) > *limit);
        over.map_or(Ok(()), |(bound, there, _, limit)| {
            Err(Full {
                bound,
                limit,
                there,
            })
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Bytes of all bodies and keys.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn message(&self, id: u64) -> Option<&Message> {
        self.messages.get(&id)
    }

    pub(crate) fn messages(&self) -> &BTreeMap<u64, Message> {
        &self.messages
    }

    pub(crate) fn cursor(&self, subscriber: &str) -> Option<&Cursor> {
        self.subscribers.get(subscriber)
    }

    /// In the order of their names.
    pub(crate) fn cursors(&self) -> impl Iterator<Item = (&Arc<str>, &Cursor)> {
        self.subscribers.iter()
    }

    /// Adds a message for all subscribers that are to get it.
    pub(crate) fn add(&mut self, id: u64, mut message: Message) {
        for cursor in self.subscribers.values_mut() {
            if cursor.from() <= id {
                cursor.insert(id, message.key.clone(), message.state(message.enqueued));
                message.needed += 1;
            }
        }
        self.bytes += message.weight();
        self.skip_to(id + 1);
        self.messages.insert(id, message);
    }

    /// The first number that a new subscriber gets; `None` if it is one already.
    pub(crate) fn first_for(&self, subscriber: &str) -> Option<u64> {
        match self.subscribers.contains_key(subscriber) {
            true => None,
            false if self.subscribers.is_empty() => Some(self.floor),
            false => Some(self.next),
        }
    }

    /// Adds a subscriber, with the messages from `from` on.
    pub(crate) fn subscribe(&mut self, subscriber: Arc<str>, from: u64) {
        let mut cursor = Cursor::new(from);
        for (id, message) in self.messages.range_mut(from..) {
            cursor.insert(*id, message.key.clone(), message.state(message.enqueued));
            message.needed += 1;
        }
        // After a restart: the numbers below were given out.
        self.skip_to(from);
        self.subscribers.insert(subscriber, cursor);
    }

    /// Messages before `floor` wait for nobody who may still come.
    pub(crate) fn raise(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
    }

    /// Removes a subscriber, and the messages that nobody else needs: those are given
    /// back. Where it was the last one, [`Self::raise`] the floor to the next number.
    pub(crate) fn unsubscribe(&mut self, subscriber: &str) -> Vec<(u64, Message)> {
        let cursor = self.subscribers.remove(subscriber);
        let ids = cursor.iter().flat_map(Cursor::ids);
        ids.filter_map(|id| Some((id, self.release(id)?))).collect()
    }

    /// Removes the messages that nobody needs any more, and gives them back: what a
    /// crash left while they were removed from the disk.
    pub(crate) fn sweep(&mut self) -> Vec<(u64, Message)> {
        let waits = |id: u64| self.subscribers.is_empty() && id >= self.floor;
        let unneeded = self
            .messages
            .iter()
            .filter(|(_, message)| message.needed == 0);
        let ids: Vec<_> = unneeded
            .map(|(id, _)| *id)
            .filter(|id| !waits(*id))
            .collect();
        ids.into_iter()
            .filter_map(|id| Some((id, self.release(id)?)))
            .collect()
    }

    /// Claims what is due, as much as is wanted or [`CLAIM_BYTES`] allow.
    pub(crate) fn claim(&mut self, subscriber: &str, claim: Claim) -> Vec<Claimed> {
        let mut claimed = Vec::new();
        let Some(cursor) = self.subscribers.get_mut(subscriber) else {
            return claimed;
        };
        cursor.advance(claim.now);
        let mut bytes = 0;
        while claimed.len() < claim.most && bytes < CLAIM_BYTES {
            let lease = self.next_lease;
            let Some((id, entry)) = cursor.claim_next(lease, claim.until) else {
                break;
            };
            // Zero is no lease.
            self.next_lease = lease.wrapping_add(1).max(1);
            let Some(message) = self.messages.get(&id) else {
                continue;
            };
            bytes += message.size as usize;
            claimed.push(Claimed {
                id,
                lease,
                key: message.key.clone(),
                enqueued: message.enqueued,
                attempts: entry.attempts,
                marked: entry.marked,
            });
        }
        claimed
    }

    /// The entry that a receipt stands for, unless its lease was lost.
    pub(crate) fn held(&self, receipt: &Receipt) -> Option<&Entry> {
        let cursor = self.subscribers.get(&receipt.subscriber)?;
        cursor.held(receipt.id, receipt.lease)
    }

    /// Keeps a lease. False if it was lost.
    pub(crate) fn extend(&mut self, receipt: &Receipt, until: Millis) -> bool {
        let cursor = self.subscribers.get_mut(&receipt.subscriber);
        cursor.is_some_and(|cursor| cursor.extend(receipt.id, receipt.lease, until))
    }

    /// Gives a claimed message back as if it had not been claimed.
    pub(crate) fn unclaim(&mut self, subscriber: &str, claimed: &Claimed) {
        if let Some(cursor) = self.subscribers.get_mut(subscriber) {
            cursor.unclaim(claimed.id, claimed.lease);
        }
    }

    /// Makes what a mark says. True if another message of its key may be due by that.
    pub(crate) fn mark(&mut self, id: u64, subscriber: &str, mark: &Mark) -> bool {
        let Some(message) = self.messages.get_mut(&id) else {
            return false;
        };
        message.marked = true;
        let Some(cursor) = self.subscribers.get_mut(subscriber) else {
            return false;
        };
        if mark.verdict != Verdict::Done {
            cursor.mark(id, mark);
            return true;
        }
        match cursor.remove(id) {
            Some(frees) => {
                self.release(id);
                frees
            }
            None => false,
        }
    }

    /// Makes all that is over at `now` due.
    pub(crate) fn advance(&mut self, now: Millis) {
        self.subscribers
            .values_mut()
            .for_each(|cursor| cursor.advance(now));
    }

    /// One subscriber less needs the message: the message, if that was the last one.
    pub(crate) fn release(&mut self, id: u64) -> Option<Message> {
        let message = self.messages.get_mut(&id)?;
        message.needed = message.needed.saturating_sub(1);
        if message.needed > 0 {
            return None;
        }
        self.bytes = self.bytes.saturating_sub(message.weight());
        self.messages.remove(&id)
    }
}
