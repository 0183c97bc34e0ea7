//! What is kept for a time, in a tree of its own.
//!
//! Two kinds of entries: `v` + place + number → a piece of the value, and
//! `e` + end + place → nothing, by which the sweep finds what is over. The first
//! piece begins with the end and the number of pieces. All entries of a value
//! are written in one batch, so they are there together or not at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::committer::Committer;
use super::fault;
use super::large::INLINE_MAX;
use crate::store::{Expiring, OWNER, Place, Reply, StoreError, ready, waiting};

/// End in milliseconds since 1970 and number of pieces.
const HEAD: usize = 8 + 2;

/// [`Expiring`] as one tree.
pub(super) struct SledExpiring {
    tree: sled::Tree,
    committer: Arc<Committer>,
    /// Held from reading what is there until what replaces it is: the sweep must not
    /// remove what was kept anew in between.
    changing: Mutex<()>,
}

impl Expiring for SledExpiring {
    fn get<'a>(&'a self, place: &'a Place, now: SystemTime) -> Reply<'a, Option<Vec<u8>>> {
        ready(self.read(place, millis(now)))
    }

    fn put<'a>(&'a self, place: &'a Place, value: &'a [u8], until: SystemTime) -> Reply<'a, ()> {
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
    pub(super) fn new(tree: sled::Tree, committer: Arc<Committer>) -> Self {
        Self {
            tree,
            committer,
            changing: Mutex::default(),
        }
    }

    fn read(&self, place: &Place, now: u64) -> Result<Option<Vec<u8>>, StoreError> {
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

    fn write(&self, place: &Place, value: &[u8], end: u64) -> Result<(), StoreError> {
        let _changing = self.change();
        let mut batch = sled::Batch::default();
        self.forget(place, u64::MAX, &mut batch)?;
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
        batch.insert(end_key(end, place), Vec::new());
        self.apply(batch)
    }

    fn remove_until(&self, now: u64, most: usize) -> Result<usize, StoreError> {
        let over = b"e".to_vec()..end_key(now.saturating_add(1), &[0; 32]);
        let _changing = self.change();
        let mut batch = sled::Batch::default();
        let mut removed = 0;
        for entry in self.tree.range(over).keys().take(most) {
            let key = entry.map_err(|error| fault("listing what is kept", error))?;
            let place: Option<&Place> = key.get(9..).and_then(|place| place.try_into().ok());
            let place = place.ok_or_else(damaged)?;
            self.forget(place, now, &mut batch)?;
            batch.remove(&key);
            removed += 1;
        }
        if removed > 0 {
            self.apply(batch)?;
        }
        Ok(removed)
    }

    /// Removes some of the pieces that begin so, with the entries of their ends; whether
    /// there were any.
    fn remove_some(&self, whose: &[u8]) -> Result<bool, StoreError> {
        let _changing = self.change();
        let mut batch = sled::Batch::default();
        let mut pieces = 0;
        for key in self.tree.scan_prefix(whose).keys() {
            let key = key.map_err(|error| fault("listing what is kept", error))?;
            let place = key.get(1..33).and_then(|place| place.try_into().ok());
            let place: &Place = place.ok_or_else(damaged)?;
            let begins = key == piece_key(place, 0);
            // A value goes as a whole: the rest of one would be found by nobody.
            if begins && pieces >= BATCH {
                break;
            }
            match begins {
                true => self.forget(place, u64::MAX, &mut batch)?,
                false => batch.remove(key),
            }
            pieces += 1;
        }
        self.apply(batch)?;
        Ok(pieces > 0)
    }

    /// Removes all entries of a place, if its time is over at `now`.
    fn forget(&self, place: &Place, now: u64, batch: &mut sled::Batch) -> Result<(), StoreError> {
        let Some(first) = self.piece(place, 0)? else {
            return Ok(());
        };
        let (end, pieces) = head(&first)?;
        if end <= now {
            batch.remove(end_key(end, place));
            (0..pieces).for_each(|number| batch.remove(piece_key(place, number)));
        }
        Ok(())
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        // There is nothing under the lock that a panic could leave half changed.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn piece(&self, place: &Place, number: u16) -> Result<Option<sled::IVec>, StoreError> {
        let found = self.tree.get(piece_key(place, number));
        found.map_err(|error| fault("reading what is kept", error))
    }

    fn apply(&self, batch: sled::Batch) -> Result<(), StoreError> {
        let applied = self.tree.apply_batch(batch);
        applied.map_err(|error| fault("writing what is kept", error))
    }
}

