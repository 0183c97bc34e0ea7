//! `[service.NAME.breaker]`, `[service.NAME.retry]` and `[service.NAME.rollout]`.

use crate::config::document::{Document, Key, Table, Value};
use crate::config::values::{duration, number, positive, word};
use crate::settings::{Breaker, Retry, Rollout};

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
/// Tries that anybody could want; beyond it is a slip.
const MOST_RETRIES: u32 = 10;

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
            "success_rate" => document.set(&mut breaker.success_rate, key, value, share),
            "min_calls" => count(document, &mut breaker.min_calls, key, value),
            "window" => document.set(&mut breaker.window, key, value, positive),
            "open_min" => document.set(&mut breaker.open_min, key, value, positive),
            "open_max" => document.set(&mut breaker.open_max, key, value, positive),
            "slow_call" => document.set(&mut breaker.slow_call, key, value, duration),
            "slow_rate" => document.set(&mut breaker.slow_rate, key, value, share),
            "ramp" => document.set(&mut breaker.ramp, key, value, duration),
            _ => document.unknown(key, place, BREAKER),
        }
    }
    if breaker.open_min > breaker.open_max {
        contradiction(document, table, "open_min", "open_max");
    }
}

/// Reads the table of retries.
pub fn retry<'t>(document: &mut Document<'t>, place: &str, retry: &mut Retry, table: &Table<'t>) {
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "retries" => document.set(&mut retry.retries, key, value, |v| {
                number(v, 0..=MOST_RETRIES)
            }),
            "budget" => document.set(&mut retry.budget, key, value, share),
            "floor" => document.set(&mut retry.floor, key, value, |v| number(v, 0..=1000)),
            "backoff" => document.set(&mut retry.backoff, key, value, duration),
            "backoff_max" => document.set(&mut retry.backoff_max, key, value, duration),
            _ => document.unknown(key, place, RETRY),
        }
    }
    if retry.backoff > retry.backoff_max {
        contradiction(document, table, "backoff", "backoff_max");
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
            "watch" => document.set(&mut rollout.watch, key, value, positive),
            "min_calls" => count(document, &mut rollout.min_calls, key, value),
            "max_error_ratio" => document.set(&mut rollout.max_error_ratio, key, value, share),
            "max_latency_ratio" => {
                document.set(&mut rollout.max_latency_ratio, key, value, times);
            }
            _ => document.unknown(key, place, ROLLOUT),
        }
    }
}

fn count<'t>(document: &mut Document<'t>, count: &mut u32, key: &Key<'t>, value: &Value<'t>) {
    document.set(count, key, value, |v| number(v, 1..=1_000_000));
}

fn contradiction<'t>(document: &mut Document<'t>, table: &Table<'t>, least: &str, most: &str) {
    let place = table
        .keys()
        .find(|key| [least, most].contains(&key.get_ref().as_ref()));
    document.fault(
        place.map_or(0..0, Key::span),
        format!("`{least}` is above `{most}`"),
    );
}

fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("expected a share from 0 to 1 such as 0.8, found {text:?}"))
}

fn times(text: &str) -> Result<f64, String> {
    let times = text
        .parse()
        .ok()
        .filter(|times| (1.0..=1e6).contains(times));
    times.ok_or_else(|| format!("expected a factor of 1 at least such as 2.0, found {text:?}"))
}
