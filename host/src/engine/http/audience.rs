//! Who takes a guest's answer: whether anybody still waits for more of it.
//!
//! A client that leaves, or does not read, makes a guest fail that did nothing wrong.
//! A body that is dropped is no sign of it where all that was announced is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What is known of the reader of one body.
#[derive(Clone, Default)]
pub struct Audience(Arc<AtomicU8>);

/// The reader's side. Dropped before the body's end, nobody takes the rest.
pub(super) struct Reader {
    audience: Audience,
    /// Bytes that are left of an announced length.
    left: Option<u64>,
}

// What an audience may be. It is busy with what it has, or has not asked yet; the last
// two are ends.
const BUSY: u8 = 0;
const WAITS: u8 = 1;
const SATISFIED: u8 = 2;
const GONE: u8 = 3;

impl Audience {
    /// Nobody takes the rest.
    pub fn has_left(&self) -> bool {
        self.0.load(Ordering::Acquire) == GONE
    }

    /// Nobody takes the rest at present: the guest has written more than is read.
    pub fn holds_up(&self) -> bool {
        matches!(self.0.load(Ordering::Acquire), BUSY | GONE)
    }

    /// Its reader, of a body of this length, if one was announced.
    pub(super) fn reader(&self, length: Option<u64>) -> Reader {
        Reader {
            audience: self.clone(),
            left: length,
        }
    }
}

// === impl Reader ===

impl Reader {
    /// It wants more than there is.
    pub(super) fn waits(&self) {
        self.turn(WAITS);
    }

    /// It has something to read.
    pub(super) fn is_busy(&self) {
        self.turn(BUSY);
    }

    /// It took so many bytes.
    pub(super) fn took(&mut self, bytes: usize) {
        self.left = self.left.map(|left| left.saturating_sub(bytes as u64));
        match self.left {
            Some(0) => self.is_satisfied(),
            _ => self.is_busy(),
        }
    }

    /// It has all.
    pub(super) fn is_satisfied(&self) {
        self.audience.0.store(SATISFIED, Ordering::Release);
    }

    fn turn(&self, to: u8) {
        let state = &self.audience.0;
        if state.load(Ordering::Relaxed) < SATISFIED {
            state.store(to, Ordering::Release);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.turn(GONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_before_the_end_has_left() {
        let audience = Audience::default();
        let mut reader = audience.reader(None);
        assert!(audience.holds_up() && !audience.has_left(), "nobody asked");
        reader.waits();
        assert!(!audience.holds_up());
        reader.took(7);
        assert!(audience.holds_up() && !audience.has_left());
        drop(reader);
        assert!(audience.holds_up() && audience.has_left());
    }

    #[test]
    fn who_has_all_has_not_left() {
        let audience = Audience::default();
        let mut reader = audience.reader(Some(7));
        reader.took(3);
        reader.took(4);
        reader.waits();
        drop(reader);
        assert!(!audience.has_left() && !audience.holds_up());
        let ended = Audience::default();
        ended.reader(None).is_satisfied();
        assert!(!ended.has_left() && !ended.holds_up());
    }
}
