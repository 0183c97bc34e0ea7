//! `[service.NAME.breaker]`, `[service.NAME.retry]` and `[service.NAME.rollout]`.

use super::keys::Keys;
use crate::config::values::{count, duration, truth};
use crate::{Breaker, Retry, Rollout};

/// The keys of a breaker.
pub const BREAKER: Keys<Breaker> = Keys(&[
    ("enabled", |it, e| e.set(&mut it.enabled, truth)),
    ("consecutive", |it, e| e.set(&mut it.consecutive, count)),
    ("success_rate", |it, e| e.set(&mut it.success_rate, real)),
    ("min_calls", |it, e| e.set(&mut it.min_calls, count)),
    ("window", |it, e| e.set(&mut it.window, duration)),
    ("open_min", |it, e| e.set(&mut it.open_min, duration)),
    ("open_max", |it, e| e.set(&mut it.open_max, duration)),
    ("slow_call", |it, e| e.set(&mut it.slow_call, duration)),
    ("slow_rate", |it, e| e.set(&mut it.slow_rate, real)),
    ("ramp", |it, e| e.set(&mut it.ramp, duration)),
]);

/// The keys of retries.
pub const RETRY: Keys<Retry> = Keys(&[
    ("retries", |it, e| e.set(&mut it.retries, count)),
    ("budget", |it, e| e.set(&mut it.budget, real)),
    ("floor", |it, e| e.set(&mut it.floor, count)),
    ("backoff", |it, e| e.set(&mut it.backoff, duration)),
    ("backoff_max", |it, e| e.set(&mut it.backoff_max, duration)),
]);

/// The keys of a rollout.
pub const ROLLOUT: Keys<Rollout> = Keys(&[
    ("auto_rollback", |it, e| e.set(&mut it.auto_rollback, truth)),
    ("watch", |it, e| e.set(&mut it.watch, duration)),
    ("min_calls", |it, e| e.set(&mut it.min_calls, count)),
    ("max_error_ratio", |it, e| {
        e.set(&mut it.max_error_ratio, real);
    }),
    ("max_latency_ratio", |it, e| {
        e.set(&mut it.max_latency_ratio, real);
    }),
]);

fn real(text: &str) -> Result<f64, String> {
    text.parse()
        .map_err(|_| format!("expected a number such as 0.8, found {text:?}"))
}
