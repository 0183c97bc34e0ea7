//! Durations as people write them (`"1m 30s"`).

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes `"250ms"`.
pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_duration(*value))
}

/// Reads `"250ms"`.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map_err(|fault| {
        D::Error::custom(format!(
            "expected a duration such as \"250ms\" or \"10s\", found {text:?}: {fault}"
        ))
    })
}
