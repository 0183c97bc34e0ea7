//! JSON for a [`Type`]: that fits, or that fits but for one place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::{hash_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use crate::values::{EXACT, Type};

impl Type {
    /// JSON that fits.
    pub fn fitting(&self) -> BoxedStrategy<Value> {
        match self {
            Self::Bool => any::<bool>().prop_map(Value::from).boxed(),
            Self::Integer(least, most) => integers(*least, *most),
            Self::F32 | Self::F64 => dyadic(),
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

/// Floats that every reader of JSON reads alike: the test's own may be one step
/// off for others. `properties` has those as text.
fn dyadic() -> BoxedStrategy<Value> {
    let special = select(vec!["NaN", "Infinity", "-Infinity"]).prop_map(Value::from);
    let number = (-1_i32 << 20..1 << 20).prop_map(|n| json!(f64::from(n) / 64.0));
    prop_oneof![9 => number, 1 => special].boxed()
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
        // Also exact as floats, for the test's own reader.
        (-(1_i64 << 49)..1 << 49).prop_map(Value::from),
        (-300..300).prop_map(|number| json!(number)),
        dyadic(),
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
