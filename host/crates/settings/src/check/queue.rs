//! Queues.

use super::{Check, MOST};
use crate::Queue;

/// Calls that one queue may hold: beyond, it belongs in a database.
const MOST_CALLS: u64 = 10_000_000;
/// Bytes that one queue may hold.
const MOST_BYTES: u64 = 1 << 40;
/// Tries that anybody could want; with the longest waits they take days.
const MOST_ATTEMPTS: u32 = 10_000;

pub(super) fn queue(check: &mut Check, interface: &str, queue: &Queue) {
    check.within(interface, |check| {
        if let Err(fault) = super::interface(interface) {
            check.whole(fault);
        }
        check.time("dedupe_window", queue.dedupe_window);
        check.time("delay", queue.delay);
        if queue.delay > Queue::LONGEST_DELAY {
            let found = humantime::format_duration(queue.delay);
            let fault = format!("expected 30 days at most, found \"{found}\"");
            check.value("delay", Err::<(), _>(fault));
        }
        check.rate(queue.rate.as_ref());
        check.number("concurrency", queue.concurrency, 1..=MOST);
        check.number("max_length", queue.max_length, 1..=MOST_CALLS);
        check.number("max_bytes", queue.max_bytes, 1..=MOST_BYTES);
        check.number("max_attempts", queue.max_attempts, 1..=MOST_ATTEMPTS);
        check.time("backoff", queue.backoff);
        check.time("backoff_max", queue.backoff_max);
        if queue.backoff > queue.backoff_max {
            check.whole("`backoff` is above `backoff_max`");
        }
    });
}
