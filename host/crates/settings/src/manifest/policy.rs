//! What routes do to requests and responses beside their work: `rate = "100/s"`,
//! `cors = { origins = ["https://shop.example"] }`, `compression = "off"`.

use std::num::NonZeroU32;
use std::time::Duration;

use super::keys::Keys;
use crate::config::document::{Entry, expected};
use crate::config::values::{duration, number, rate as short, truth, word};
use crate::{By, Choice, Compression, Cors, Rate};

/// A rate that is read: what it lacks until its `limit` is known.
struct RateDraft {
    limit: Option<NonZeroU32>,
    rate: Rate,
}

const RATE: Keys<RateDraft> = Keys(&[
    ("limit", |it, e| e.set(&mut it.limit, requests)),
    ("per", |it, e| e.set(&mut it.rate.per, duration)),
    ("burst", |it, e| e.set(&mut it.rate.burst, requests)),
    ("by", |it, e| e.set(&mut it.rate.by, |v| word(v, &BY))),
]);

/// What is read of `cors`: not all of it, if a list can't be.
#[derive(Default)]
struct CorsDraft {
    cors: Cors,
    partial: bool,
}

const CORS: Keys<CorsDraft> = Keys(&[
    ("origins", |it, e| it.list(e, |cors| &mut cors.origins)),
    ("methods", |it, e| it.list(e, |cors| &mut cors.methods)),
    ("headers", |it, e| it.list(e, |cors| &mut cors.headers)),
    ("expose", |it, e| it.list(e, |cors| &mut cors.expose)),
    ("credentials", |it, e| {
        e.set(&mut it.cors.credentials, truth);
    }),
    ("max_age", |it, e| e.set(&mut it.cors.max_age, duration)),
]);

impl CorsDraft {
    fn list(&mut self, entry: &mut Entry<'_, '_>, list: fn(&mut Cors) -> &mut Vec<String>) {
        match entry.strings() {
            Some(names) => *list(&mut self.cors) = names,
            None => self.partial = true,
        }
    }
}

/// `"off"`: the route wants no part of what its service has a default for.
pub fn choice<T>(entry: &Entry<'_, '_>) -> Option<Choice<T>> {
    (entry.value.get_ref().as_str() == Some("off")).then_some(Choice::Off)
}

/// Reads `"100/s"`, or `{ limit = 100, per = "1s", burst = 200, by = "principal" }`.
pub fn rate(entry: &mut Entry<'_, '_>) -> Option<Rate> {
    let found = entry.value.get_ref();
    if let Some(text) = found.as_str() {
        return entry.check(short(text).map(|(limit, per)| Rate::each(limit, per)));
    }
    if !found.is_table() {
        let what = "a rate such as \"100/s\" or { limit = 100, per = \"1s\", burst = 200 }";
        return entry.check(Err(expected(what, found)));
    }
    let mut draft = RateDraft {
        limit: None,
        rate: Rate::each(NonZeroU32::MIN, Duration::from_secs(1)),
    };
    entry.inline(&mut draft, &RATE);
    if !entry.has("limit") {
        entry.fault("`rate` has no `limit`: say how many requests");
    }
    Some(Rate {
        limit: draft.limit?,
        ..draft.rate
    })
}

/// Reads `{ origins = ["https://shop.example"], … }`.
pub fn cors(entry: &mut Entry<'_, '_>) -> Option<Cors> {
    entry.table()?;
    let mut draft = CorsDraft::default();
    entry.inline(&mut draft, &CORS);
    (!draft.partial).then_some(draft.cors)
}

/// Words for whether answers may be compressed.
pub const COMPRESSION: [(&str, Compression); 2] =
    [("on", Compression::On), ("off", Compression::Off)];

const BY: [(&str, By); 3] = [
    ("principal", By::Principal),
    ("address", By::Address),
    ("route", By::Route),
];

fn requests(text: &str) -> Result<Option<NonZeroU32>, String> {
    number(text, NonZeroU32::MIN..=NonZeroU32::MAX).map(Some)
}
