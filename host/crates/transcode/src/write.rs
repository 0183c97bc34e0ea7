//! From a value to JSON bytes, as its plan says.

use std::collections::HashMap;

use base64::Engine as _;
use serde_json::ser::{CompactFormatter, Formatter as _};

use super::names::snake_case_byte;
use super::plan::{Cases, Fields, OK, Plan};
use super::scalar::{BASE64, EXACT};
use stoa_engine::value::Val;

/// The value isn't of the plan's type. The runtime checks the types of what a
/// guest returns, so this is a fault of the host; it still must not panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mismatch;

/// Appends the value's JSON.
pub(super) fn write(plan: &Plan, value: &Val, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    match (plan, value) {
        (Plan::String, Val::String(text)) => string(text, out),
        (Plan::Record(fields), Val::Record(values)) => return record(fields, values, out),
        (Plan::List(item), Val::List(items))
        | (Plan::FixedList(item, _), Val::FixedLengthList(items)) => {
            return array(items, out, |value, out| write(item, value, out));
        }
        (Plan::Option(_) | Plan::WrappedOption(_), Val::Option(None)) => {
            out.extend_from_slice(b"null")
        }
        (Plan::Option(some), Val::Option(Some(value))) => return write(some, value, out),
        (Plan::WrappedOption(some), Val::Option(Some(value))) => {
            return case("some", some, value, out);
        }
        (Plan::Enum(_), Val::Enum(name)) => name_text(name, out),
        (Plan::Variant(cases), Val::Variant(name, payload)) => {
            let at = cases.names.find_wit(name).ok_or(Mismatch)?;
            return variant(cases, at, payload.as_deref(), out);
        }
        (Plan::Result(cases), Val::Result(result)) => {
            let (at, payload) = match result {
                Ok(payload) => (OK, payload),
                Err(payload) => (OK + 1, payload),
            };
            return variant(cases, at, payload.as_deref(), out);
        }
        (Plan::Tuple(plans), Val::Tuple(values)) if plans.len() == values.len() => {
            let mut plans = plans.iter();
            return array(values, out, |value, out| {
                write(plans.next().ok_or(Mismatch)?, value, out)
            });
        }
        (Plan::Bytes, Val::List(items)) => return bytes(items, out),
        (Plan::Object(_, value), Val::Map(pairs)) => return object(value, pairs, out),
        (Plan::Pairs(key, value), Val::Map(pairs)) => {
            return array(pairs, out, |pair, out| {
                out.push(b'[');
                write(key, &pair.0, out)?;
                out.push(b',');
                write(value, &pair.1, out)?;
                out.push(b']');
                Ok(())
            });
        }
        (Plan::Flags(_), Val::Flags(set)) => {
            return array(set, out, |name, out| {
                name_text(name, out);
                Ok(())
            });
        }
        (Plan::Char, Val::Char(character)) => string(character.encode_utf8(&mut [0; 4]), out),
        (Plan::Bool, Val::Bool(value)) => {
            out.extend_from_slice(if *value { b"true" } else { b"false" })
        }
        (Plan::Integer(_) | Plan::Float32 | Plan::Float64, value) => return number(value, out),
        _ => return Err(Mismatch),
    }
    Ok(())
}

