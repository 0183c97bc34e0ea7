//! One JSON value into one `Val`, as its plan says.
//!
//! The parser says what it met, the plan says what should be there: each
//! `visit_` function is one column of that table.

use std::fmt::{self, Display};

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::body::Trail;
use super::fault::Quoted;
use super::plan::{OK, Plan};
use super::scalar;
use stoa_engine::value::Val;

/// Reads one value.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub plan: &'a Plan,
    pub trail: &'a Trail,
}

impl<'a> Reader<'a> {
    pub fn new(plan: &'a Plan, trail: &'a Trail) -> Self {
        Self { plan, trail }
    }

    /// The same, for a part.
    pub fn of(self, plan: &'a Plan) -> Self {
        Self { plan, ..self }
    }

    fn wrong<E: Error>(self, found: impl Display) -> E {
        self.trail.wrong(self.plan, found)
    }

    /// Numbers go to their text: the parser's own float may be one step off,
    /// and a float of 32 bits must be rounded once, not twice.
    fn float<'de, D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        let text = <&RawValue>::deserialize(json)?.get();
        let value = match text.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => scalar::float(self.plan, text),
            Some(b'"') => scalar::special_float(self.plan, text.trim_matches('"')),
            _ => None,
        };
        value.ok_or_else(|| self.wrong(Found(text)))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        match self.plan {
            Plan::Float32 | Plan::Float64 => self.float(json),
            Plan::Option(_) | Plan::WrappedOption(_) => json.deserialize_option(self),
            _ => json.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Val, E> {
        match self.plan {
            Plan::Bool => Ok(Val::Bool(value)),
            _ => Err(self.wrong(value)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Val, E> {
        match self.plan {
            Plan::Integer(integer) => integer.val(value.into()),
            _ => None,
        }
        .ok_or_else(|| self.wrong(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Val, E> {
        match self.plan {
            Plan::Integer(integer) => integer.val(value.into()),
            _ => None,
        }
        .ok_or_else(|| self.wrong(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Val, E> {
        match self.plan {
            Plan::Integer(integer) => integer.val_of_float(value),
            _ => None,
        }
        .ok_or_else(|| self.wrong(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Val, E> {
        match self.plan {
            Plan::String => Some(Val::String(text.to_owned())),
            Plan::Integer(integer) if integer.is_wide() => integer.parse(text),
            Plan::Char => scalar::character(text),
            Plan::Bytes => scalar::bytes(text),
            Plan::Enum(names) => names
                .find_json(text)
                .map(|at| Val::Enum(names.wit(at).to_owned())),
            Plan::Variant(cases) => cases
                .find_bare(text)
                .map(|at| Val::Variant(cases.names.wit(at).to_owned(), None)),
            Plan::Result(cases) => cases
                .find_bare(text)
                .map(|at| Val::Result(if at == OK { Ok(None) } else { Err(None) })),
            _ => None,
        }
        .ok_or_else(|| self.wrong_text(text))
    }

    fn visit_none<E: Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        match self.plan {
            Plan::Option(some) => {
                let value = self.of(some).deserialize(json)?;
                Ok(Val::Option(Some(value.into())))
            }
            _ => json.deserialize_any(self),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Val, E> {
        Err(self.wrong("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Val, A::Error> {
        match self.plan {
            Plan::List(item) => self.list(item, array).map(Val::List),
            Plan::FixedList(item, length) => self.fixed_list(item, *length, array),
            Plan::Tuple(items) => self.tuple(items, array),
            Plan::Pairs(key, value) => self.pairs(key, value, array),
            Plan::Flags(names) => self.flags(names, array),
            _ => Err(self.wrong("an array")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Val, A::Error> {
        match self.plan {
            Plan::Record(fields) => self.record(fields, object),
            Plan::Object(key, value) => self.object(*key, value, object),
            Plan::Variant(cases) => {
                let (at, payload) = self.case(cases, object)?;
                Ok(Val::Variant(
                    cases.names.wit(at).to_owned(),
                    Some(payload.into()),
                ))
            }
            Plan::Result(cases) => {
                let (at, payload) = self.case(cases, object)?;
                let payload = Some(Box::new(payload));
                Ok(Val::Result(if at == OK {
                    Ok(payload)
                } else {
                    Err(payload)
                }))
            }
            Plan::WrappedOption(some) => self.wrapped(some, object),
            _ => Err(self.wrong("an object")),
        }
    }
}

impl Reader<'_> {
    #[cold]
    fn wrong_text<E: Error>(self, text: &str) -> E {
        let suggestion = match self.plan {
            Plan::Enum(names) => names.suggestion(text),
            Plan::Variant(cases) => cases.names.suggestion(text),
            _ => String::new(),
        };
        self.wrong(format_args!("{}{suggestion}", Quoted(text)))
    }
}

/// A piece of JSON, named for a message.
struct Found<'a>(&'a str);

impl Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_bytes().first() {
            Some(b'{') => f.write_str("an object"),
            Some(b'[') => f.write_str("an array"),
            Some(b'"') => Quoted(self.0.trim_matches('"')).fmt(f),
            _ => f.write_str(self.0),
        }
    }
}
