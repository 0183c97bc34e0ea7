//! A model of WIT types and their JSON, independent of the host's: which JSON
//! fits a type, and what it means.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::{hash_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
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
const EXACT: i128 = 1 << 53;

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

    /// JSON that fits.
    pub fn fitting(&self) -> BoxedStrategy<Value> {
        match self {
            Self::Bool => any::<bool>().prop_map(Value::from).boxed(),
            Self::Integer(least, most) => integers(*least, *most),
            Self::F32 => any::<f32>()
                .prop_filter("JSON has no such number", |x| x.is_finite())
                .prop_map(|x| json!(x))
                .boxed(),
            Self::F64 => any::<f64>()
                .prop_filter("JSON has no such number", |x| x.is_finite())
                .prop_map(|x| json!(x))
                .boxed(),
            Self::Char => any::<char>().prop_map(|c| json!(c.to_string())).boxed(),
            Self::Text => any::<String>().prop_map(Value::from).boxed(),
            Self::Bytes => any::<Vec<u8>>()
                .prop_map(|bytes| json!(STANDARD.encode(bytes)))
                .boxed(),
            Self::List(item) => vec(item.fitting(), 0..5).prop_map(Value::from).boxed(),
            Self::Tuple(types) => types
                .iter()
                .map(Self::fitting)
                .collect::<Vec<_>>()
                .prop_map(Value::from)
                .boxed(),
            Self::Record(fields) => {
                let names: Vec<_> = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
                let values: Vec<_> = fields.iter().map(|(_, ty)| ty.fitting()).collect();
                values
                    .prop_map(move |values| {
                        names
                            .iter()
                            .cloned()
                            .zip(values)
                            .collect::<Map<_, _>>()
                            .into()
                    })
                    .boxed()
            }
            Self::Option(some) => prop_oneof![Just(Value::Null), some.fitting()].boxed(),
            Self::NestedOption(some) => prop_oneof![
                Just(Value::Null),
                some.fitting().prop_map(|some| json!({ "some": some }))
            ]
            .boxed(),
            Self::Enum(names) => select(names.clone()).prop_map(Value::from).boxed(),
            Self::Flags(names) => {
                let most = names.len();
                hash_set(select(names.clone()), 0..=most)
                    .prop_map(|names| names.into_iter().map(Value::from).collect())
                    .boxed()
            }
            Self::Variant(cases) => {
                let cases: Vec<_> = cases
                    .iter()
                    .map(|(name, payload)| case(name, payload.as_ref()))
                    .collect();
                proptest::strategy::Union::new(cases).boxed()
            }
        }
    }

    /// JSON that fits but for one place, which is given as a pointer.
    pub fn damaged(&self) -> BoxedStrategy<(Value, String)> {
        (self.fitting(), any::<Index>(), anything(), any::<u8>())
            .prop_map(|(mut json, place, instead, how)| {
                let pointers = pointers(&json);
                let pointer = place.get(&pointers).clone();
                let target = json
                    .pointer_mut(&pointer)
                    .expect("the pointer was just made");
                let pointer = match target {
                    Value::Object(object) if how % 3 == 0 => {
                        object.insert("surplus".to_owned(), instead);
                        format!("{pointer}/surplus")
                    }
                    Value::Object(object) if how % 3 == 1 && !object.is_empty() => {
                        let key = object
                            .keys()
                            .nth(usize::from(how) % object.len())
                            .cloned()
                            .expect("it is not empty");
                        object.remove(&key);
                        format!("{pointer}/{key}")
                    }
                    _ => {
                        *target = instead;
                        pointer
                    }
                };
                (json, pointer)
            })
            .boxed()
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

fn integers(least: i128, most: i128) -> BoxedStrategy<Value> {
    let edges = vec![
        least,
        most,
        0,
        most.min(EXACT),
        most.min(EXACT + 1),
        least.max(-EXACT),
        least.max(-EXACT - 1),
    ];
    let numbers = prop_oneof![least..=most, select(edges)];
    let json = |number: i128| match i64::try_from(number) {
        Ok(number) => json!(number),
        Err(_) => json!(u64::try_from(number).expect("WIT's integers have 64 bits")),
    };
    if most <= EXACT {
        return numbers.prop_map(json).boxed();
    }
    (numbers, any::<bool>())
        .prop_map(move |(number, text)| {
            if text {
                json!(number.to_string())
            } else {
                json(number)
            }
        })
        .boxed()
}

fn case(name: &'static str, payload: Option<&Type>) -> BoxedStrategy<Value> {
    match payload {
        None => Just(json!(name)).boxed(),
        Some(payload) => payload
            .fitting()
            .prop_map(move |value| json!({ name: value }))
            .boxed(),
    }
}

/// Any JSON, small. Texts are of a kind that is no number and no base64.
fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-300..300).prop_map(|number| json!(number)),
        (-1e6..1e6).prop_map(|number: f64| json!(number)),
        "[ !é]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::hash_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|entries| entries.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
    .boxed()
}

/// Pointers to every value within a value, itself included.
fn pointers(json: &Value) -> Vec<String> {
    let within = |key: String, value: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        pointers(value)
            .into_iter()
            .map(move |rest| format!("/{key}{rest}"))
            .collect::<Vec<_>>()
    };
    let mut all = vec![String::new()];
    match json {
        Value::Array(items) => all.extend(
            items
                .iter()
                .enumerate()
                .flat_map(|(at, item)| within(at.to_string(), item)),
        ),
        Value::Object(object) => all.extend(
            object
                .iter()
                .flat_map(|(key, value)| within(key.clone(), value)),
        ),
        _ => {}
    }
    all
}
