//! What is kept for a time, in a tree of its own.
//!
//! Two kinds of entries: `v` + place + number → a piece of the value, and
//! `e` + end + place → its size, by which the sweep finds what is over. The first
//! piece begins with the end and the number of pieces. All entries of a value
//! are written in one batch, so they are there together or not at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::committer::Committer;
use super::fault;
use super::large::INLINE_MAX;
use crate::{Expiring, KeyDigest, OWNER, Reply, StoreError, ready, waiting};

/// Bytes that a value takes beside its own: two keys, an end, and their share of pages.
const OVERHEAD: usize = 256;
/// End in milliseconds since 1970 and number of pieces.
const HEAD: usize = 8 + 2;

/// [`Expiring`] as one tree.
pub(super) struct SledExpiring {
    tree: sled::Tree,
    committer: Arc<Committer>,
    /// Held from reading what is there until what replaces it is: the sweep must not
    /// remove what was kept anew in between. About what all of it takes, in bytes.
    changing: Mutex<u64>,
}

impl Expiring for SledExpiring {
    fn get<'a>(&'a self, place: &'a KeyDigest, now: SystemTime) -> Reply<'a, Option<Vec<u8>>> {
        ready(self.read(place, millis(now)))
    }

    fn put<'a>(
        &'a self,
        place: &'a KeyDigest,
        value: &'a [u8],
        until: SystemTime,
    ) -> Reply<'a, ()> {
        waiting(async move {
            self.committer.check()?;
            self.write(place, value, millis(until))?;
            self.committer.ticket(None).await
        })
    }

    fn sweep(&self, now: SystemTime, most: usize) -> Reply<'_, usize> {
        waiting(async move {
            self.committer.check()?;
            let removed = self.remove_until(millis(now), most)?;
            if removed > 0 {
                self.committer.ticket(None).await?;
            }
            Ok(removed)
        })
    }

    fn bound(&self, bytes: u64, most: usize) -> Reply<'_, usize> {
        waiting(async move {
            self.committer.check()?;
            let removed = self.remove_beyond(bytes, most)?;
            if removed > 0 {
                self.committer.ticket(None).await?;
            }
            Ok(removed)
        })
    }

    fn size(&self) -> u64 {
        *self.change()
    }

    fn purge(&self, owner: [u8; OWNER]) -> Reply<'_, ()> {
        waiting(async move {
            self.committer.check()?;
            let whose = [b"v", &owner[..]].concat();
            while self.remove_some(&whose)? {
                self.committer.ticket(None).await?;
            }
            Ok(())
        })
    }
}

/// Pieces that are removed in one batch, and those of a value that has begun in it.
const BATCH: usize = 250;

impl SledExpiring {
    /// Adds up what is there: reads the sizes, not the values.
    pub(super) fn new(tree: sled::Tree, committer: Arc<Committer>) -> Result<Self, StoreError> {
        let mut bytes = 0_u64;
        for entry in tree.scan_prefix(b"e") {
            let (_, size) = entry.map_err(|error| fault("listing what is kept", error))?;
            bytes += <[u8; 8]>::try_from(size.as_ref()).map_or(0, u64::from_be_bytes);
        }
        Ok(Self {
            tree,
            committer,
            changing: Mutex::new(bytes),
        })
    }

    fn read(&self, place: &KeyDigest, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(first) = self.piece(place, 0)? else {
            return Ok(None);
        };
        let (end, pieces) = head(&first)?;
        if end <= now {
            return Ok(None);
        }
        let mut value = first[HEAD..].to_vec();
        for number in 1..pieces {
            // The sweep or a new value may come between two pieces.
            let Some(piece) = self.piece(place, number)? else {
                return Ok(None);
            };
            value.extend_from_slice(&piece);
        }
        Ok(Some(value))
    }

    fn write(&self, place: &KeyDigest, value: &[u8], end: u64) -> Result<(), StoreError> {
        let mut bytes = self.change();
        let mut batch = sled::Batch::default();
        let before = self.forget(place, u64::MAX, &mut batch)?;
        let (first, rest) = value.split_at(value.len().min(INLINE_MAX - HEAD));
        let rest: Vec<_> = rest.chunks(INLINE_MAX).collect();
        let pieces = u16::try_from(rest.len() + 1).map_err(|_| StoreError::TooLarge {
            limit: usize::from(u16::MAX - 1) * INLINE_MAX,
        })?;
        let head = [&end.to_be_bytes()[..], &pieces.to_be_bytes()].concat();
        batch.insert(piece_key(place, 0), [&head, first].concat());
        for (number, piece) in (1..).zip(rest) {
            batch.insert(piece_key(place, number), piece);
        }
        let size = size(HEAD + first.len(), pieces);
        batch.insert(end_key(end, place), size.to_be_bytes().to_vec());
        self.apply(batch)?;
        *bytes = bytes.saturating_sub(before) + size;
        Ok(())
    }

