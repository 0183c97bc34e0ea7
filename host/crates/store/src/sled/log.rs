//! Queues in the tree of the buckets.
//!
//! They share it so that one batch can change a bucket and append to a queue. Their
//! keys begin with a NUL, as no bucket's can: see [`keys`]. A message is one entry, and
//! what of its body does not fit there follows in pieces; a subscriber that is done
//! with it, or has tried, has a small entry beside it. All of it is read once, when the
//! store is opened, but for the pieces and the ids that are remembered.

mod keys;
mod load;
mod values;

use std::sync::Arc;

use sled::{Batch, IVec, Tree};

use self::keys::{Keys, Kind};
pub(super) use self::load::open;
use super::committer::{Committer, Ticket};
use super::fault;
use crate::StoreError;
use crate::log::journal::{Digest, Gone, Journal, Mark, Record, Remembered, Write};
use crate::log::{Local, Millis};

/// [`crate::Log`] on a tree.
pub(super) type SledLog = Local<SledJournal>;

/// [`Journal`] on a tree.
pub(super) struct SledJournal {
    tree: Tree,
    committer: Arc<Committer>,
}

impl Journal for SledJournal {
    type Durable = Ticket;

    fn check(&self) -> Result<(), StoreError> {
        self.committer.check()
    }

    fn apply(&self, queue: &str, writes: &[Write]) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        self.write(queue, writes, &mut batch)?;
        let applied = self.tree.apply_batch(batch);
        applied.map_err(|error| fault("writing a queue", error))
    }

    fn durable(&self) -> Ticket {
        self.committer.ticket(None)
    }

    fn body(&self, queue: &str, id: u64, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let keys = Keys::of(queue);
        let Some(raw) = self.get(keys.message(id))? else {
            return Ok(None);
        };
        let (head, start) = values::message(&raw)?;
        let most = most.min(head.size as usize);
        let mut body = start[..start.len().min(most)].to_vec();
        for number in 0.. {
            if body.len() >= most {
                break;
            }
            // Others may be done with it between two pieces.
            let Some(piece) = self.get(keys.piece(id, number))? else {
                return Ok(None);
            };
            body.extend_from_slice(&piece[..piece.len().min(most - body.len())]);
        }
        Ok(Some(body))
    }

    fn mark(&self, queue: &str, id: u64, subscriber: &str) -> Result<Option<Mark>, StoreError> {
        let raw = self.get(Keys::of(queue).mark(id, subscriber))?;
        raw.as_deref().map(values::mark).transpose()
    }

    fn remembered(&self, queue: &str, of: &Digest) -> Result<Option<Remembered>, StoreError> {
        let raw = self.get(Keys::of(queue).remembered(of))?;
        raw.as_deref().map(values::remembered).transpose()
    }
}

impl SledJournal {
    /// Adds what changes a queue to a batch of the tree.
    pub(super) fn write(
        &self,
        queue: &str,
        writes: &[Write],
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let keys = Keys::of(queue);
        for write in writes {
            match write {
                Write::Reserve(below) => batch.insert(keys.reserved(), &below.to_be_bytes()),
                Write::Floor(floor) => batch.insert(keys.floor(), &floor.to_be_bytes()),
                Write::Message(record) => insert(&keys, record, batch),
                Write::Gone(gone) => self.remove(&keys, gone, batch)?,
                Write::Mark {
                    id,
                    subscriber,
                    mark,
                } => batch.insert(keys.mark(*id, subscriber), values::of_mark(mark)),
                Write::Subscriber { name, from } => {
                    batch.insert(keys.subscriber(name), &from.to_be_bytes());
                }
                Write::NoSubscriber { name } => batch.remove(keys.subscriber(name)),
                Write::Remember { of, what } => self.remember(&keys, of, what, batch)?,
                Write::ForgetUntil { now, most } => self.forget(&keys, *now, *most, batch)?,
            }
        }
        Ok(())
    }

    fn remove(&self, keys: &Keys<'_>, gone: &Gone, batch: &mut Batch) -> Result<(), StoreError> {
        batch.remove(keys.message(gone.id));
        for number in 0..values::pieces(gone.size, gone.key) {
            batch.remove(keys.piece(gone.id, number));
        }
        if gone.marked {
            for key in self.tree.scan_prefix(keys.mark(gone.id, "")).keys() {
                batch.remove(key.map_err(|error| fault("listing a queue", error))?);
            }
        }
        Ok(())
    }

    fn remember(
        &self,
        keys: &Keys<'_>,
        of: &Digest,
        what: &Remembered,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        // Another message had the id before, and its time is over.
        if let Some(raw) = self.get(keys.remembered(of))? {
            batch.remove(keys.end(values::remembered(&raw)?.until, of));
        }
        batch.insert(keys.remembered(of), values::of_remembered(what));
        batch.insert(keys.end(what.until, of), &[]);
        Ok(())
    }

    /// Forgets some of the ids whose time is over.
    fn forget(
        &self,
        keys: &Keys<'_>,
        now: Millis,
        most: usize,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let over = keys.all(Kind::End)..=keys.end(now, &[u8::MAX; 16]);
        for key in self.tree.range(over).keys().take(most) {
            let key = key.map_err(|error| fault("listing a queue", error))?;
            let of = keys::digest(&key).ok_or_else(values::damaged)?;
            batch.remove(keys.remembered(of));
            batch.remove(key);
        }
        Ok(())
    }

    fn get(&self, key: Vec<u8>) -> Result<Option<IVec>, StoreError> {
        let found = self.tree.get(key);
        found.map_err(|error| fault("reading a queue", error))
    }
}

fn insert(keys: &Keys<'_>, record: &Record, batch: &mut Batch) {
    let (first, rest) = values::of_message(record);
    batch.insert(keys.message(record.id), first);
    for (number, piece) in (0..).zip(rest) {
        batch.insert(keys.piece(record.id, number), piece);
    }
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod restart_tests;
#[cfg(test)]
mod tests;
