//! The plan of a type: what decoding and encoding need, worked out at deploy.
//!
//! A WIT type is looked through once; a request only walks the plan. Types that
//! have no JSON form are refused here, with the path to each.

use std::fmt::{self, Display};

use super::names::Names;
use super::scalar::Integer;
use stoa_engine::value::Type;

/// How one WIT type is read and written.
#[derive(Debug)]
pub(super) enum Plan {
    Bool,
    Integer(Integer),
    Float32,
    Float64,
    Char,
    String,
    /// `list<u8>`, as base64.
    Bytes,
    List(Box<Plan>),
    FixedList(Box<Plan>, usize),
    /// A map whose keys are strings or characters.
    Object(MapKey, Box<Plan>),
    /// A map with other keys: an array of `[key, value]`.
    Pairs(Box<Plan>, Box<Plan>),
    Record(Fields),
    Tuple(Box<[Plan]>),
    Variant(Cases),
    Enum(Names),
    /// An option whose value is never `null`.
    Option(Box<Plan>),
    /// An option whose value may be `null`: `{"some": value}`.
    WrappedOption(Box<Plan>),
    /// The cases are `ok` and `err`.
    Result(Cases),
    Flags(Names),
}

/// The key type of a map that is an object in JSON.
#[derive(Debug, Clone, Copy)]
pub(super) enum MapKey {
    String,
    Char,
}

/// Named values: a record, or several parameters.
#[derive(Debug)]
pub(super) struct Fields {
    pub names: Names,
    pub plans: Box<[Plan]>,
    /// `,"name":` for each, ready to be written.
    pub keys: Box<[Box<str>]>,
}

/// The cases of a variant or result.
#[derive(Debug)]
pub(super) struct Cases {
    pub names: Names,
    pub payloads: Box<[Option<Plan>]>,
}

/// Index of `ok` in [`Plan::Result`]; `err` is the other.
pub(super) const OK: usize = 0;

/// JSON levels that a type may need: what the JSON reader follows.
const DEEPEST: usize = 128;

/// Types in types of one parameter or result. Types share their parts but a
/// plan doesn't, so a few lines of WIT could ask for any amount of memory.
const LARGEST: usize = 16_384;

/// Makes plans and collects what stands against them.
#[derive(Debug, Default)]
pub(super) struct Planner {
    faults: Vec<String>,
    parts: usize,
}

impl Planner {
    /// The plan of a type that `place` (`parameter order`) names, or none and
    /// a fault for each part that has no JSON form.
    pub fn plan(&mut self, ty: &Type, place: &str) -> Option<Plan> {
        self.parts = 0;
        self.part(ty, &mut place.to_owned(), 0)
    }

    pub fn refuse(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// Everything that was refused.
    pub fn faults(self) -> Vec<String> {
        self.faults
    }

    /// Counts one part more; whether the type is still small enough.
    fn fits(&mut self, place: &str, depth: usize) -> bool {
        self.parts += 1;
        if self.parts == LARGEST + 1 || (depth == DEEPEST && self.parts <= LARGEST) {
            let limit = if depth == DEEPEST {
                format!("{DEEPEST} levels")
            } else {
                format!("{LARGEST} parts")
            };
            self.refuse(format!("{place}: expected a type of at most {limit}, found a larger one; use wasi:http for this route"));
        }
        self.parts <= LARGEST && depth < DEEPEST
    }

    fn part(&mut self, ty: &Type, place: &mut String, depth: usize) -> Option<Plan> {
        if !self.fits(place, depth) {
            return None;
        }
        let mut inner = |ty: &Type, step: &str| {
            let end = place.len();
            place.push_str(step);
            let plan = self.part(ty, place, depth + 1);
            place.truncate(end);
            plan
        };
        Some(match ty {
            Type::List(list) if list.ty() == Type::U8 => Plan::Bytes,
            Type::List(list) => Plan::List(inner(&list.ty(), "[]")?.into()),
            Type::FixedLengthList(list) => {
                let length = usize::try_from(list.len()).expect("a length is 32 bits");
                Plan::FixedList(inner(&list.ty(), "[]")?.into(), length)
            }
            Type::Map(map) => {
                let key = inner(&map.key(), ".key");
                let value = inner(&map.value(), ".value");
                plan_map(key?, value?).map_err(|key| {
                    self.refuse(format!("{place}.key: expected a string, char, whole number or bool, found {key}"));
                }).ok()?
            }
            Type::Record(record) => {
                let plans: Vec<_> = record
                    .fields()
                    .map(|field| inner(&field.ty, &format!(".{}", field.name)))
                    .collect();
                let names = Names::new(record.fields().map(|field| field.name));
                Plan::Record(Fields::new(
                    names,
                    plans.into_iter().collect::<Option<_>>()?,
                ))
            }
            Type::Tuple(tuple) => {
                let plans: Vec<_> = tuple
                    .types()
                    .enumerate()
                    .map(|(at, ty)| inner(&ty, &format!(".{at}")))
                    .collect();
                Plan::Tuple(plans.into_iter().collect::<Option<_>>()?)
            }
            Type::Variant(variant) => {
                let cases: Vec<_> = variant.cases().map(|case| (case.name, case.ty)).collect();
                Plan::Variant(plan_cases(&cases, inner)?)
            }
            Type::Result(result) => Plan::Result(plan_cases(
                &[("ok", result.ok()), ("err", result.err())],
                inner,
            )?),
            Type::Option(option) => {
                let plan = inner(&option.ty(), "?")?;
                let nullable = matches!(plan, Plan::Option(_) | Plan::WrappedOption(_));
                if nullable {
                    Plan::WrappedOption(plan.into())
                } else {
                    Plan::Option(plan.into())
                }
            }
            Type::Enum(names) => Plan::Enum(Names::new(names.names())),
            Type::Flags(names) => Plan::Flags(Names::new(names.names())),
            other => match scalar(other) {
                Ok(plan) => plan,
                Err(what) => {
                    self.refuse(format!(
                        "{place}: expected a type with a JSON form, found a {what}, which can't leave its instance; \
                         take it out of the function or serve the route with wasi:http"
                    ));
                    return None;
                }
            },
        })
    }
}

fn scalar(ty: &Type) -> Result<Plan, &'static str> {
    Ok(match ty {
        Type::Bool => Plan::Bool,
        Type::S8 => Plan::Integer(Integer::S8),
        Type::U8 => Plan::Integer(Integer::U8),
        Type::S16 => Plan::Integer(Integer::S16),
        Type::U16 => Plan::Integer(Integer::U16),
        Type::S32 => Plan::Integer(Integer::S32),
        Type::U32 => Plan::Integer(Integer::U32),
        Type::S64 => Plan::Integer(Integer::S64),
        Type::U64 => Plan::Integer(Integer::U64),
        Type::Float32 => Plan::Float32,
        Type::Float64 => Plan::Float64,
        Type::Char => Plan::Char,
        Type::String => Plan::String,
        Type::Own(_) => return Err("resource handle (own)"),
        Type::Borrow(_) => return Err("resource handle (borrow)"),
        Type::Stream(_) => return Err("stream"),
        Type::Future(_) => return Err("future"),
        Type::ErrorContext => return Err("error-context"),
        Type::List(_)
        | Type::FixedLengthList(_)
        | Type::Map(_)
        | Type::Record(_)
        | Type::Tuple(_)
        | Type::Variant(_)
        | Type::Result(_)
        | Type::Option(_)
        | Type::Enum(_)
        | Type::Flags(_) => unreachable!("the caller has planned types with parts"),
    })
}

