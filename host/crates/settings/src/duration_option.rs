//! Durations as people write them, where there may be none.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Text(#[serde(with = "super::duration")] Duration);

/// Writes `"250ms"` or null.
pub fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    value.map(Text).serialize(to)
}

/// Reads `"250ms"` or null.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<Text>::deserialize(from)?.map(|text| text.0))
}
