//! `[service.NAME.queues]`: `"shop:product/changes" = { key = "id" }`.

use super::keys::Keys;
use super::policy;
use crate::config::document::Entry;
use crate::config::values::{count, duration, number, size, word};
use crate::{OnExhausted, Queue};

const QUEUE: Keys<Queue> = Keys(&[
    ("key", |it, e| it.key = e.string()),
    ("dedupe", |it, e| it.dedupe = e.string()),
    ("dedupe_window", |it, e| {
        e.set(&mut it.dedupe_window, duration);
    }),
    ("delay", |it, e| e.set(&mut it.delay, duration)),
    ("rate", |it, e| it.rate = policy::rate(e)),
    ("concurrency", |it, e| e.set(&mut it.concurrency, count)),
    ("max_length", |it, e| {
        e.set(&mut it.max_length, |v| number(v, 0..=u64::MAX));
    }),
    ("max_bytes", |it, e| e.set(&mut it.max_bytes, size)),
    ("max_attempts", |it, e| e.set(&mut it.max_attempts, count)),
    ("backoff", |it, e| e.set(&mut it.backoff, duration)),
    ("backoff_max", |it, e| e.set(&mut it.backoff_max, duration)),
    ("on_exhausted", |it, e| {
        e.set(&mut it.on_exhausted, |v| word(v, &EXHAUSTED));
    }),
]);

const EXHAUSTED: [(&str, OnExhausted); 2] = [
    ("dead-letter", OnExhausted::DeadLetter),
    ("pause-key", OnExhausted::PauseKey),
];

/// Reads the table of one queue.
pub fn queue(entry: &mut Entry<'_, '_>) -> Queue {
    let mut queue = Queue::default();
    entry.inline(&mut queue, &QUEUE);
    queue
}
