//! What of a count that only grows came within the last seconds.
//!
//! Nothing is counted here: at the start of each bucket of time the count is noted that
//! the calls have come to by then, and the difference to the note that is as old as the
//! window is what came within it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::record::Counts;

const BUCKETS: usize = 10;

/// Ten buckets of time.
pub(super) struct Window {
    began: Instant,
    bucket_nanos: u64,
    /// When the next bucket starts, in nanoseconds since `began`.
    due: AtomicU64,
    notes: Mutex<Notes>,
}

/// What was counted at the start of each of the last buckets.
#[derive(Default)]
struct Notes {
    /// The number of the newest bucket; each stands at its number modulo [`BUCKETS`].
    newest: u64,
    starts: [Counts; BUCKETS],
}

/// How many there were of something within the last seconds.
pub struct Tally {
    count: AtomicU64,
    window: Window,
}

// === impl Tally ===

impl Tally {
    /// Nothing counted yet.
    pub fn new(length: Duration) -> Self {
        Self {
            count: AtomicU64::new(0),
            window: Window::new(length, Instant::now()),
        }
    }

    /// Counts one.
    pub fn add(&self) {
        self.window.roll(Instant::now(), || self.counts());
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Those within the window.
    pub fn count(&self) -> u64 {
        let within = self.window.within(Instant::now(), || self.counts());
        within.calls
    }

    fn counts(&self) -> Counts {
        Counts {
            calls: self.count.load(Ordering::Relaxed),
            ..Counts::default()
        }
    }
}

// === impl Window ===

impl Window {
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX) / BUCKETS as u64;
        let bucket_nanos = nanos.max(1);
        Self {
            began: now,
            bucket_nanos,
            due: AtomicU64::new(bucket_nanos),
            notes: Mutex::default(),
        }
    }

    /// Notes what was `counted` if a bucket has started; to be called before something is
    /// counted.
    #[inline]
    pub(super) fn roll(&self, now: Instant, counted: impl Fn() -> Counts) {
        if self.nanos(now) >= self.due.load(Ordering::Relaxed) {
            self.start_bucket(now, &counted());
        }
    }

    /// What of the `counted` came within the window.
    pub(super) fn within(&self, now: Instant, counted: impl Fn() -> Counts) -> Counts {
        self.roll(now, &counted);
        let notes = self.lock();
        counted().since(&notes.starts[(notes.newest as usize + 1) % BUCKETS])
    }

    /// Begins anew: nothing of what was `counted` is within the window.
    pub(super) fn clear(&self, counted: Counts) {
        self.lock().starts = [counted; BUCKETS];
    }

    /// Takes something out that was counted and is not to be within the window.
    pub(super) fn disregard(&self, counted: Counts) {
        for start in &mut self.lock().starts {
            *start = start.and(&counted);
        }
    }

    #[cold]
    fn start_bucket(&self, now: Instant, counted: &Counts) {
        let mut notes = self.lock();
        let newest = self.nanos(now) / self.bucket_nanos;
        // Nothing was counted in those that nobody started.
        let passed = newest.saturating_sub(notes.newest).min(BUCKETS as u64);
        for bucket in newest - passed..newest {
            notes.starts[(bucket + 1) as usize % BUCKETS] = *counted;
        }
        notes.newest = newest.max(notes.newest);
        let due = (notes.newest + 1).saturating_mul(self.bucket_nanos);
        self.due.store(due, Ordering::Relaxed);
    }

    fn nanos(&self, now: Instant) -> u64 {
        let nanos = now.saturating_duration_since(self.began).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(calls: u64, failed: u64, slow: u64) -> Counts {
        Counts {
            calls,
            failed,
            slow,
        }
    }

    #[test]
    fn counts_are_exact_and_leave_after_the_window() {
        let began = Instant::now();
        let at = |second| began + Duration::from_secs(second);
        let window = Window::new(Duration::from_secs(10), began);
        let mut counted = Counts::default();
        for second in 0..25 {
            window.roll(at(second), || counted);
            let one = counts(1, second % 2, u64::from(second % 5 == 0));
            counted = counted.and(&one);
        }
        assert_eq!(window.within(at(24), || counted), counts(10, 5, 2));
        assert_eq!(window.within(at(29), || counted), counts(5, 2, 1));
        assert_eq!(window.within(at(60), || counted), Counts::default());
    }

    #[test]
    fn what_is_not_to_count_is_not_within_it() {
        let began = Instant::now();
        let window = Window::new(Duration::from_secs(10), began);
        let counted = counts(7, 3, 1);
        assert_eq!(window.within(began, || counted), counted);
        window.disregard(counts(1, 1, 0));
        assert_eq!(window.within(began, || counted), counts(6, 2, 1));
        window.clear(counted);
        assert_eq!(window.within(began, || counted), Counts::default());
    }

    #[test]
    fn a_time_before_the_newest_bucket_changes_nothing() {
        let began = Instant::now();
        let window = Window::new(Duration::from_secs(10), began);
        window.roll(began + Duration::from_secs(5), Counts::default);
        window.due.store(0, Ordering::Relaxed);
        window.roll(began + Duration::from_secs(3), || counts(9, 9, 9));
        let within = window.within(began + Duration::from_secs(5), || counts(9, 9, 9));
        assert_eq!(within, counts(9, 9, 9));
    }
}
