//! Parameters from the query, for methods whose requests have no body.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::fault::{InputFault, Quoted};
use super::names::Names;
use super::parts::flags_of;
use super::plan::{Fields, Plan};
use super::scalar;
use stoa_engine::value::Val;
use stoa_settings::spelling;

/// Reads all fields; the result has them in declared order.
pub(super) fn decode(
    fields: &Fields,
    query: Option<&str>,
) -> Result<Vec<(String, Val)>, InputFault> {
    let mut texts = vec![Vec::new(); fields.plans.len()];
    for pair in pairs(query) {
        let (name, text) = pair?;
        match fields.names.find_json(&name) {
            Some(at) => texts[at].push(text),
            None => {
                return Err(InputFault::query(
                    &name,
                    unknown(&fields.names, "parameter", &name),
                ));
            }
        }
    }
    let read = |((name, plan), texts): ((&_, &Plan), &Vec<String>)| {
        let name: &super::names::Name = name;
        match value(plan, texts) {
            Ok(value) => Ok((name.wit.to_string(), value)),
            Err(message) => Err(InputFault::query(&name.json, message)),
        }
    };
    fields
        .names
        .iter()
        .zip(&fields.plans)
        .zip(&texts)
        .map(read)
        .collect()
}

/// For a function that takes nothing from the query.
pub(super) fn expect_none(query: Option<&str>) -> Result<(), InputFault> {
    match pairs(query).next() {
        None => Ok(()),
        Some(Err(fault)) => Err(fault),
        Some(Ok((name, _))) => {
            let message = format!("expected no query parameters, found {}", Quoted(&name));
            Err(InputFault::query(&name, message))
        }
    }
}

/// Why a query can't carry a type, or nothing.
pub(super) fn refusal(plan: &Plan) -> Option<&'static str> {
    match plan {
        Plan::Option(some) => refusal(some),
        Plan::WrappedOption(_) => Some("an option of an option"),
        Plan::List(item) if item.may_be_absent() => Some("a list of options"),
        Plan::List(item) if scalar::is_text(item) => None,
        Plan::Flags(_) => None,
        plan if scalar::is_text(plan) => None,
        _ => Some("a type with parts"),
    }
}

/// All that the query says for one field, as its value.
fn value(plan: &Plan, texts: &[String]) -> Result<Val, String> {
    match (plan, texts) {
        (Plan::Option(_) | Plan::WrappedOption(_), []) => Ok(Val::Option(None)),
        (Plan::Option(some), _) if matches!(**some, Plan::List(_) | Plan::Flags(_)) => {
            Ok(Val::Option(Some(value(some, texts)?.into())))
        }
        (Plan::List(item), _) => texts
            .iter()
            .map(|text| scalar::parse(item, text))
            .collect::<Result<_, _>>()
            .map(Val::List),
        (Plan::Flags(names), _) => flags(names, texts),
        (plan, [text]) => scalar::parse(plan, text),
        (plan, []) => Err(format!("expected {plan}, found no such parameter")),
        (_, [first, second, ..]) => Err(format!(
            "expected one value, found {} and {}",
            Quoted(first),
            Quoted(second)
        )),
    }
}

fn flags(names: &Names, texts: &[String]) -> Result<Val, String> {
    let mut set = vec![false; names.len()];
    for text in texts {
        let at = names
            .find_json(text)
            .ok_or_else(|| unknown(names, "flag", text))?;
        if std::mem::replace(&mut set[at], true) {
            return Err(format!(
                "expected each flag once, found {} twice",
                Quoted(text)
            ));
        }
    }
    Ok(flags_of(names, &set))
}

fn unknown(names: &Names, what: &str, found: &str) -> String {
    let (list, suggestion) = (names.list(), names.suggestion(found));
    format!(
        "unknown {what} {}: expected one of {list}{suggestion}",
        Quoted(found)
    )
}

/// Names and values of an `application/x-www-form-urlencoded` text.
fn pairs(query: Option<&str>) -> impl Iterator<Item = Result<(String, String), InputFault>> {
    query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = text(name, name)?;
            let value = text(value, &name)?;
            Ok((name, value))
        })
}

fn text(encoded: &str, name: &str) -> Result<String, InputFault> {
    let spaced = match encoded.contains('+') {
        true => Cow::Owned(encoded.replace('+', " ")),
        false => Cow::Borrowed(encoded),
    };
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(text) if spelling::is_encoded(encoded) => Ok(text.into_owned()),
        Ok(_) | Err(_) => {
            let message = format!(
                "expected percent-encoded UTF-8 (%25 for the sign itself), found {}",
                Quoted(encoded)
            );
            Err(InputFault::query(name, message))
        }
    }
}
