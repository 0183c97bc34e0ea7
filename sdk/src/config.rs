//! Settings from `wasi:config`, read when they are used: an operator changes them
//! without a redeploy.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::bindings::wasi::config::store;
use crate::{Error, unavailable};

/// The setting's text, or `None` when it is not set.
pub fn text(key: &str) -> Result<Option<String>, Error> {
    store::get(key).map_err(|fault| {
        tracing::error!("setting {key}: {fault:?}");
        unavailable!("the service's settings can't be read now")
    })
}

/// All settings, by key.
pub fn all() -> Result<Vec<(String, String)>, Error> {
    store::get_all().map_err(|fault| {
        tracing::error!("settings: {fault:?}");
        unavailable!("the service's settings can't be read now")
    })
}

/// The setting as a number, a bool or anything else that is read from text.
pub fn get<T: FromStr<Err: Display>>(key: &str) -> Result<Option<T>, Error> {
    text(key)?.map(|text| parse(key, &text)).transpose()
}

/// The setting as JSON.
pub fn json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    text(key)?.map(|text| from_json(key, &text)).transpose()
}

/// Reads a setting that is one value.
fn parse<T: FromStr<Err: Display>>(key: &str, text: &str) -> Result<T, Error> {
    text.trim().parse().map_err(|fault| bad(key, text, &fault))
}

/// Reads a setting that is JSON.
pub fn from_json<T: DeserializeOwned>(key: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|fault| bad(key, text, &fault))
}

/// The operator reads the log; the client learns only which setting it is.
fn bad(key: &str, text: &str, fault: &dyn Display) -> Error {
    tracing::error!("setting {key} = {text:?} can't be used: {fault}");
    unavailable!("the service's setting {key} is wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_typed() {
        assert_eq!(parse::<u64>("ttl", " 900\n").expect("a number"), 900);
        assert!(matches!(
            parse::<u64>("ttl", "15m"),
            Err(Error::Unavailable(_))
        ));
        assert_eq!(
            from_json::<Vec<u8>>("list", "[1,2]").expect("a list"),
            [1, 2]
        );
    }
}
