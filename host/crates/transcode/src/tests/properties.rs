//! Properties of random types: nothing is lost on the way, and no input
//! panics or gets a fault without a place.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::super::{FaultKind, Place};
use super::fixture::T;
use super::values::{decode, echo, encode};
use stoa_engine::value::Val;

const WORDS: [&str; 13] = [
    "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string",
];
const KEYS: [&str; 11] = [
    "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "char", "string",
];
const NAMES: [&str; 10] = [
    "id",
    "line-items",
    "ok",
    "err",
    "some",
    "a1-b2",
    "null",
    "x",
    "URL-of-it",
    "value",
];

fn names() -> impl Strategy<Value = Vec<String>> {
    subsequence(&NAMES, 1..5)
        .prop_shuffle()
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn types() -> impl Strategy<Value = T> {
    let leaf = prop_oneof![
        8 => select(&WORDS).prop_map(T::Word),
        1 => names().prop_map(T::Enum),
        1 => names().prop_map(T::Flags),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let maybe = proptest::option::of(inner.clone());
        prop_oneof![
            inner.clone().prop_map(|item| T::List(item.into())),
            (boxed.clone(), 1..4_u32).prop_map(|(item, length)| T::FixedList(item, length)),
            (select(&KEYS), boxed.clone())
                .prop_map(|(key, value)| T::Map(T::Word(key).into(), value)),
            (names(), vec(inner.clone(), 4))
                .prop_map(|(names, types)| T::Record(names.into_iter().zip(types).collect())),
            (names(), vec(maybe, 4))
                .prop_map(|(names, types)| T::Variant(names.into_iter().zip(types).collect())),
            vec(inner.clone(), 1..4).prop_map(T::Tuple),
            boxed.clone().prop_map(T::Option),
            boxed
                .clone()
                .prop_map(|some| T::Option(T::Option(some).into())),
            (
                proptest::option::of(boxed.clone()),
                proptest::option::of(boxed)
            )
                .prop_map(|(ok, err)| T::Result(ok, err)),
        ]
    })
}

fn values(ty: &T) -> BoxedStrategy<Val> {
    match ty {
        T::Word(name) => words(name),
        T::List(item) => vec(values(item), 0..4).prop_map(Val::List).boxed(),
        T::FixedList(item, length) => vec(values(item), *length as usize)
            .prop_map(Val::FixedLengthList)
            .boxed(),
        T::Map(key, value) => pairs(key, value),
        T::Record(fields) => each(fields.iter().map(|(_, ty)| values(ty)), {
            let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
            move |values| Val::Record(names.iter().cloned().zip(values).collect())
        }),
        T::Tuple(items) => each(items.iter().map(values), Val::Tuple),
        T::Variant(cases) => {
            let cases: Vec<BoxedStrategy<Val>> = cases
                .iter()
                .cloned()
                .map(|(name, ty)| {
                    payload(ty.as_ref())
                        .prop_map(move |payload| Val::Variant(name.clone(), payload))
                        .boxed()
                })
                .collect();
            proptest::strategy::Union::new(cases).boxed()
        }
        T::Enum(names) => select(names.clone()).prop_map(Val::Enum).boxed(),
        T::Flags(names) => {
            let count = names.len();
            subsequence(names.clone(), 0..=count)
                .prop_map(Val::Flags)
                .boxed()
        }
        T::Option(some) => proptest::option::of(values(some))
            .prop_map(|some| Val::Option(some.map(Box::new)))
            .boxed(),
        T::Result(ok, err) => {
            let ok = payload(ok.as_deref()).prop_map(|ok| Val::Result(Ok(ok)));
            let err = payload(err.as_deref()).prop_map(|err| Val::Result(Err(err)));
            prop_oneof![ok, err].boxed()
        }
        T::Handle => unreachable!("no random type has a handle"),
    }
}

fn words(name: &str) -> BoxedStrategy<Val> {
    match name {
        "bool" => any::<bool>().prop_map(Val::Bool).boxed(),
        "s8" => any::<i8>().prop_map(Val::S8).boxed(),
        "u8" => any::<u8>().prop_map(Val::U8).boxed(),
        "s16" => any::<i16>().prop_map(Val::S16).boxed(),
        "u16" => any::<u16>().prop_map(Val::U16).boxed(),
        "s32" => any::<i32>().prop_map(Val::S32).boxed(),
        "u32" => any::<u32>().prop_map(Val::U32).boxed(),
        "s64" => any::<i64>().prop_map(Val::S64).boxed(),
        "u64" => any::<u64>().prop_map(Val::U64).boxed(),
        // From bits: every kind of number, with infinities and NaN.
        "f32" => any::<u32>()
            .prop_map(|bits| Val::Float32(f32::from_bits(bits)))
            .boxed(),
        "f64" => any::<u64>()
            .prop_map(|bits| Val::Float64(f64::from_bits(bits)))
            .boxed(),
        "char" => any::<char>().prop_map(Val::Char).boxed(),
        _ => any::<String>().prop_map(Val::String).boxed(),
    }
}