fn record(fields: &Fields, values: &[(String, Val)], out: &mut Vec<u8>) -> Result<(), Mismatch> {
    if fields.plans.len() != values.len() {
        return Err(Mismatch);
    }
    out.push(b'{');
    let parts = fields.keys.iter().zip(&fields.plans).zip(values);
    for (at, ((key, plan), (_, value))) in parts.enumerate() {
        // The first has no comma before it.
        out.extend_from_slice(&key.as_bytes()[usize::from(at == 0)..]);
        write(plan, value, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn array<T>(
    items: &[T],
    out: &mut Vec<u8>,
    mut item: impl FnMut(&T, &mut Vec<u8>) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    out.push(b'[');
    for (at, value) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        item(value, out)?;
    }
    out.push(b']');
    Ok(())
}

/// A map with text keys. A guest may give a key twice, where the last counts;
/// a JSON object must not.
fn object(plan: &Plan, pairs: &[(Val, Val)], out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let mut buffer = [0; 4];
    let mut last = HashMap::with_capacity(pairs.len());
    for (at, (key, _)) in pairs.iter().enumerate() {
        last.insert(key_text(key, &mut buffer)?.to_owned(), at);
    }
    let counted = pairs.iter().enumerate().filter(|(at, (key, _))| {
        key_text(key, &mut [0; 4]).is_ok_and(|key| last.get(key) == Some(at))
    });
    let start = out.len();
    for (_, (key, value)) in counted {
        out.push(if out.len() == start { b'{' } else { b',' });
        string(key_text(key, &mut buffer)?, out);
        out.push(b':');
        write(plan, value, out)?;
    }
    if out.len() == start {
        out.push(b'{');
    }
    out.push(b'}');
    Ok(())
}

fn key_text<'a>(key: &'a Val, buffer: &'a mut [u8; 4]) -> Result<&'a str, Mismatch> {
    match key {
        Val::String(key) => Ok(key),
        Val::Char(key) => Ok(key.encode_utf8(buffer)),
        _ => Err(Mismatch),
    }
}

fn variant(
    cases: &Cases,
    at: usize,
    payload: Option<&Val>,
    out: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    match (&cases.payloads[at], payload) {
        (Some(plan), Some(value)) => case(cases.names.json(at), plan, value, out),
        (None, None) => {
            string(cases.names.json(at), out);
            Ok(())
        }
        _ => Err(Mismatch),
    }
}

fn case(name: &str, plan: &Plan, value: &Val, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    out.push(b'{');
    string(name, out);
    out.push(b':');
    write(plan, value, out)?;
    out.push(b'}');
    Ok(())
}

fn bytes(items: &[Val], out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let byte = |item: &Val| match item {
        Val::U8(byte) => Ok(*byte),
        _ => Err(Mismatch),
    };
    let bytes = items.iter().map(byte).collect::<Result<Vec<u8>, _>>()?;
    string(&BASE64.encode(bytes), out);
    Ok(())
}

fn number(value: &Val, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    const WRITES: &str = "a vector takes every byte";
    let mut json = CompactFormatter;
    match *value {
        Val::S8(value) => json.write_i8(out, value).expect(WRITES),
        Val::U8(value) => json.write_u8(out, value).expect(WRITES),
        Val::S16(value) => json.write_i16(out, value).expect(WRITES),
        Val::U16(value) => json.write_u16(out, value).expect(WRITES),
        Val::S32(value) => json.write_i32(out, value).expect(WRITES),
        Val::U32(value) => json.write_u32(out, value).expect(WRITES),
        Val::S64(value) => wide(value.unsigned_abs(), out, |out| {
            json.write_i64(out, value).expect(WRITES)
        }),
        Val::U64(value) => wide(value, out, |out| json.write_u64(out, value).expect(WRITES)),
        Val::Float32(value) if value.is_finite() => json.write_f32(out, value).expect(WRITES),
        Val::Float64(value) if value.is_finite() => json.write_f64(out, value).expect(WRITES),
        Val::Float32(value) => string(special(value.into()), out),
        Val::Float64(value) => string(special(value), out),
        _ => return Err(Mismatch),
    }
    Ok(())
}

/// A number where every reader gets it exactly, else its digits as a string.
fn wide(size: u64, out: &mut Vec<u8>, digits: impl FnOnce(&mut Vec<u8>)) {
    if size <= EXACT {
        return digits(out);
    }
    out.push(b'"');
    digits(out);
    out.push(b'"');
}

fn special(value: f64) -> &'static str {
    match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// A WIT name in its JSON spelling. Such names need no escapes.
fn name_text(wit: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend(wit.bytes().map(snake_case_byte));
    out.push(b'"');
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if ESCAPED[usize::from(*byte)] {
            out.extend_from_slice(&bytes[written..at]);
            escape(*byte, out);
            written = at + 1;
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

/// The bytes that RFC 8259 wants escaped: all below space, `"` and `\`.
const ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < b' ' as usize {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

fn escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend([b'\\', short]);
}