    fn remove_until(&self, now: u64, most: usize) -> Result<usize, StoreError> {
        let mut bytes = self.change();
        self.remove_first(now, most, &mut bytes, |_| true)
    }

    fn remove_beyond(&self, limit: u64, most: usize) -> Result<usize, StoreError> {
        let mut bytes = self.change();
        self.remove_first(u64::MAX, most, &mut bytes, |bytes| bytes > limit)
    }

    /// Removes what ends first, and not after `until`, as long as `goes_on` with what is
    /// left.
    fn remove_first(
        &self,
        until: u64,
        most: usize,
        bytes: &mut u64,
        goes_on: impl Fn(u64) -> bool,
    ) -> Result<usize, StoreError> {
        let (first, last) = (b"e".to_vec(), end_key(until, &[u8::MAX; 32]));
        let mut batch = sled::Batch::default();
        let (mut removed, mut left) = (0, *bytes);
        for entry in self.tree.range(first..=last).keys().take(most) {
            if !goes_on(left) {
                break;
            }
            let key = entry.map_err(|error| fault("listing what is kept", error))?;
            let place: Option<&KeyDigest> = key.get(9..).and_then(|place| place.try_into().ok());
            let place = place.ok_or_else(damaged)?;
            left = left.saturating_sub(self.forget(place, until, &mut batch)?);
            batch.remove(&key);
            removed += 1;
        }
        if removed > 0 {
            self.apply(batch)?;
            *bytes = left;
        }
        Ok(removed)
    }

    /// Removes some of the pieces that begin so, with the entries of their ends; whether
    /// there were any.
    fn remove_some(&self, whose: &[u8]) -> Result<bool, StoreError> {
        let mut bytes = self.change();
        let mut batch = sled::Batch::default();
        let (mut pieces, mut left) = (0, *bytes);
        for key in self.tree.scan_prefix(whose).keys() {
            let key = key.map_err(|error| fault("listing what is kept", error))?;
            let place = key.get(1..33).and_then(|place| place.try_into().ok());
            let place: &KeyDigest = place.ok_or_else(damaged)?;
            let begins = key == piece_key(place, 0);
            // A value goes as a whole: the rest of one would be found by nobody.
            if begins && pieces >= BATCH {
                break;
            }
            match begins {
                true => left = left.saturating_sub(self.forget(place, u64::MAX, &mut batch)?),
                false => batch.remove(key),
            }
            pieces += 1;
        }
        self.apply(batch)?;
        *bytes = left;
        Ok(pieces > 0)
    }

    /// Removes all entries of a place, if its time is over at `now`. Gives its size.
    fn forget(
        &self,
        place: &KeyDigest,
        now: u64,
        batch: &mut sled::Batch,
    ) -> Result<u64, StoreError> {
        let Some(first) = self.piece(place, 0)? else {
            return Ok(0);
        };
        let (end, pieces) = head(&first)?;
        if end > now {
            return Ok(0);
        }
        batch.remove(end_key(end, place));
        (0..pieces).for_each(|number| batch.remove(piece_key(place, number)));
        Ok(size(first.len(), pieces))
    }

    fn change(&self) -> MutexGuard<'_, u64> {
        // There is nothing under the lock that a panic could leave half changed.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn piece(&self, place: &KeyDigest, number: u16) -> Result<Option<sled::IVec>, StoreError> {
        let found = self.tree.get(piece_key(place, number));
        found.map_err(|error| fault("reading what is kept", error))
    }

    fn apply(&self, batch: sled::Batch) -> Result<(), StoreError> {
        let applied = self.tree.apply_batch(batch);
        applied.map_err(|error| fault("writing what is kept", error))
    }
}

fn piece_key(place: &KeyDigest, number: u16) -> Vec<u8> {
    [b"v", &place[..], &number.to_be_bytes()].concat()
}

/// About what a value takes, by the length of its first piece: each further one counts
/// as if it were full, and the entries and their pages beside them.
fn size(first: usize, pieces: u16) -> u64 {
    (OVERHEAD + first + usize::from(pieces - 1) * INLINE_MAX) as u64
}

fn end_key(end: u64, place: &KeyDigest) -> Vec<u8> {
    [b"e", &end.to_be_bytes()[..], place].concat()
}

fn head(first: &[u8]) -> Result<(u64, u16), StoreError> {
    let end = first.first_chunk().copied().map(u64::from_be_bytes);
    let pieces = first.get(8..HEAD).and_then(|bytes| bytes.try_into().ok());
    end.zip(pieces.map(u16::from_be_bytes)).ok_or_else(damaged)
}

fn damaged() -> StoreError {
    StoreError::Corrupt("an entry that is kept for a time is cut off".into())
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
