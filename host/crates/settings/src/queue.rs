//! Imports that are queues: how calls are kept, and how they are delivered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Rate, duration};

/// How the calls of an imported interface are kept and delivered: to each service that
/// exports it, at least once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// The parameter by whose value calls are ordered: one at a time for each value.
    /// Without one there is no order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The parameter whose value names a call: a second one with it is the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedupe: Option<String>,
    /// How long a second call is known to be one.
    #[serde(with = "duration")]
    pub dedupe_window: Duration,
    /// How long a call is kept before it is delivered.
    #[serde(with = "duration")]
    pub delay: Duration,
    /// Deliveries to each subscriber in the long run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Deliveries to each subscriber at the same time.
    pub concurrency: u32,
    /// Calls that it holds; further ones are refused as unavailable.
    pub max_length: u64,
    /// Bytes that it holds, of arguments.
    pub max_bytes: u64,
    /// Failed deliveries of a call, after which `on_exhausted` says what becomes of it.
    pub max_attempts: u32,
    /// Wait after the first failed delivery; each one more doubles it. The wait is drawn
    /// from nothing up to this.
    #[serde(with = "duration")]
    pub backoff: Duration,
    /// The longest wait between two deliveries of a call.
    #[serde(with = "duration")]
    pub backoff_max: Duration,
    /// What becomes of a call that is never delivered well.
    pub on_exhausted: OnExhausted,
}

/// What becomes of a call whose deliveries all failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExhausted {
    /// It goes to the dead letters, and those behind it go on.
    #[default]
    DeadLetter,
    /// It stays, and those of its key wait behind it until an operator has it delivered
    /// again or purges it.
    PauseKey,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            key: None,
            dedupe: None,
            // What clients know from payment APIs: longer than any of them retries.
            dedupe_window: Duration::from_secs(24 * 60 * 60),
            delay: Duration::ZERO,
            rate: None,
            // Handlers wait for the disk more than they compute, and calls of clients come
            // before them all the same.
            concurrency: 16,
            // Hours of a busy shop; beyond, the subscriber is down and somebody should know.
            max_length: 100_000,
            // What the calls of `max_length` have if each is of some kilobytes.
            max_bytes: 256 << 20,
            // With the waits below six minutes on the average, which outlasts a deploy and a
            // restart.
            max_attempts: 20,
            // As Restate and Golem do: long enough for what is not instant.
            backoff: Duration::from_millis(500),
            // A subscriber that is back gets its calls within a minute.
            backoff_max: Duration::from_secs(60),
            on_exhausted: OnExhausted::default(),
        }
    }
}

impl Queue {
    /// The longest that a call may be kept before its first delivery: what brokers allow
    /// at most.
    pub const LONGEST_DELAY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// How long a call waits that failed `failed` times, drawn by `lot` from 0 to 1.
    pub fn wait(&self, failed: u32, lot: f64) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        let most = self.backoff.saturating_mul(1 << doublings);
        // Full jitter: those that failed together do not come back together.
        most.min(self.backoff_max).mul_f64(lot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound() {
        let queue = Queue::default();
        let most = |failed| queue.wait(failed, 1.0).as_millis();
        assert_eq!([1, 2, 3, 20].map(most), [500, 1000, 2000, 60_000]);
        assert_eq!(most(u32::MAX), 60_000);
        assert_eq!(queue.wait(3, 0.5), Duration::from_secs(1));
    }
}
