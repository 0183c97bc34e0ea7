//! A route's `cache` and `idempotency`, each short or as a table.

use super::keys::Keys;
use crate::config::document::Entry;
use crate::config::values::{duration, word};
use crate::{Cache, Idempotency, IdempotencyKey};

const CACHE: Keys<Cache> = Keys(&[
    ("max_age", |cache, e| e.set(&mut cache.max_age, duration)),
    ("stale_while_revalidate", |cache, e| {
        e.set(&mut cache.stale_while_revalidate, duration);
    }),
    ("stale_if_error", |cache, e| {
        e.set(&mut cache.stale_if_error, duration);
    }),
    ("vary", |cache, e| {
        let names = e.strings().unwrap_or_default();
        cache.vary = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    }),
    ("tags", |cache, e| {
        cache.tags = e.strings().unwrap_or_default();
    }),
]);

const IDEMPOTENCY: Keys<Idempotency> = Keys(&[
    ("key", |it, e| e.set(&mut it.key, key)),
    ("window", |it, e| e.set(&mut it.window, duration)),
]);

/// Reads `"10s"` or `{ max_age = "10s", stale_if_error = "1h", … }`.
pub fn cache(entry: &mut Entry<'_, '_>) -> Option<Cache> {
    let mut cache = Cache::default();
    if entry.value.get_ref().is_str() {
        cache.max_age = entry.duration()?;
        return Some(cache);
    }
    entry.table()?;
    entry.inline(&mut cache, &CACHE);
    if !entry.has("max_age") {
        entry.fault("`cache` has no `max_age`: say how long an answer is fresh");
    }
    Some(cache)
}

/// Reads `"required"`, `"optional"` or `{ key = "required", window = "24h" }`.
pub fn idempotency(entry: &mut Entry<'_, '_>) -> Option<Idempotency> {
    let mut idempotency = Idempotency::new(IdempotencyKey::Required);
    if entry.value.get_ref().is_table() {
        entry.inline(&mut idempotency, &IDEMPOTENCY);
    } else {
        entry.set(&mut idempotency.key, key);
    }
    Some(idempotency)
}

fn key(text: &str) -> Result<IdempotencyKey, String> {
    let words = [
        ("required", IdempotencyKey::Required),
        ("optional", IdempotencyKey::Optional),
    ];
    word(text, &words)
}
