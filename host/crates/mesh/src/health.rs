//! How a revision does: calls, failures, latency. What rollouts are judged by.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::breaker::Outcome;
use stoa_telemetry::metrics::Histogram;

/// Counts for one revision since it was loaded, over all its links.
pub struct Health {
    failed: AtomicU64,
    latency: Histogram,
}

/// What was counted up to a moment, or between two.
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

impl Health {
    /// Records a call that took so long.
    #[inline]
    pub fn record(&self, outcome: Outcome, took: Duration) {
        match outcome {
            Outcome::Ignored => return,
            Outcome::Success => {}
            Outcome::Failure => {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.latency.observe(took);
    }

    /// What was counted so far.
    pub fn numbers(&self) -> Numbers {
        let failed = self.failed.load(Ordering::Relaxed);
        let latency = self.latency.buckets();
        Numbers {
            calls: latency.iter().sum(),
            failed,
            latency,
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            failed: AtomicU64::new(0),
            latency: Histogram::of_requests(),
        }
    }
}

// === impl Numbers ===

impl Numbers {
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