fn piece_key(place: &Place, number: u16) -> Vec<u8> {
    [b"v", &place[..], &number.to_be_bytes()].concat()
}

fn end_key(end: u64, place: &Place) -> Vec<u8> {
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
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use crate::store::Store;

    use super::*;

    const PLACE: Place = [7; 32];

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn a_value_is_there_until_its_end_and_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let long: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        store.expiring().put(&PLACE, &long, at(10)).await.unwrap();
        store.close();
        let store = Store::open(dir.path()).unwrap();
        let kept = store.expiring();
        assert_eq!(kept.get(&PLACE, at(9)).await.unwrap(), Some(long));
        assert_eq!(kept.get(&PLACE, at(10)).await.unwrap(), None);
        kept.put(&PLACE, b"short", at(20)).await.unwrap();
        assert_eq!(
            kept.get(&PLACE, at(10)).await.unwrap().as_deref(),
            Some(&b"short"[..])
        );
    }

    #[tokio::test]
    async fn the_sweep_takes_what_is_over_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let tree = store.expiring.tree.clone();
        let kept = store.expiring();
        for n in 0..10 {
            let end = at(100 + u64::from(n));
            kept.put(&[n; 32], &[n; 20_000], end).await.unwrap();
        }
        kept.put(&[0; 32], b"again", at(200)).await.unwrap();
        assert_eq!(kept.sweep(at(104), 3).await.unwrap(), 3);
        assert_eq!(kept.sweep(at(104), 100).await.unwrap(), 1);
        assert_eq!(kept.sweep(at(104), 100).await.unwrap(), 0);
        assert!(kept.get(&[0; 32], at(104)).await.unwrap().is_some());
        assert!(kept.get(&[5; 32], at(104)).await.unwrap().is_some());
        assert_eq!(kept.sweep(at(300), 100).await.unwrap(), 6);
        assert!(tree.is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn what_is_an_owners_goes_with_it_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let kept = store.expiring();
        let place = |owner: u8, n: u16| {
            let mut place = [owner; 32];
            place[OWNER..][..2].copy_from_slice(&n.to_be_bytes());
            place
        };
        for n in 0..600 {
            kept.put(&place(6, n), &[1; 20_000], at(9)).await.unwrap();
        }
        for other in [place(5, 600), place(7, 0)] {
            kept.put(&other, b"theirs", at(9)).await.unwrap();
        }
        kept.purge([6; OWNER]).await.unwrap();
        for n in 0..600 {
            assert_eq!(kept.get(&place(6, n), at(1)).await.unwrap(), None, "{n}");
        }
        for other in [place(5, 600), place(7, 0)] {
            assert!(kept.get(&other, at(1)).await.unwrap().is_some());
        }
        assert_eq!(store.expiring.tree.len(), 4, "two values and their ends");
    }

    /// An entry for the sweep that nothing stands behind any more.
    #[tokio::test]
    async fn the_sweep_asks_a_value_for_its_own_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let kept = store.expiring();
        kept.put(&PLACE, b"value", at(200)).await.unwrap();
        let tree = &store.expiring.tree;
        tree.insert(end_key(millis(at(100)), &PLACE), &[]).unwrap();
        assert_eq!(kept.sweep(at(150), 10).await.unwrap(), 1);
        assert!(kept.get(&PLACE, at(150)).await.unwrap().is_some());
        assert_eq!(kept.sweep(at(300), 10).await.unwrap(), 1);
        assert!(store.expiring.tree.is_empty(), "nothing is left behind");
    }

    #[test]
    fn a_value_kept_anew_outlives_a_sweep_at_the_same_moment() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (kept, over) = (&store.expiring, AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    kept.remove_until(10, 100).unwrap();
                }
            });
            let lost = (0..5_000).find(|_| {
                kept.write(&PLACE, b"old", 5).unwrap();
                kept.write(&PLACE, b"new", 20).unwrap();
                kept.read(&PLACE, 10).unwrap().is_none()
            });
            over.store(true, Ordering::Relaxed);
            assert_eq!(lost, None);
        });
    }
}
