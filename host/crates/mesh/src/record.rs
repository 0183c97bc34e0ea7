//! What became of the calls of one link: the one record that everybody reads.
//!
//! The breaker's window and the health that rollouts are judged by are differences of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use stoa_telemetry::metrics::Histogram;

/// Counts the calls of one link since it was made, those alone that say something of the
/// revision. Each thread counts in its own, for all calls of a service come by here.
pub(crate) struct CallRecord {
    latency: Histogram,
    // These two are seldom written.
    failed: AtomicU64,
    slow: AtomicU64,
}

/// How many calls there were up to a moment, or between two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) slow: u64,
}

/// How a revision does: what was counted up to a moment, or between two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Calls that say something of the revision.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Calls by latency; see [`bounds`].
    pub latency: Vec<u64>,
}

/// Upper bounds in nanoseconds of [`Numbers::latency`], but for the last.
pub fn bounds() -> &'static [u64] {
    Histogram::REQUESTS
}

impl CallRecord {
    /// Counts a call that took so long.
    #[inline]
    pub(crate) fn call(&self, took: Duration, failed: bool, slow: bool) {
        self.latency.observe(took);
        if failed {
            self.fail();
        }
        if slow {
            self.slow.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a call that seemed well as failed, such as one whose body broke off.
    pub(crate) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            calls: self.latency.count(),
            failed: self.failed.load(Ordering::Relaxed),
            slow: self.slow.load(Ordering::Relaxed),
        }
    }

    /// The same, with latencies.
    pub(crate) fn numbers(&self) -> Numbers {
        let latency = self.latency.buckets();
        Numbers {
            calls: latency.iter().sum(),
            failed: self.failed.load(Ordering::Relaxed),
            latency,
        }
    }
}

impl Default for CallRecord {
    fn default() -> Self {
        Self {
            latency: Histogram::of_requests(),
            failed: AtomicU64::new(0),
            slow: AtomicU64::new(0),
        }
    }
}

// === impl Counts ===

impl Counts {
    /// What came since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        // A call and its failure may be counted in different buckets.
        let failed = self.failed.saturating_sub(earlier.failed);
        Self {
            calls: self.calls.saturating_sub(earlier.calls).max(failed),
            failed,
            slow: self.slow.saturating_sub(earlier.slow),
        }
    }

    /// Both together.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            failed: self.failed + other.failed,
            slow: self.slow + other.slow,
        }
    }
}

// === impl Numbers ===

impl Numbers {
    /// Nothing.
    pub fn none() -> Self {
        Self {
            latency: vec![0; bounds().len() + 1],
            ..Self::default()
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.calls += other.calls;
        self.failed += other.failed;
        let latency = self.latency.iter_mut().zip(&other.latency);
        latency.for_each(|(sum, count)| *sum += count);
        self
    }

    /// What came since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |at: usize| earlier.latency.get(at).copied().unwrap_or_default();
        let latency = self.latency.iter().enumerate();
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            failed: self.failed.saturating_sub(earlier.failed),
            latency: latency
                .map(|(at, count)| count.saturating_sub(before(at)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_count_together() {
        let record = CallRecord::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let record = &record;
                scope.spawn(move || {
                    let (took, is_first) = (Duration::from_millis(thread), thread == 0);
                    (0..100).for_each(|_| record.call(took, is_first, thread == 3));
                });
            }
        });
        let counts = Counts {
            calls: 400,
            failed: 100,
            slow: 100,
        };
        assert_eq!(record.counts(), counts);
        let numbers = Numbers::none().and(&record.numbers());
        assert_eq!((numbers.calls, numbers.failed), (400, 100));
        assert_eq!(numbers.since(&record.numbers()), Numbers::none());
    }
}
