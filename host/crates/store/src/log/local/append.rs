//! Adding messages to a queue.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};
use std::time::SystemTime;

use super::{Local, Queue, check_name, millis};
use crate::StoreError;
use crate::log::index::{Index, Message, Millis};
use crate::log::journal::{Digest, Journal, Record, Remembered, Write};
use crate::log::{Appended, Bounds, Dedupe, Full, MAX_BODY, MAX_KEY, NewMessage};

/// Numbers of messages that are reserved on disk at once. A restart skips what is left
/// of them.
const RESERVE: u64 = 1 << 10;

/// Ids that are forgotten with each append, beside one for each that is remembered.
const FORGET: usize = 4;

/// Messages that have their numbers, and are not there yet: the queue is locked until
/// they are.
///
/// For a batch that appends to many queues, begin in the order of their names, apply
/// what all of them write in one batch, and then make them. Dropped without that, it
/// gives their numbers to nobody else, since what failed may be on disk in part.
pub(crate) struct Appending<'a> {
    queue: &'a Queue,
    index: MutexGuard<'a, Index>,
    plan: Plan,
}

#[derive(Default)]
struct Plan {
    writes: Vec<Write>,
    messages: Vec<(u64, Message)>,
    appended: Vec<Appended>,
    /// What is remembered because of it.
    remembered: HashMap<Digest, u64>,
    next: u64,
    bytes: u64,
}

impl<J: Journal> Local<J> {
    pub(super) fn append_now(
        &self,
        name: &str,
        messages: Vec<NewMessage>,
        bounds: Bounds,
        now: SystemTime,
    ) -> Result<Result<Vec<Appended>, Full>, StoreError> {
        check_name(name)?;
        messages.iter().try_for_each(fits)?;
        self.journal.check()?;
        let queue = self.open(name);
        let appending = match self.begin(&queue, messages, bounds, now)? {
            Ok(appending) => appending,
            Err(full) => return Ok(Err(full)),
        };
        self.journal.apply(name, appending.writes())?;
        Ok(Ok(appending.made()))
    }

    /// Gives messages their numbers, unless they are too many. See [`Appending`].
    pub(crate) fn begin<'a>(
        &self,
        queue: &'a Queue,
        messages: Vec<NewMessage>,
        bounds: Bounds,
        now: SystemTime,
    ) -> Result<Result<Appending<'a>, Full>, StoreError> {
        let index = queue.index();
        let mut plan = Plan {
            next: index.next(),
            ..Plan::default()
        };
        for message in messages {
            self.plan(queue, &mut plan, message, millis(now))?;
        }
        let count = plan.messages.len() as u64;
        if let Err(full) = index.room(count, plan.bytes, bounds) {
            return Ok(Err(full));
        }
        plan.finish(&index, millis(now));
        Ok(Ok(Appending { queue, index, plan }))
    }

    fn plan(
        &self,
        queue: &Queue,
        plan: &mut Plan,
        new: NewMessage,
        now: Millis,
    ) -> Result<(), StoreError> {
        let dedupe = new.dedupe.as_ref().map(known);
        let first = match &dedupe {
            None => None,
            Some((of, _)) => match plan.remembered.get(of) {
                Some(id) => Some(*id),
                None => {
                    let found = self.journal.remembered(&queue.name, of)?;
                    found
                        .filter(|found| found.until > now)
                        .map(|found| found.id)
                }
            },
        };
        match first {
            Some(id) => plan.appended.push(Appended {
                id,
                duplicate: true,
            }),
            None => plan.add(new, dedupe, now),
        }
        Ok(())
    }
}

// === impl Plan ===

impl Plan {
    fn add(&mut self, new: NewMessage, dedupe: Option<(Digest, Millis)>, now: Millis) {
        let id = self.next;
        self.next += 1;
        let key: Option<Arc<str>> = new.key.map(Into::into);
        let due = new.due.map_or(now, millis);
        // It fits: the body is no longer than MAX_BODY.
        let size = u32::try_from(new.body.len()).unwrap_or(u32::MAX);
        let message = Message::new(key.clone(), now, due, size);
        self.bytes += message.weight();
        self.messages.push((id, message));
        self.writes.push(Write::Message(Record {
            id,
            key,
            body: new.body,
            enqueued: now,
            due,
        }));
        if let Some((of, until)) = dedupe {
            self.remembered.insert(of, id);
            let what = Remembered { id, until };
            self.writes.push(Write::Remember { of, what });
        }
        self.appended.push(Appended {
            id,
            duplicate: false,
        });
    }

    fn finish(&mut self, index: &Index, now: Millis) {
        if self.messages.is_empty() {
            return;
        }
        if self.next > index.reserved() {
            self.writes.push(Write::Reserve(self.next + RESERVE));
        }
        // Before what is remembered anew.
        let most = FORGET + self.remembered.len();
        self.writes.insert(0, Write::ForgetUntil { now, most });
    }
}

// === impl Appending ===

impl Appending<'_> {
    /// What makes them durable.
    pub(crate) fn writes(&self) -> &[Write] {
        &self.plan.writes
    }

    /// Their writes were applied: now they are there.
    pub(crate) fn made(mut self) -> Vec<Appended> {
        let plan = std::mem::take(&mut self.plan);
        for write in &plan.writes {
            if let Write::Reserve(below) = write {
                self.index.reserve(*below);
            }
        }
        let any = !plan.messages.is_empty();
        for (id, message) in plan.messages {
            self.index.add(id, message);
        }
        let queue = self.queue;
        drop(self);
        if any {
            queue.notify();
        }
        plan.appended
    }
}

impl Drop for Appending<'_> {
    fn drop(&mut self) {
        self.index.skip_to(self.plan.next);
    }
}

fn known(dedupe: &Dedupe) -> (Digest, Millis) {
    let hash = blake3::hash(dedupe.id.as_bytes());
    let digest = hash.as_bytes().first_chunk().copied().unwrap_or_default();
    (digest, millis(dedupe.until))
}

/// Whether a message may be appended to a queue of this name.
///
/// # Errors
/// [`StoreError::BadName`], [`StoreError::TooLarge`].
pub(crate) fn check_message(queue: &str, message: &NewMessage) -> Result<(), StoreError> {
    check_name(queue)?;
    fits(message)
}

fn fits(message: &NewMessage) -> Result<(), StoreError> {
    let key = message.key.as_ref().map_or(0, String::len);
    let limits = [(message.body.len(), MAX_BODY), (key, MAX_KEY)];
    let over = limits.into_iter().find(|(found, limit)| found > limit);
    over.map_or(Ok(()), |(_, limit)| Err(StoreError::TooLarge { limit }))
}
