//! A model of WIT types and their JSON, independent of the host's: which JSON
//! fits a type, and what it means.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// A WIT type, with names as JSON writes them.
#[derive(Debug, Clone)]
pub enum Type {
    Bool,
    /// Smallest and largest value.
    Integer(i128, i128),
    F32,
    F64,
    Char,
    Text,
    Bytes,
    List(Box<Type>),
    Tuple(Vec<Type>),
    Record(Vec<(&'static str, Type)>),
    Option(Box<Type>),
    /// An option of an option: `{"some": …}`.
    NestedOption(Box<Type>),
    Enum(Vec<&'static str>),
    Flags(Vec<&'static str>),
    /// Also a result, of `ok` and `err`.
    Variant(Vec<(&'static str, Option<Type>)>),
}

/// The largest integer that a JSON number carries safely.
pub const EXACT: i128 = 1 << 53;

impl Type {
    /// The functions `echo-…` of the guest and their types.
    pub fn all() -> Vec<(&'static str, Self)> {
        let nested = Self::NestedOption(Box::new(Self::Option(Box::new(Self::u(32)))));
        let outcome = Self::Variant(vec![("ok", Some(Self::u(32))), ("err", Some(Self::Text))]);
        let bare = Self::Variant(vec![("ok", None), ("err", None)]);
        vec![
            ("bool", Self::Bool),
            ("u8", Self::u(8)),
            ("s8", Self::s(8)),
            ("u16", Self::u(16)),
            ("s16", Self::s(16)),
            ("u32", Self::u(32)),
            ("s32", Self::s(32)),
            ("u64", Self::u(64)),
            ("s64", Self::s(64)),
            ("f32", Self::F32),
            ("f64", Self::F64),
            ("char", Self::Char),
            ("string", Self::Text),
            ("bytes", Self::Bytes),
            ("numbers", Self::List(Box::new(Self::s(32)))),
            (
                "matrix",
                Self::List(Box::new(Self::List(Box::new(Self::F64)))),
            ),
            (
                "tuple",
                Self::Tuple(vec![
                    Self::u(8),
                    Self::Text,
                    Self::Option(Box::new(Self::Bool)),
                ]),
            ),
            ("option", Self::Option(Box::new(Self::Text))),
            ("nested-option", Self::Record(vec![("value", nested)])),
            ("result", Self::Record(vec![("value", outcome)])),
            ("bare-result", Self::Record(vec![("value", bare)])),
            ("enum", Self::colour()),
            ("flags", Self::rights()),
            ("variant", Self::shape()),
            ("record", Self::parcel()),
            ("records", Self::List(Box::new(Self::parcel()))),
        ]
    }

    fn u(bits: u32) -> Self {
        Self::Integer(0, (1 << bits) - 1)
    }

    fn s(bits: u32) -> Self {
        Self::Integer(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    }

    fn colour() -> Self {
        Self::Enum(vec!["red", "green", "light_blue"])
    }

    fn rights() -> Self {
        Self::Flags(vec!["read", "write", "execute_all"])
    }

    fn point() -> Self {
        Self::Record(vec![("x", Self::s(32)), ("y", Self::s(32))])
    }

    fn shape() -> Self {
        Self::Variant(vec![
            ("nothing", None),
            ("circle", Some(Self::F64)),
            ("box", Some(Self::Tuple(vec![Self::F64, Self::F64]))),
            ("polygon", Some(Self::List(Box::new(Self::point())))),
            ("named_shape", Some(Self::Text)),
        ])
    }

    fn parcel() -> Self {
        Self::Record(vec![
            ("id", Self::u(64)),
            ("display_name", Self::Text),
            ("weight_kg", Self::F64),
            ("fragile", Self::Bool),
            ("colour", Self::colour()),
            ("tags", Self::List(Box::new(Self::Text))),
            ("corner", Self::Option(Box::new(Self::point()))),
            ("shape", Self::shape()),
            ("rights", Self::rights()),
        ])
    }

    /// What a JSON value means as this type, in one form for each meaning; none
    /// where it does not fit.
    pub fn meaning(&self, json: &Value) -> Option<Value> {
        Some(match (self, json) {
            (Self::Bool, Value::Bool(_)) | (Self::Text, Value::String(_)) => json.clone(),
            (Self::Integer(least, most), _) => {
                let number = integer(json, *most > EXACT)?;
                (*least..=*most)
                    .contains(&number)
                    .then(|| json!(number.to_string()))?
            }
            (Self::F32, Value::Number(number)) => {
                json!(f64::from(number.to_string().parse::<f32>().ok()?))
            }
            (Self::F64, Value::Number(number)) => json!(number.as_f64()?),
            (Self::F32 | Self::F64, Value::String(text)) => ["NaN", "Infinity", "-Infinity"]
                .contains(&text.as_str())
                .then(|| json.clone())?,
            (Self::Char, Value::String(text)) => {
                (text.chars().count() == 1).then(|| json.clone())?
            }
            (Self::Bytes, Value::String(text)) => json!(STANDARD.decode(text).ok()?),
            (Self::List(item), Value::Array(items)) => items
                .iter()
                .map(|one| item.meaning(one))
                .collect::<Option<_>>()?,
            (Self::Tuple(types), Value::Array(items)) if types.len() == items.len() => types
                .iter()
                .zip(items)
                .map(|(ty, item)| ty.meaning(item))
                .collect::<Option<_>>()?,
            (Self::Record(fields), Value::Object(object)) => record(fields, object)?,
            (Self::Option(_) | Self::NestedOption(_), Value::Null) => Value::Null,
            (Self::Option(some), _) => some.meaning(json)?,
            (Self::NestedOption(some), Value::Object(object)) if object.len() == 1 => {
                json!({ "some": some.meaning(object.get("some")?)? })
            }
            (Self::Enum(names), Value::String(text)) => {
                names.contains(&text.as_str()).then(|| json.clone())?
            }
            (Self::Flags(names), Value::Array(items)) => flags(names, items)?,
            (Self::Variant(cases), Value::String(text)) => cases
                .iter()
                .any(|(name, payload)| name == text && payload.is_none())
                .then(|| json.clone())?,
            (Self::Variant(cases), Value::Object(object)) if object.len() == 1 => {
                let (name, value) = object.iter().next()?;
                let (_, payload) = cases.iter().find(|(case, _)| case == name)?;
                json!({ name.as_str(): payload.as_ref()?.meaning(value)? })
            }
            _ => return None,
        })
    }
}

fn integer(json: &Value, wide: bool) -> Option<i128> {
    match json {
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Some(number.into()),
            (_, Some(number), _) => Some(number.into()),
            (_, _, Some(number)) if number.fract() == 0.0 && number.abs() <= EXACT as f64 => {
                Some(number as i128)
            }
            _ => None,
        },
        Value::String(text) if wide => {
            let number: i128 = text.parse().ok()?;
            (number.to_string() == *text).then_some(number)
        }
        _ => None,
    }
}

fn record(fields: &[(&str, Type)], object: &Map<String, Value>) -> Option<Value> {
    let known: BTreeSet<_> = fields.iter().map(|(name, _)| *name).collect();
    if !object.keys().all(|key| known.contains(key.as_str())) {
        return None;
    }
    // A field that is left out is `none`, where that is a value of its type.
    let meaning = |(name, ty): &(&str, Type)| {
        let value = ty.meaning(object.get(*name).unwrap_or(&Value::Null))?;
        let absent =
            !object.contains_key(*name) && !matches!(ty, Type::Option(_) | Type::NestedOption(_));
        (!absent).then(|| ((*name).to_owned(), value))
    };
    fields
        .iter()
        .map(meaning)
        .collect::<Option<Map<_, _>>>()
        .map(Value::from)
}

fn flags(names: &[&str], items: &[Value]) -> Option<Value> {
    let set: BTreeSet<_> = items.iter().map(Value::as_str).collect::<Option<_>>()?;
    let fits = set.len() == items.len() && set.iter().all(|name| names.contains(name));
    fits.then(|| json!(set))
}
