//! Each type's JSON, both ways, and what is refused.

mod compound;
mod limits;

use super::super::{FaultKind, InputFault, Operation, Place, Reply};
use super::fixture::{
    T, enumeration, flags, list, map, operation, option, record, result, variant, word,
};
use stoa_engine::value::Val;

/// A function that takes and returns the type. The result is wrapped in a tuple,
/// since `none` and `result` mean something of their own at the top.
pub fn echo(ty: &T) -> Operation {
    operation(
        "POST /",
        &[("value", ty.clone())],
        Some(T::Tuple(vec![ty.clone()])),
    )
}

pub fn encode(operation: &Operation, value: Val) -> String {
    match operation.encode(&[Val::Tuple(vec![value])]) {
        Reply::Body { json, .. } => {
            let json = String::from_utf8(json.to_vec()).expect("JSON is UTF-8");
            json.strip_prefix('[')
                .and_then(|json| json.strip_suffix(']'))
                .expect("a tuple")
                .to_owned()
        }
        other => panic!("expected a body, found {other:?}"),
    }
}

pub fn decode(operation: &Operation, json: &[u8]) -> Result<Val, InputFault> {
    operation
        .plain(&[], None, json)
        .map(|mut values| values.remove(0))
}

/// Both ways: the value is written so, and read back the same.
fn same(ty: T, cases: &[(Val, &str)]) {
    let operation = echo(&ty);
    for (value, json) in cases {
        assert_eq!(encode(&operation, value.clone()), *json, "written, {ty:?}");
        assert_eq!(
            decode(&operation, json.as_bytes()).as_ref(),
            Ok(value),
            "read, {ty:?}: {json}"
        );
    }
}

/// Read only: JSON that means the same as what is written.
fn reads(ty: T, cases: &[(&str, Val)]) {
    let operation = echo(&ty);
    for (json, value) in cases {
        assert_eq!(
            decode(&operation, json.as_bytes()).as_ref(),
            Ok(value),
            "{ty:?}: {json}"
        );
    }
}

/// Faults of shape: the pointer, and a part of the message.
fn refuses(ty: T, cases: &[(&str, &str, &str)]) {
    let operation = echo(&ty);
    for (json, pointer, message) in cases {
        let fault = decode(&operation, json.as_bytes()).expect_err(json);
        assert_eq!(fault.kind, FaultKind::Shape, "{json}: {fault}");
        assert_eq!(
            fault.place,
            Place::Body {
                pointer: (*pointer).to_owned()
            },
            "{json}: {fault}"
        );
        assert!(
            fault.message.contains(message),
            "{json}: expected {message:?} in {:?}",
            fault.message
        );
    }
}

fn some(value: Val) -> Val {
    Val::Option(Some(value.into()))
}

fn text(value: &str) -> Val {
    Val::String(value.to_owned())
}

