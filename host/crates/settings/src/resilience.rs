//! When a service is cut off, when a call is tried again, when a deploy is undone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// When calls to a revision stop because it fails, and how they come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// Whether failures open it by themselves. An operator can force it all the same.
    pub enabled: bool,
    /// Failures in a row that open it.
    pub consecutive: u32,
    /// Share of calls that must succeed, from 0 to 1; below it opens.
    pub success_rate: f64,
    /// Calls in the window before a rate means anything.
    pub min_calls: u32,
    /// How far the rates look back, in ten buckets.
    #[serde(with = "duration")]
    pub window: Duration,
    /// How long it is open the first time; each failed probe doubles it.
    #[serde(with = "duration")]
    pub open_min: Duration,
    /// How long it is open at most, before up to half as much jitter.
    #[serde(with = "duration")]
    pub open_max: Duration,
    /// A call that takes longer is slow; zero is never.
    #[serde(with = "duration")]
    pub slow_call: Duration,
    /// Share of slow calls that opens it, from 0 to 1.
    pub slow_rate: f64,
    /// How long the admitted share grows to all calls after a probe succeeded.
    #[serde(with = "duration")]
    pub ramp: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            // A revision that only fails costs an instance a call: never without.
            enabled: true,
            // With a success rate of 80 %, chance alone gives seven in a row once
            // in 78 000 calls, and the probe a second later ends that.
            consecutive: 7,
            // What retries under their budget of 20 % can hide, and no more.
            success_rate: 0.8,
            // Fewer say nothing about a rate of 0.8.
            min_calls: 5,
            // Long enough for services with little traffic, short enough to forget.
            window: Duration::from_secs(10),
            // As long as a restart of a dependency takes at least.
            open_min: Duration::from_secs(1),
            // One failed call a minute harms nobody.
            open_max: Duration::from_secs(60),
            // What is slow differs from service to service: nobody can guess it.
            slow_call: Duration::ZERO,
            // Half: a few slow calls are normal once `slow_call` is set.
            slow_rate: 0.5,
            // Caches and pools fill again before all traffic is back.
            ramp: Duration::from_secs(5),
        }
    }
}

/// When a call that failed is tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Tries after the first; 0 is never.
    pub retries: u32,
    /// Retries as a share of calls, from 0 to 1.
    pub budget: f64,
    /// Retries a second that are allowed beside the share.
    pub floor: u32,
    /// Wait before the first retry; each one more doubles it. The wait is drawn
    /// from nothing up to this.
    #[serde(with = "duration")]
    pub backoff: Duration,
    /// The longest wait between two tries.
    #[serde(with = "duration")]
    pub backoff_max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            // One hides a single crash; more only multiply the load of an outage.
            retries: 1,
            // As linkerd, Envoy and Finagle do.
            budget: 0.2,
            // So that a service with little traffic has retries at all.
            floor: 3,
            // A new instance takes microseconds; this is for what is not instant.
            backoff: Duration::from_millis(10),
            // Beyond this the client would rather know.
            backoff_max: Duration::from_secs(1),
        }
    }
}

/// How a new revision takes over, and when the host takes it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rollout {
    /// Whether the host swaps back a new revision that is clearly worse.
    pub auto_rollback: bool,
    /// How long a new revision is compared with the one before.
    #[serde(with = "duration")]
    pub watch: Duration,
    /// Calls of the new revision before it is judged.
    pub min_calls: u32,
    /// Share of failed calls that is borne whatever the old revision had, from 0 to 1.
    pub max_error_ratio: f64,
    /// How many times slower than the old revision the slowest tenth of calls may be.
    pub max_latency_ratio: f64,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            // To swap back is a choice of the operator's, as a swap is.
            auto_rollback: false,
            // Most faults of a deploy show within minutes.
            watch: Duration::from_secs(300),
            // The least on which the test of two proportions is worth something.
            min_calls: 20,
            // One failure in a hundred is within what clients retry.
            max_error_ratio: 0.01,
            // Twice is more than a cold cache or a noisy neighbour makes.
            max_latency_ratio: 2.0,
        }
    }
}
