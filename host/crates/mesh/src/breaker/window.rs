//! Exact counts of the last seconds, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use stoa_telemetry::metrics::PerThread;

const BUCKETS: u64 = 10;
/// Bits of one count. Four million calls of a kind in one bucket; then it stands.
const COUNT_BITS: u32 = 22;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
/// What is left for the bucket's number: with buckets of a second, 12 days. Only a
/// bucket that nobody touched for exactly that long would be taken for a new one.
const TICK_MASK: u64 = (1 << (64 - 2 * COUNT_BITS)) - 1;

/// Ten buckets of time. A bucket's number stands in the same word as its counts, so
/// that making a bucket anew and counting in it never come apart.
pub(super) struct Window {
    began: Instant,
    bucket_nanos: u64,
    /// Each thread counts in its own: all calls of a service come by here.
    buckets: PerThread<Buckets>,
}

#[derive(Default)]
struct Buckets {
    calls: [AtomicU64; BUCKETS as usize],
    slow: [AtomicU64; BUCKETS as usize],
}

/// The counts of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
}

/// One count of the last seconds.
pub struct Tally(Window);

impl Tally {
    /// Nothing counted yet.
    pub fn new(length: Duration) -> Self {
        Self(Window::new(length, Instant::now()))
    }

    /// Counts one.
    pub fn add(&self) {
        self.0.add(true, false, Instant::now());
    }

    /// Those within the window.
    pub fn count(&self) -> u64 {
        self.0.sum(Instant::now()).succeeded
    }
}

impl Window {
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX) / BUCKETS;
        Self {
            began: now,
            bucket_nanos: nanos.max(1),
            buckets: PerThread::default(),
        }
    }

    pub(super) fn add(&self, success: bool, slow: bool, now: Instant) {
        let tick = self.tick(now);
        let at = (tick % BUCKETS) as usize;
        let (succeeded, failed) = if success { (1, 0) } else { (0, 1) };
        let own = self.buckets.own();
        count(&own.calls[at], tick, succeeded, failed);
        if slow {
            count(&own.slow[at], tick, 1, 0);
        }
    }

    pub(super) fn sum(&self, now: Instant) -> Sum {
        let tick = self.tick(now);
        let mut sum = Sum::default();
        for Buckets { calls, slow } in self.buckets.all() {
            for (calls, slow) in calls.iter().zip(slow) {
                let (succeeded, failed) = read(calls, tick);
                sum.succeeded += succeeded;
                sum.failed += failed;
                sum.slow += read(slow, tick).0;
            }
        }
        sum
    }

    pub(super) fn clear(&self, now: Instant) {
        let tick = self.tick(now);
        for Buckets { calls, slow } in self.buckets.all() {
            for word in calls.iter().chain(slow) {
                word.store(pack(tick, 0, 0), Ordering::Relaxed);
            }
        }
    }

    fn tick(&self, now: Instant) -> u64 {
        let nanos = now.saturating_duration_since(self.began).as_nanos();
        // From ten on: a bucket that was never used is too old to count.
        u64::try_from(nanos).unwrap_or(u64::MAX) / self.bucket_nanos + BUCKETS
    }
}

fn count(word: &AtomicU64, tick: u64, succeeded: u64, failed: u64) {
    let change = |old: u64| {
        let (of, before, after) = unpack(old);
        let (before, after) = if of == tick & TICK_MASK {
            (before, after)
        } else {
            (0, 0)
        };
        Some(pack(tick, before + succeeded, after + failed))
    };
    // The closure always gives a value.
    let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
}

fn read(word: &AtomicU64, now: u64) -> (u64, u64) {
    let (tick, succeeded, failed) = unpack(word.load(Ordering::Relaxed));
    if now.wrapping_sub(tick) & TICK_MASK < BUCKETS {
        (succeeded, failed)
    } else {
        (0, 0)
    }
}

fn pack(tick: u64, succeeded: u64, failed: u64) -> u64 {
    (tick & TICK_MASK) << (2 * COUNT_BITS)
        | succeeded.min(COUNT_MAX) << COUNT_BITS
        | failed.min(COUNT_MAX)
}

fn unpack(word: u64) -> (u64, u64, u64) {
    (
        word >> (2 * COUNT_BITS),
        word >> COUNT_BITS & COUNT_MAX,
        word & COUNT_MAX,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_and_leave_after_the_window() {
        let began = Instant::now();
        let window = Window::new(Duration::from_secs(10), began);
        for second in 0..25 {
            window.add(
                second % 2 == 0,
                second % 5 == 0,
                began + Duration::from_secs(second),
            );
        }
        let sum = window.sum(began + Duration::from_secs(24));
        let expected = Sum {
            succeeded: 5,
            failed: 5,
            slow: 2,
        };
        assert_eq!(sum, expected);
        assert_eq!(window.sum(began + Duration::from_secs(60)), Sum::default());
    }

    #[test]
    fn threads_count_together() {
        let began = Instant::now();
        let window = Window::new(Duration::from_secs(10), began);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let window = &window;
                scope.spawn(move || {
                    (0..100).for_each(|_| window.add(thread > 0, thread == 0, began));
                });
            }
        });
        let sum = Sum {
            succeeded: 300,
            failed: 100,
            slow: 100,
        };
        assert_eq!(window.sum(began), sum);
        window.clear(began);
        assert_eq!(window.sum(began), Sum::default());
    }

    #[test]
    fn a_full_count_stands_and_spoils_no_other() {
        let word = AtomicU64::new(pack(7, COUNT_MAX, 3));
        count(&word, 7, 1, 1);
        assert_eq!(unpack(word.load(Ordering::Relaxed)), (7, COUNT_MAX, 4));
    }
}
