//! How the text of a value is read where a schema does not take it as text.
//!
//! What reads it in the end is the component, made with any toolchain. So it is taken
//! only in a form that none of them reads otherwise, or refuses.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// What a text holds, if it is something else than text: JSON, and for what is no
/// list and no object nothing around it.
///
/// # Errors
/// What it has that not all read alike.
pub fn reading(text: &str) -> Result<Option<Value>, String> {
    match serde_json::from_str::<Strict>(text) {
        Ok(Strict(Value::String(_))) => Ok(None),
        Ok(Strict(value @ (Value::Array(_) | Value::Object(_)))) => Ok(Some(value)),
        Ok(Strict(value)) => Ok((text.trim() == text).then_some(value)),
        Err(fault) if fault.is_data() => Err(without_place(&fault)),
        Err(_) => Ok(None),
    }
}

/// The value has one line mostly, and is told beside its key.
fn without_place(fault: &serde_json::Error) -> String {
    let told = fault.to_string();
    let place = told.rfind(" at line ").unwrap_or(told.len());
    told[..place].to_owned()
}

/// A value of JSON in which no object has a key twice.
struct Strict(Value);

struct StrictVisitor;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((key, Strict(value))) = object.next_entry::<String, _>()? {
            if values.contains_key(&key) {
                let twice = format!("expected each key of an object once, found {key:?} twice");
                return Err(A::Error::custom(twice));
            }
            values.insert(key, value);
        }
        Ok(values.into())
    }
}