fn payload(ty: Option<&T>) -> BoxedStrategy<Option<Box<Val>>> {
    match ty {
        Some(ty) => values(ty).prop_map(|value| Some(value.into())).boxed(),
        None => Just(None).boxed(),
    }
}

fn each(
    parts: impl Iterator<Item = BoxedStrategy<Val>>,
    whole: impl Fn(Vec<Val>) -> Val + 'static,
) -> BoxedStrategy<Val> {
    parts.collect::<Vec<_>>().prop_map(whole).boxed()
}

/// Each key once: a map that repeats one doesn't come back as it was.
fn pairs(key: &T, value: &T) -> BoxedStrategy<Val> {
    let keyed = vec((values(key), values(value)), 0..4);
    keyed
        .prop_map(|pairs| {
            let unique: BTreeMap<String, (Val, Val)> = pairs
                .into_iter()
                .map(|pair| (format!("{:?}", pair.0), pair))
                .collect();
            Val::Map(unique.into_values().collect())
        })
        .boxed()
}

fn typed_values() -> impl Strategy<Value = (T, Val)> {
    types().prop_flat_map(|ty| {
        let values = values(&ty);
        (Just(ty), values)
    })
}

/// Any JSON, of about the names that types use.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i16>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,3}".prop_map(Into::into),
        select(&NAMES).prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![select(&NAMES).prop_map(super::super::snake_case), ".{0,3}"];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            btree_map(key, inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A fault's place is in the document, or would be a child of something that is.
fn assert_placed(document: &serde_json::Value, pointer: &str) {
    let parent = pointer.rsplit_once('/').map(|(parent, _)| parent);
    let known = document
        .pointer(pointer)
        .or_else(|| document.pointer(parent?));
    assert!(known.is_some(), "{pointer:?} is nowhere near {document}");
}

/// Replaces the `n`th value, counted from the outside.
fn replace(document: &mut serde_json::Value, n: &mut usize, with: &serde_json::Value) {
    if *n == 0 {
        *document = with.clone();
    }
    *n = n.wrapping_sub(1);
    match document {
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| replace(item, n, with)),
        serde_json::Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| replace(field, n, with)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_comes_back((ty, value) in typed_values()) {
        let operation = echo(&ty);
        let json = encode(&operation, value.clone());
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
        prop_assert_eq!(decode(&operation, json.as_bytes()), Ok(value), "{}", json);
    }

    #[test]
    fn every_fault_has_a_place((ty, value) in typed_values(), at in any::<Index>(), with in json()) {
        let operation = echo(&ty);
        let mut document: serde_json::Value = serde_json::from_str(&encode(&operation, value))?;
        replace(&mut document, &mut at.index(8), &with);
        if let Err(fault) = decode(&operation, document.to_string().as_bytes()) {
            prop_assert_eq!(fault.kind, FaultKind::Shape, "{} of {}", fault, document);
            prop_assert!(fault.message.contains("expected"), "{}", fault);
            let Place::Body { pointer } = fault.place else { panic!("{fault} is in the body") };
            assert_placed(&document, &pointer);
        }
    }

    #[test]
    fn no_bytes_panic((ty, value) in typed_values(), edits in vec((any::<Index>(), any::<u8>()), 1..4), cut in any::<Index>()) {
        let operation = echo(&ty);
        let mut bytes = encode(&operation, value).into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            // What is taken must be JSON, and mean the same when it is written.
            if let Ok(value) = decode(&operation, bytes) {
                prop_assert_eq!(decode(&operation, encode(&operation, value.clone()).as_bytes()), Ok(value));
                let json = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
                prop_assert!(json.is_ok() || bytes.is_empty(), "{:?}", String::from_utf8_lossy(bytes));
            }
        }
    }

    #[test]
    fn no_noise_panics(ty in types(), bytes in vec(any::<u8>(), 0..64), query in ".{0,40}") {
        let operation = echo(&ty);
        let _ = decode(&operation, &bytes);
        let _ = operation.plain(&[], Some(&query), &bytes);
    }
}
