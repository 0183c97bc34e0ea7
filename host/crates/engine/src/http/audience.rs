//! Who takes a guest's answer: whether anybody still waits for more of it.
//!
//! A client that leaves, or does not read, makes a guest fail that did nothing wrong.
//! A body that is dropped is no sign of it where all that was announced is taken.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;

use futures::task::AtomicWaker;

/// What is known of the reader of one body.
#[derive(Clone, Default)]
pub struct Audience(Arc<Known>);

#[derive(Default)]
struct Known {
    state: AtomicU8,
    /// Who waits for it to leave.
    leaving: AtomicWaker,
}

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
        self.0.state.load(Ordering::Acquire) == GONE
    }

    /// Waits until nobody takes the rest; for ever, if all was taken. One waits at a time.
    pub async fn left(&self) {
        poll_fn(|cx| {
            self.0.leaving.register(cx.waker());
            match self.has_left() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Nobody takes the rest at present: the guest has written more than is read.
    pub fn holds_up(&self) -> bool {
        matches!(self.0.state.load(Ordering::Acquire), BUSY | GONE)
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
        let state = &self.audience.0.state;
        state.store(SATISFIED, Ordering::Release);
    }

    fn turn(&self, to: u8) {
        let state = &self.audience.0.state;
        if state.load(Ordering::Relaxed) < SATISFIED {
            state.store(to, Ordering::Release);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.turn(GONE);
        self.audience.0.leaving.wake();
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

    #[tokio::test]
    async fn who_goes_is_noticed() {
        let audience = Audience::default();
        let reader = audience.reader(None);
        let mut left = Box::pin(audience.left());
        assert!(futures::poll!(&mut left).is_pending());
        drop(reader);
        left.await;
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
