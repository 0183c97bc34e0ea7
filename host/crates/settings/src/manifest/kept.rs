//! A route's `cache` and `idempotency`, each short or as a table.

use crate::config::document::{Document, Key, Value};
use crate::config::values::{duration, word};
use crate::{Cache, Idempotency, IdempotencyKey};

const CACHE: &[&str] = &[
    "max_age",
    "stale_while_revalidate",
    "stale_if_error",
    "vary",
    "tags",
];
const IDEMPOTENCY: &[&str] = &["key", "window"];
const KEYS: [(&str, IdempotencyKey); 2] = [
    ("required", IdempotencyKey::Required),
    ("optional", IdempotencyKey::Optional),
];

/// Reads `"10s"` or `{ max_age = "10s", stale_if_error = "1h", … }`.
pub fn cache<'t>(document: &mut Document<'t>, key: &Key<'t>, value: &Value<'t>) -> Option<Cache> {
    let mut cache = Cache::default();
    if value.get_ref().is_str() {
        cache.max_age = document.duration(key, value)?;
        return Some(cache);
    }
    let table = document.table(key, value)?;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "max_age" => document.set(&mut cache.max_age, key, value, duration),
            "stale_while_revalidate" => {
                document.set(&mut cache.stale_while_revalidate, key, value, duration);
            }
            "stale_if_error" => document.set(&mut cache.stale_if_error, key, value, duration),
            "vary" => {
                let names = document.strings(key, value).unwrap_or_default();
                cache.vary = names.iter().map(|name| name.to_ascii_lowercase()).collect();
            }
            "tags" => cache.tags = document.strings(key, value).unwrap_or_default(),
            _ => document.unknown(key, "cache", CACHE),
        }
    }
    if !table.keys().any(|key| key.get_ref() == "max_age") {
        document.fault(
            key.span(),
            "`cache` has no `max_age`: say how long an answer is fresh",
        );
    }
    Some(cache)
}

/// Reads `"required"`, `"optional"` or `{ key = "required", window = "24h" }`.
pub fn idempotency<'t>(
    document: &mut Document<'t>,
    key: &Key<'t>,
    value: &Value<'t>,
) -> Option<Idempotency> {
    let mut idempotency = Idempotency::new(IdempotencyKey::Required);
    let Some(table) = value.get_ref().as_table() else {
        document.set(&mut idempotency.key, key, value, |v| word(v, &KEYS));
        return Some(idempotency);
    };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "key" => document.set(&mut idempotency.key, key, value, |v| word(v, &KEYS)),
            "window" => document.set(&mut idempotency.window, key, value, duration),
            _ => document.unknown(key, "idempotency", IDEMPOTENCY),
        }
    }
    Some(idempotency)
}
