//! Configuration, whoever sets it: the manifest or an operator.

use std::collections::BTreeMap;

use super::Check;

/// Bytes of a key: keys are names.
const KEY: usize = 256;
/// Bytes of all keys and values. They are in memory, and each version of them is kept:
/// files belong in buckets.
const ALL: usize = 256 << 10;

/// Checks a key of a configuration.
///
/// # Errors
/// What was expected and what was found.
pub fn key(key: &str) -> Result<(), String> {
    let expected = format!("expected a key of 1 to {KEY} bytes without control characters, found");
    if key.len() > KEY {
        return Err(format!("{expected} one of {} bytes", key.len()));
    }
    if key.is_empty() || key.chars().any(char::is_control) {
        return Err(format!("{expected} {key:?}"));
    }
    Ok(())
}

/// Checks how long the keys and values of a configuration are together.
///
/// # Errors
/// What was expected and what was found.
pub fn size(values: &BTreeMap<String, String>) -> Result<(), String> {
    let found: usize = values
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if found > ALL {
        return Err(format!(
            "expected {ALL} bytes at most, found {found}; keep large values in a bucket"
        ));
    }
    Ok(())
}

pub(super) fn all(check: &mut Check, values: &BTreeMap<String, String>) {
    for fault in values.keys().filter_map(|key| self::key(key).err()) {
        check.whole(fault);
    }
    if let Err(fault) = size(values) {
        check.whole(fault);
    }
}
