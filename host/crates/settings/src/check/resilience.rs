//! Breakers, retries and rollouts.

use std::time::Duration;

use super::{Check, MOST};
use crate::{Breaker, Retry, Rollout};

/// Tries that anybody could want; beyond it is a slip.
const MOST_RETRIES: u32 = 10;
/// Retries a second beyond which a floor is no floor.
const MOST_FLOOR: u32 = 1000;

pub(super) fn breaker(check: &mut Check, breaker: &Breaker) {
    check.number("consecutive", breaker.consecutive, 1..=MOST);
    check.share("success_rate", breaker.success_rate);
    check.number("min_calls", breaker.min_calls, 1..=MOST);
    check.positive("window", breaker.window);
    check.positive("open_min", breaker.open_min);
    check.positive("open_max", breaker.open_max);
    check.time("slow_call", breaker.slow_call);
    check.share("slow_rate", breaker.slow_rate);
    check.time("ramp", breaker.ramp);
    in_order(
        check,
        ("open_min", breaker.open_min),
        ("open_max", breaker.open_max),
    );
}

pub(super) fn retry(check: &mut Check, retry: &Retry) {
    check.number("retries", retry.retries, 0..=MOST_RETRIES);
    check.share("budget", retry.budget);
    check.number("floor", retry.floor, 0..=MOST_FLOOR);
    check.time("backoff", retry.backoff);
    check.time("backoff_max", retry.backoff_max);
    in_order(
        check,
        ("backoff", retry.backoff),
        ("backoff_max", retry.backoff_max),
    );
}

pub(super) fn rollout(check: &mut Check, rollout: &Rollout) {
    check.positive("watch", rollout.watch);
    check.number("min_calls", rollout.min_calls, 1..=MOST);
    check.share("max_error_ratio", rollout.max_error_ratio);
    let found = rollout.max_latency_ratio;
    if !(1.0..=1e6).contains(&found) {
        let fault = format!("expected a factor of 1 at least such as 2.0, found \"{found}\"");
        check.value("max_latency_ratio", Err::<(), _>(fault));
    }
}

fn in_order(check: &mut Check, least: (&str, Duration), most: (&str, Duration)) {
    if least.1 > most.1 {
        let (least, most) = (least.0, most.0);
        check.whole(format!("`{least}` is above `{most}`"));
    }
}