fn fields<const N: usize>(fields: [(&str, Val); N]) -> Val {
    Val::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

#[test]
fn bool_is_true_or_false() {
    same(
        word("bool"),
        &[(Val::Bool(true), "true"), (Val::Bool(false), "false")],
    );
    refuses(
        word("bool"),
        &[
            ("1", "", "expected true or false, found 1"),
            ("\"true\"", "", "found \"true\""),
            ("null", "", "found null"),
            ("[]", "", "found an array"),
            ("{}", "", "found an object"),
        ],
    );
}

#[test]
fn integers_have_their_range() {
    same(
        word("s8"),
        &[(Val::S8(-128), "-128"), (Val::S8(127), "127")],
    );
    same(word("u8"), &[(Val::U8(0), "0"), (Val::U8(255), "255")]);
    same(word("s16"), &[(Val::S16(i16::MIN), "-32768")]);
    same(word("u16"), &[(Val::U16(u16::MAX), "65535")]);
    same(word("s32"), &[(Val::S32(i32::MIN), "-2147483648")]);
    same(word("u32"), &[(Val::U32(u32::MAX), "4294967295")]);
    reads(
        word("u8"),
        &[
            ("1.0", Val::U8(1)),
            ("1e2", Val::U8(100)),
            ("-0", Val::U8(0)),
            (" 7 ", Val::U8(7)),
        ],
    );
    refuses(
        word("u8"),
        &[
            (
                "256",
                "",
                "expected a whole number from 0 to 255, found 256",
            ),
            ("-1", "", "found -1"),
            ("1.5", "", "found 1.5"),
            ("1e3", "", "found 1000"),
            ("\"1\"", "", "found \"1\""),
            ("99999999999999999999999", "", "0 to 255"),
        ],
    );
    refuses(
        word("s8"),
        &[("128", "", "from -128 to 127"), ("-129", "", "found -129")],
    );
}

#[test]
fn wide_integers_are_strings_beyond_what_a_double_holds() {
    same(
        word("u64"),
        &[
            (Val::U64(9_007_199_254_740_992), "9007199254740992"),
            (Val::U64(9_007_199_254_740_993), "\"9007199254740993\""),
            (Val::U64(u64::MAX), "\"18446744073709551615\""),
        ],
    );
    same(
        word("s64"),
        &[
            (Val::S64(-9_007_199_254_740_992), "-9007199254740992"),
            (Val::S64(-9_007_199_254_740_993), "\"-9007199254740993\""),
            (Val::S64(i64::MIN), "\"-9223372036854775808\""),
        ],
    );
    reads(
        word("u64"),
        &[
            ("18446744073709551615", Val::U64(u64::MAX)),
            ("\"7\"", Val::U64(7)),
        ],
    );
    reads(
        word("s64"),
        &[
            ("-9223372036854775808", Val::S64(i64::MIN)),
            ("\"-7\"", Val::S64(-7)),
        ],
    );
    refuses(
        word("u64"),
        &[
            ("18446744073709551616", "", "from 0 to 18446744073709551615"),
            (
                "\"18446744073709551616\"",
                "",
                "found \"18446744073709551616\"",
            ),
            ("\"-1\"", "", "found \"-1\""),
            ("\"+1\"", "", "found \"+1\""),
            ("\"01\"", "", "found \"01\""),
            ("\" 1\"", "", "found \" 1\""),
            ("\"\"", "", "found \"\""),
            ("\"-\"", "", "found \"-\""),
        ],
    );
}

#[test]
fn floats_round_once_and_have_names_where_json_has_no_number() {
    same(
        word("f64"),
        &[
            (Val::Float64(0.1), "0.1"),
            (Val::Float64(-0.0), "-0.0"),
            (Val::Float64(f64::MAX), "1.7976931348623157e+308"),
            (Val::Float64(5e-324), "5e-324"),
            (Val::Float64(f64::NAN), "\"NaN\""),
            (Val::Float64(f64::INFINITY), "\"Infinity\""),
            (Val::Float64(f64::NEG_INFINITY), "\"-Infinity\""),
        ],
    );
    same(
        word("f32"),
        &[
            (Val::Float32(0.1), "0.1"),
            (Val::Float32(f32::MAX), "3.4028235e+38"),
            (Val::Float32(f32::NEG_INFINITY), "\"-Infinity\""),
        ],
    );
    // The parser of serde_json alone is one step off here.
    reads(
        word("f64"),
        &[
            ("31.245270191439438", Val::Float64(31.245270191439438)),
            ("3", Val::Float64(3.0)),
        ],
    );
    // Rounded to 64 bits first, this would end one step lower.
    reads(
        word("f32"),
        &[("1.00000017881393432617187499", Val::Float32(1.000_000_1))],
    );
    refuses(
        word("f64"),
        &[
            ("1e400", "", "found 1e400"),
            ("\"nan\"", "", "found \"nan\""),
            (
                "\"1\"",
                "",
                "\"NaN\", \"Infinity\" or \"-Infinity\", found \"1\"",
            ),
            ("true", "", "found true"),
            ("null", "", "found null"),
            ("{\"a\":1}", "", "found an object"),
        ],
    );
    refuses(word("f32"), &[("3.5e38", "", "found 3.5e38")]);
}

#[test]
fn text_is_escaped_and_read_back() {
    same(
        word("string"),
        &[
            (text(""), "\"\""),
            (text("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""),
            (
                text("\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}"),
                "\"\\n\\r\\t\\b\\f\\u0000\\u001f\u{7f}\"",
            ),
            (text("grüß 🦀"), "\"grüß 🦀\""),
        ],
    );
    reads(
        word("string"),
        &[("\"\\ud83e\\udd80\\/\\u00e9\"", text("🦀/é"))],
    );
    refuses(
        word("string"),
        &[
            ("1", "", "expected a string, found 1"),
            ("null", "", "found null"),
        ],
    );
    same(
        word("char"),
        &[
            (Val::Char('x'), "\"x\""),
            (Val::Char('🦀'), "\"🦀\""),
            (Val::Char('"'), "\"\\\"\""),
        ],
    );
    refuses(
        word("char"),
        &[
            ("\"\"", "", "one character"),
            ("\"ab\"", "", "found \"ab\""),
            ("1", "", "found 1"),
        ],
    );
}

#[test]
fn bytes_are_base64() {
    let bytes = |bytes: &[u8]| Val::List(bytes.iter().copied().map(Val::U8).collect());
    same(
        list(word("u8")),
        &[
            (bytes(b""), "\"\""),
            (bytes(&[0xfb, 0xff]), "\"+/8=\""),
            (bytes(b"abc"), "\"YWJj\""),
        ],
    );
    reads(
        list(word("u8")),
        &[
            ("\"+/8\"", bytes(&[0xfb, 0xff])),
            ("\"-_8\"", bytes(&[0xfb, 0xff])),
            ("\"-_8=\"", bytes(&[0xfb, 0xff])),
        ],
    );
    refuses(
        list(word("u8")),
        &[
            ("[1]", "", "expected a base64 string, found an array"),
            ("\"a\"", "", "found \"a\""),
            ("\"-/8\"", "", "found"),
            ("\"YWJj\\n\"", "", "found"),
        ],
    );
}
