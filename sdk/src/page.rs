//! Pagination by an opaque cursor.
//!
//! A cursor remembers the source's own page and the last key that was shown, so
//! that a list goes on where it was, whatever page sizes the source likes and
//! whatever was added or removed in between.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{Error, invalid};

/// Items in a page when the client does not say.
pub const DEFAULT_LIMIT: usize = 20;
/// Items in a page at most.
pub const MAX_LIMIT: usize = 100;
/// Keys that one call looks at: bounds the work of a filter that few items pass.
const SCAN: usize = 1000;

/// Some items, and the cursor of those that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the source's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

/// A place in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The source's cursor of the page that was being read.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Key of the last item that was seen; empty before the first.
    #[serde(rename = "a", default)]
    pub after: String,
}

impl Cursor {
    /// Reads what a client sent; the start of the list if it sent nothing.
    pub fn parse(text: Option<&str>) -> Result<Self, Error> {
        let Some(text) = text else {
            return Ok(Self::default());
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| {
                invalid!(
                    "/cursor",
                    "expected the `next` of an earlier page, found {text:?}"
                )
            })
    }

    /// The text for a client.
    pub fn encode(&self) -> String {
        let json = serde_json::to_vec(self).expect("two strings are always JSON");
        URL_SAFE_NO_PAD.encode(json)
    }
}

/// The client's limit, checked.
pub fn limit(asked: Option<u32>) -> Result<usize, Error> {
    match asked.map(|limit| limit as usize) {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(limit) => Err(invalid!(
            "/limit",
            "expected 1 to {MAX_LIMIT}, found {limit}"
        )),
    }
}

/// What a list is sorted by.
pub trait Keyed {
    /// Unique, and not empty; sources give their entries in byte order of it.
    fn key(&self) -> &str;
}

impl Keyed for String {
    fn key(&self) -> &str {
        self
    }
}

/// Reads a source until there are `limit` items or enough was looked at.
///
/// `read` gives some entries, sorted by key, and the source's cursor of those that
/// follow; `load` makes items of them, in order, or `None` of those to leave out.
pub fn scan<K: Keyed, T, E: From<Error>>(
    cursor: Option<&str>,
    limit: usize,
    mut read: impl FnMut(Option<&str>) -> Result<(Vec<K>, Option<String>), E>,
    mut load: impl FnMut(Vec<K>) -> Result<Vec<Option<T>>, E>,
) -> Result<Page<T>, E> {
    let mut at = Cursor::parse(cursor)?;
    let mut items = Vec::new();
    let mut budget = SCAN.max(limit);
    loop {
        let (mut rest, following) = read(at.page.as_deref())?;
        let last = rest.last().map(|entry| entry.key().to_owned());
        rest.retain(|entry| entry.key() > at.after.as_str());
        while !rest.is_empty() && items.len() < limit && budget > 0 {
            let later = rest.split_off(rest.len().min(limit).min(MAX_LIMIT));
            let chunk = std::mem::replace(&mut rest, later);
            let keys: Vec<String> = chunk.iter().map(|entry| entry.key().to_owned()).collect();
            budget = budget.saturating_sub(keys.len());
            for (key, item) in keys.into_iter().zip(load(chunk)?) {
                at.after = key;
                items.extend(item);
                if items.len() == limit {
                    break;
                }
            }
        }
        if following.is_none() || items.len() == limit || budget == 0 {
            let more = following.is_some() || last.is_some_and(|last| at.after < last);
            return Ok(Page {
                items,
                next: more.then(|| at.encode()),
            });
        }
        at.page = following;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_survives_the_client() {
        let cursor = Cursor {
            page: Some("\u{1}\"host".into()),
            after: "0190-ß".into(),
        };
        assert_eq!(
            Cursor::parse(Some(&cursor.encode())).expect("own cursor"),
            cursor
        );
        for forged in ["", "!", "e30x", "eyJ4IjoxfQ"] {
            assert!(
                matches!(Cursor::parse(Some(forged)), Err(Error::Invalid(_))),
                "{forged:?}"
            );
        }
    }

    #[test]
    fn limits() {
        assert_eq!(limit(None).expect("default"), DEFAULT_LIMIT);
        assert_eq!(limit(Some(100)).expect("allowed"), 100);
        assert!(limit(Some(0)).is_err() && limit(Some(101)).is_err());
    }

    #[test]
    fn hopeless_filter_ends_with_a_cursor() {
        let read = |from: Option<&str>| {
            let start: usize = from.map_or(0, |from| from.parse().expect("own cursor"));
            let keys = (start..start + 300).map(|n| format!("{n:06}")).collect();
            Ok::<_, Error>((keys, Some((start + 300).to_string())))
        };
        let mut seen = 0;
        let page = scan(None, 10, read, |keys| {
            seen += keys.len();
            Ok(keys.iter().map(|_| None::<()>).collect())
        });
        let page = page.expect("no faults");
        assert!(page.items.is_empty() && page.next.is_some());
        assert!((SCAN..SCAN + 10).contains(&seen), "{seen}");
    }
}
