//! What routes do to requests and responses beside their work: `rate = "100/s"`,
//! `cors = { origins = ["https://shop.example"] }`, `compression = "off"`.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::document::{Document, Key, Value, expected};
use crate::config::values::{duration, number, rate as short, word};
use crate::{By, Choice, Compression, Cors, Rate};

const RATE: &[&str] = &["limit", "per", "burst", "by"];
const CORS: &[&str] = &[
    "origins",
    "methods",
    "headers",
    "expose",
    "credentials",
    "max_age",
];

/// `"off"`: the route wants no part of what its service has a default for.
pub fn choice<T>(value: &Value<'_>) -> Option<Choice<T>> {
    (value.get_ref().as_str() == Some("off")).then_some(Choice::Off)
}

/// Reads `"100/s"`, or `{ limit = 100, per = "1s", burst = 200, by = "principal" }`.
pub fn rate<'t>(document: &mut Document<'t>, key: &Key<'t>, value: &Value<'t>) -> Option<Rate> {
    if let Some(text) = value.get_ref().as_str() {
        let rate = short(text).map(|(limit, per)| Rate::each(limit, per));
        return document.check(key, value, rate);
    }
    let Some(table) = value.get_ref().as_table() else {
        let what = "a rate such as \"100/s\" or { limit = 100, per = \"1s\", burst = 200 }";
        let fault = Err(expected(what, value.get_ref()));
        return document.check(key, value, fault);
    };
    let (mut limit, mut per, mut burst) = (None, Duration::from_secs(1), None);
    let mut by = By::default();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "limit" => document.set(&mut limit, key, value, |v| requests(v).map(Some)),
            "per" => document.set(&mut per, key, value, duration),
            "burst" => document.set(&mut burst, key, value, |v| requests(v).map(Some)),
            "by" => document.set(&mut by, key, value, |v| word(v, &BY)),
            _ => document.unknown(key, "rate", RATE),
        }
    }
    if limit.is_none() && !table.keys().any(|key| key.get_ref() == "limit") {
        document.fault(key.span(), "`rate` has no `limit`: say how many requests");
    }
    Some(Rate {
        limit: limit?,
        per,
        burst,
        by,
    })
}

/// Reads `{ origins = ["https://shop.example"], … }`.
pub fn cors<'t>(document: &mut Document<'t>, key: &Key<'t>, value: &Value<'t>) -> Option<Cors> {
    let table = document.table(key, value)?;
    let (mut cors, mut readable) = (Cors::default(), true);
    for (key, value) in table {
        let list = match key.get_ref().as_ref() {
            "origins" => &mut cors.origins,
            "methods" => &mut cors.methods,
            "headers" => &mut cors.headers,
            "expose" => &mut cors.expose,
            "credentials" => {
                let words = [("true", true), ("false", false)];
                document.set(&mut cors.credentials, key, value, |v| word(v, &words));
                continue;
            }
            "max_age" => {
                document.set(&mut cors.max_age, key, value, duration);
                continue;
            }
            _ => {
                document.unknown(key, "cors", CORS);
                continue;
            }
        };
        match document.strings(key, value) {
            Some(names) => *list = names,
            None => readable = false,
        }
    }
    readable.then_some(cors)
}

/// Words for whether answers may be compressed.
pub const COMPRESSION: [(&str, Compression); 2] =
    [("on", Compression::On), ("off", Compression::Off)];

const BY: [(&str, By); 3] = [
    ("principal", By::Principal),
    ("address", By::Address),
    ("route", By::Route),
];

fn requests(text: &str) -> Result<NonZeroU32, String> {
    number(text, NonZeroU32::MIN..=NonZeroU32::MAX)
}