/// Gives back a key that WIT doesn't allow.
fn plan_map(key: Plan, value: Plan) -> Result<Plan, Plan> {
    match key {
        Plan::String => Ok(Plan::Object(MapKey::String, value.into())),
        Plan::Char => Ok(Plan::Object(MapKey::Char, value.into())),
        Plan::Bool | Plan::Integer(_) => Ok(Plan::Pairs(key.into(), value.into())),
        key => Err(key),
    }
}

fn plan_cases(
    cases: &[(&str, Option<Type>)],
    mut inner: impl FnMut(&Type, &str) -> Option<Plan>,
) -> Option<Cases> {
    let payloads: Vec<Option<Option<Plan>>> = cases
        .iter()
        .map(|(name, ty)| match ty {
            Some(ty) => inner(ty, &format!(".{name}")).map(Some),
            None => Some(None),
        })
        .collect();
    let names = Names::new(cases.iter().map(|(name, _)| *name));
    Some(Cases {
        names,
        payloads: payloads.into_iter().collect::<Option<_>>()?,
    })
}

impl Fields {
    pub fn new(names: Names, plans: Box<[Plan]>) -> Self {
        let keys = names
            .iter()
            .map(|name| format!(",\"{}\":", name.json).into())
            .collect();
        Self { names, plans, keys }
    }
}

/// What a client should have sent.
impl Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Integer(integer) => integer.fmt(f),
            Self::Float32 | Self::Float64 => {
                f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
            }
            Self::Char => f.write_str("a string of one character"),
            Self::String => f.write_str("a string"),
            Self::Bytes => f.write_str("a base64 string"),
            Self::List(_) => f.write_str("an array"),
            Self::FixedList(_, length) => write!(f, "an array of {length} items"),
            Self::Tuple(items) => write!(f, "an array of {} items", items.len()),
            Self::Object(..) | Self::Record(_) => f.write_str("an object"),
            Self::Pairs(..) => f.write_str("an array of [key, value] pairs"),
            Self::Variant(cases) | Self::Result(cases) => cases.fmt(f),
            Self::Enum(names) => write!(f, "one of {}", names.list()),
            Self::Option(some) => write!(f, "{some} or null"),
            Self::WrappedOption(_) => f.write_str("{\"some\": …} or null"),
            Self::Flags(names) => write!(f, "an array of {}", names.list()),
        }
    }
}

impl Display for Cases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        f.write_str("one of ")?;
        for (at, (name, payload)) in self
            .names
            .iter()
            .zip(&self.payloads)
            .take(SHOWN)
            .enumerate()
        {
            let comma = if at == 0 { "" } else { ", " };
            match payload {
                Some(_) => write!(f, "{comma}{{{:?}: …}}", name.json)?,
                None => write!(f, "{comma}{:?}", name.json)?,
            }
        }
        f.write_str(if self.names.len() > SHOWN {
            ", …"
        } else {
            ""
        })
    }
}
