//! `[service.NAME.breaker]`, `[service.NAME.retry]` and `[service.NAME.rollout]`.

use crate::config::document::{Document, Key, Table, Value};
use crate::config::values::{duration, number, word};
use crate::{Breaker, Retry, Rollout};

const BREAKER: &[&str] = &[
    "enabled",
    "consecutive",
    "success_rate",
    "min_calls",
    "window",
    "open_min",
    "open_max",
    "slow_call",
    "slow_rate",
    "ramp",
];
const RETRY: &[&str] = &["retries", "budget", "floor", "backoff", "backoff_max"];
const ROLLOUT: &[&str] = &[
    "auto_rollback",
    "watch",
    "min_calls",
    "max_error_ratio",
    "max_latency_ratio",
];
const TRUTH: &[(&str, bool)] = &[("true", true), ("false", false)];

/// Reads the table of a breaker.
pub fn breaker<'t>(
    document: &mut Document<'t>,
    place: &str,
    breaker: &mut Breaker,
    table: &Table<'t>,
) {
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "enabled" => document.set(&mut breaker.enabled, key, value, |v| word(v, TRUTH)),
            "consecutive" => count(document, &mut breaker.consecutive, key, value),
            "success_rate" => document.set(&mut breaker.success_rate, key, value, real),
            "min_calls" => count(document, &mut breaker.min_calls, key, value),
            "window" => document.set(&mut breaker.window, key, value, duration),
            "open_min" => document.set(&mut breaker.open_min, key, value, duration),
            "open_max" => document.set(&mut breaker.open_max, key, value, duration),
            "slow_call" => document.set(&mut breaker.slow_call, key, value, duration),
            "slow_rate" => document.set(&mut breaker.slow_rate, key, value, real),
            "ramp" => document.set(&mut breaker.ramp, key, value, duration),
            _ => document.unknown(key, place, BREAKER),
        }
    }
}

/// Reads the table of retries.
pub fn retry<'t>(document: &mut Document<'t>, place: &str, retry: &mut Retry, table: &Table<'t>) {
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "retries" => count(document, &mut retry.retries, key, value),
            "budget" => document.set(&mut retry.budget, key, value, real),
            "floor" => count(document, &mut retry.floor, key, value),
            "backoff" => document.set(&mut retry.backoff, key, value, duration),
            "backoff_max" => document.set(&mut retry.backoff_max, key, value, duration),
            _ => document.unknown(key, place, RETRY),
        }
    }
}

/// Reads the table of a rollout.
pub fn rollout<'t>(
    document: &mut Document<'t>,
    place: &str,
    rollout: &mut Rollout,
    table: &Table<'t>,
) {
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "auto_rollback" => {
                document.set(&mut rollout.auto_rollback, key, value, |v| word(v, TRUTH));
            }
            "watch" => document.set(&mut rollout.watch, key, value, duration),
            "min_calls" => count(document, &mut rollout.min_calls, key, value),
            "max_error_ratio" => document.set(&mut rollout.max_error_ratio, key, value, real),
            "max_latency_ratio" => {
                document.set(&mut rollout.max_latency_ratio, key, value, real);
            }
            _ => document.unknown(key, place, ROLLOUT),
        }
    }
}

fn count<'t>(document: &mut Document<'t>, count: &mut u32, key: &Key<'t>, value: &Value<'t>) {
    document.set(count, key, value, |v| number(v, 0..=u32::MAX));
}

fn real(text: &str) -> Result<f64, String> {
    text.parse()
        .map_err(|_| format!("expected a number such as 0.8, found {text:?}"))
}
