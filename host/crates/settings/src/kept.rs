//! Answers that are kept: for a client that asks again, and for everybody.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// How a route treats the `Idempotency-Key` header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// Whether a request must have a key.
    pub key: IdempotencyKey,
    /// How long the first answer is replayed.
    #[serde(with = "duration", default = "Idempotency::window")]
    pub window: Duration,
}

/// Whether a request must have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdempotencyKey {
    /// A request without one is refused.
    Required,
    /// A request without one is served as if the route did not ask.
    Optional,
}

impl Idempotency {
    /// What clients know from payment APIs: longer than any of them retries.
    pub const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

    /// With the usual window.
    pub fn new(key: IdempotencyKey) -> Self {
        Self {
            key,
            window: Self::WINDOW,
        }
    }

    fn window() -> Duration {
        Self::WINDOW
    }
}

/// How long answers to GET may be kept, RFC 9111 and 5861. A plain duration is
/// read as `max_age` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Cache {
    /// How long an answer is fresh.
    #[serde(with = "duration")]
    pub max_age: Duration,
    /// How much longer it is served while a new one is fetched. Not at all by
    /// default: an old answer is a choice.
    #[serde(with = "duration")]
    pub stale_while_revalidate: Duration,
    /// How much longer it is served when the service fails. Likewise.
    #[serde(with = "duration")]
    pub stale_if_error: Duration,
    /// Lower-case names of request headers that the answer depends on.
    pub vary: Vec<String>,
    /// Words by which answers can be purged.
    pub tags: Vec<String>,
}

/// The two ways to write a [`Cache`].
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    MaxAge(#[serde(with = "duration")] Duration),
    Whole(Whole),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    #[serde(with = "duration")]
    max_age: Duration,
    #[serde(with = "duration", default)]
    stale_while_revalidate: Duration,
    #[serde(with = "duration", default)]
    stale_if_error: Duration,
    #[serde(default)]
    vary: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
}

impl From<Written> for Cache {
    fn from(written: Written) -> Self {
        match written {
            Written::MaxAge(max_age) => Self {
                max_age,
                ..Self::default()
            },
            Written::Whole(whole) => Self {
                max_age: whole.max_age,
                stale_while_revalidate: whole.stale_while_revalidate,
                stale_if_error: whole.stale_if_error,
                vary: whole.vary,
                tags: whole.tags,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_ways_to_write_a_cache_are_read() {
        let plain: Cache = serde_json::from_value(json!("10s")).unwrap();
        assert_eq!(plain.max_age, Duration::from_secs(10));
        let whole = json!({ "max_age": "10s", "stale_if_error": "1h", "tags": ["catalog"] });
        let whole: Cache = serde_json::from_value(whole).unwrap();
        assert_eq!(whole.stale_if_error, Duration::from_secs(3600));
        let written = serde_json::to_value(&whole).unwrap();
        assert_eq!(serde_json::from_value::<Cache>(written).unwrap(), whole);
    }

    #[test]
    fn a_key_has_the_usual_window_unless_it_says_another() {
        let read = |json| serde_json::from_value::<Idempotency>(json).unwrap();
        let optional = read(json!({ "key": "optional" }));
        assert_eq!(optional, Idempotency::new(IdempotencyKey::Optional));
        let short = read(json!({ "key": "required", "window": "1m" }));
        assert_eq!(short.window, Duration::from_secs(60));
    }
}
