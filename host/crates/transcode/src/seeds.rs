//! Seeds of the parts of a value: a name, a pair, an array's end.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::body::Trail;
use super::fault::Quoted;
use super::names::Names;
use super::plan::Plan;
use super::read::Reader;
use stoa_engine::value::Val;

/// Reads a name and finds its index.
#[derive(Clone, Copy)]
pub(super) struct NameOf<'a> {
    pub names: &'a Names,
    pub guess: usize,
    pub trail: &'a Trail,
    pub what: &'static str,
}

impl<'de> DeserializeSeed<'de> for NameOf<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NameOf<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {}", self.what)
    }

    fn visit_str<E: Error>(self, json: &str) -> Result<usize, E> {
        self.names.find_json_from(self.guess, json).ok_or_else(|| {
            let Self {
                names, trail, what, ..
            } = self;
            let (list, suggestion) = (names.list(), names.suggestion(json));
            let unknown = format!(
                "unknown {what} {}: expected one of {list}{suggestion}",
                Quoted(json)
            );
            let error = trail.fail(unknown);
            // A flag's place is its index, which the array knows.
            if what == "flag" {
                error
            } else {
                trail.within(json, error)
            }
        })
    }
}

/// `[key, value]`.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub reader: Reader<'a>,
    pub plans: [&'a Plan; 2],
}

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = (Val, Val);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(Val, Val), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = (Val, Val);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a [key, value] pair")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(Val, Val), A::Error> {
        let Self { reader, plans } = self;
        let mut part = |at: usize| match array.next_element_seed(reader.of(plans[at])) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => {
                let missing = reader.trail.wrong(plans[at], "the pair's end");
                Err(reader.trail.within(at, missing))
            }
            Err(error) => Err(reader.trail.within(at, error)),
        };
        let pair = (part(0)?, part(1)?);
        reader.no_more(plans.len(), array)?;
        Ok(pair)
    }
}

/// Stands where an array must have ended.
#[derive(Clone, Copy)]
pub(super) struct Nothing<'a> {
    pub trail: &'a Trail,
    pub expected: usize,
}

impl<'de> DeserializeSeed<'de> for Nothing<'_> {
    type Value = std::convert::Infallible;

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<Self::Value, D::Error> {
        let expected = format_args!("{} items", self.expected).to_string();
        Err(self.trail.wrong(expected, "one more"))
    }
}
