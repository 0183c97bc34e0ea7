//! Each type's JSON, both ways, and what is refused.

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
            let json = String::from_utf8(json).expect("JSON is UTF-8");
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
        .decode(&[], None, json)
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

#[test]
fn lists_and_tuples_are_arrays() {
    let numbers = || vec![Val::U32(1), Val::U32(2)];
    same(
        list(word("u32")),
        &[(Val::List(vec![]), "[]"), (Val::List(numbers()), "[1,2]")],
    );
    same(
        T::FixedList(word("u8").into(), 2),
        &[(Val::FixedLengthList(vec![Val::U8(1), Val::U8(2)]), "[1,2]")],
    );
    same(
        T::Tuple(vec![word("u32"), word("string")]),
        &[(Val::Tuple(vec![Val::U32(1), text("a")]), "[1,\"a\"]")],
    );
    refuses(
        list(word("u32")),
        &[
            ("[1,null]", "/1", "found null"),
            ("{}", "", "expected an array, found an object"),
        ],
    );
    refuses(
        T::FixedList(word("u8").into(), 2),
        &[
            ("[1]", "", "an array of 2 items, found 1 items"),
            ("[1,2,3]", "", "found 3"),
        ],
    );
    refuses(
        T::Tuple(vec![word("u32"), word("string")]),
        &[
            ("[1]", "/1", "expected a string, found the array's end"),
            ("[1,\"a\",2]", "/2", "expected 2 items, found one more"),
            ("[1,2]", "/1", "found 2"),
        ],
    );
}

#[test]
fn maps_are_objects_or_pairs() {
    let texts = Val::Map(vec![(text("b/~"), Val::U32(1)), (text("a"), Val::U32(2))]);
    same(
        map(word("string"), word("u32")),
        &[(texts, "{\"b/~\":1,\"a\":2}"), (Val::Map(vec![]), "{}")],
    );
    same(
        map(word("char"), word("bool")),
        &[(
            Val::Map(vec![(Val::Char('"'), Val::Bool(true))]),
            "{\"\\\"\":true}",
        )],
    );
    let pairs = Val::Map(vec![(Val::S8(-1), text("a")), (Val::S8(2), text("b"))]);
    same(
        map(word("s8"), word("string")),
        &[(pairs, "[[-1,\"a\"],[2,\"b\"]]")],
    );
    same(
        map(word("bool"), word("u8")),
        &[(Val::Map(vec![(Val::Bool(true), Val::U8(1))]), "[[true,1]]")],
    );
    refuses(
        map(word("string"), word("u32")),
        &[
            ("{\"b/~\":null}", "/b~1~0", "found null"),
            ("{\"a\":1,\"a\":2}", "/a", "each key once"),
            ("[]", "", "found an array"),
        ],
    );
    refuses(
        map(word("char"), word("bool")),
        &[(
            "{\"ab\":true}",
            "/ab",
            "a key of one character, found \"ab\"",
        )],
    );
    refuses(
        map(word("s8"), word("string")),
        &[
            ("[[1,\"a\"],[1,\"b\"]]", "/1/0", "each key once"),
            ("[[1]]", "/0/1", "expected a string, found the pair's end"),
            ("[[1,\"a\",2]]", "/0/2", "found one more"),
            ("[1]", "/0", "a [key, value] pair"),
            ("{}", "", "found an object"),
        ],
    );
}

#[test]
fn a_map_that_repeats_a_key_is_written_with_its_last_value() {
    let map_of = map(word("string"), word("u32"));
    let repeated = Val::Map(vec![
        (text("a"), Val::U32(1)),
        (text("b"), Val::U32(2)),
        (text("a"), Val::U32(3)),
    ]);
    assert_eq!(encode(&echo(&map_of), repeated), "{\"b\":2,\"a\":3}");
}

#[test]
fn records_are_objects_with_snake_case_fields() {
    let line = || {
        record([
            ("product-id", word("string")),
            ("quantity", word("u32")),
            ("note", option(word("string"))),
        ])
    };
    let value = |note| {
        fields([
            ("product-id", text("a")),
            ("quantity", Val::U32(1)),
            ("note", Val::Option(note)),
        ])
    };
    same(
        line(),
        &[
            (
                value(None),
                "{\"product_id\":\"a\",\"quantity\":1,\"note\":null}",
            ),
            (
                value(Some(text("n").into())),
                "{\"product_id\":\"a\",\"quantity\":1,\"note\":\"n\"}",
            ),
        ],
    );
    reads(
        line(),
        &[
            ("{\"product_id\":\"a\",\"quantity\":1}", value(None)),
            (
                "{\"note\":null,\"quantity\":1,\"product_\\u0069d\":\"a\"}",
                value(None),
            ),
        ],
    );
    refuses(
        line(),
        &[
            (
                "{\"product_id\":\"a\"}",
                "/quantity",
                "expected a whole number from 0 to 4294967295, found no such field",
            ),
            (
                "{\"quantiti\":1}",
                "/quantiti",
                "unknown field \"quantiti\": expected one of \"product_id\", \"quantity\", \"note\"; did you mean \"quantity\"?",
            ),
            (
                "{\"product-id\":\"a\"}",
                "/product-id",
                "did you mean \"product_id\"?",
            ),
            (
                "{\"quantity\":1,\"quantity\":1}",
                "/quantity",
                "each field once",
            ),
            ("{\"a/b~\":1}", "/a~1b~0", "unknown field"),
            (
                "{\"product_id\":\"a\",\"quantity\":1,\"note\":2}",
                "/note",
                "expected a string, found 2",
            ),
            ("[]", "", "expected an object, found an array"),
        ],
    );
    refuses(
        record([("lines", list(line()))]),
        &[(
            "{\"lines\":[{\"product_id\":\"a\",\"quantity\":1},{\"product_id\":\"a\",\"quantity\":-1}]}",
            "/lines/1/quantity",
            "found -1",
        )],
    );
}

#[test]
fn variants_and_results_name_their_case() {
    let shape = || {
        variant([
            ("unit-circle", None),
            ("box", Some(word("u32"))),
            ("maybe", Some(option(word("u32")))),
        ])
    };
    let case =
        |name: &str, payload: Option<Val>| Val::Variant(name.to_owned(), payload.map(Box::new));
    same(
        shape(),
        &[
            (case("unit-circle", None), "\"unit_circle\""),
            (case("box", Some(Val::U32(3))), "{\"box\":3}"),
            (case("maybe", Some(Val::Option(None))), "{\"maybe\":null}"),
        ],
    );
    refuses(
        shape(),
        &[
            (
                "\"box\"",
                "",
                "expected one of \"unit_circle\", {\"box\": …}, {\"maybe\": …}, found \"box\"",
            ),
            ("\"unit-circle\"", "", "did you mean \"unit_circle\"?"),
            (
                "{\"unit_circle\":null}",
                "/unit_circle",
                "expected the string \"unit_circle\"",
            ),
            ("{}", "", "found an empty object"),
            ("{\"bax\":1}", "/bax", "unknown case \"bax\""),
            (
                "{\"box\":1,\"maybe\":1}",
                "/maybe",
                "expected an object with one field, found also \"maybe\"",
            ),
            ("{\"box\":\"x\"}", "/box", "found \"x\""),
            ("{\"maybe\":\"x\"}", "/maybe", "found \"x\""),
            ("1", "", "found 1"),
        ],
    );
    same(
        result(Some(word("u32")), None),
        &[
            (Val::Result(Ok(Some(Val::U32(1).into()))), "{\"ok\":1}"),
            (Val::Result(Err(None)), "\"err\""),
        ],
    );
    same(
        result(None, Some(word("string"))),
        &[
            (Val::Result(Ok(None)), "\"ok\""),
            (Val::Result(Err(Some(text("x").into()))), "{\"err\":\"x\"}"),
        ],
    );
    refuses(
        result(None, Some(word("string"))),
        &[
            ("\"err\"", "", "{\"err\": …}"),
            ("{\"ok\":1}", "/ok", "the string \"ok\""),
        ],
    );
}

#[test]
fn enums_and_flags_are_strings() {
    let colour = || enumeration(["deep-red", "green"]);
    same(
        colour(),
        &[(Val::Enum("deep-red".to_owned()), "\"deep_red\"")],
    );
    refuses(
        colour(),
        &[
            (
                "\"gren\"",
                "",
                "expected one of \"deep_red\", \"green\", found \"gren\"; did you mean \"green\"?",
            ),
            ("0", "", "found 0"),
            ("{\"green\":null}", "", "found an object"),
        ],
    );
    let set = |names: &[&str]| Val::Flags(names.iter().map(|name| (*name).to_owned()).collect());
    let rights = || flags(["read", "write-all"]);
    same(
        rights(),
        &[
            (set(&[]), "[]"),
            (set(&["read", "write-all"]), "[\"read\",\"write_all\"]"),
        ],
    );
    reads(
        rights(),
        &[("[\"write_all\",\"read\"]", set(&["read", "write-all"]))],
    );
    refuses(
        rights(),
        &[
            (
                "[\"read\",\"read\"]",
                "/1",
                "each flag once, found \"read\" twice",
            ),
            ("[\"rad\"]", "/0", "unknown flag \"rad\""),
            ("[1]", "/0", "a flag"),
            ("\"read\"", "", "expected an array of"),
        ],
    );
}

#[test]
fn an_option_of_an_option_loses_nothing() {
    same(
        option(word("u32")),
        &[(Val::Option(None), "null"), (some(Val::U32(1)), "1")],
    );
    let twice = || option(option(word("u32")));
    same(
        twice(),
        &[
            (Val::Option(None), "null"),
            (some(Val::Option(None)), "{\"some\":null}"),
            (some(some(Val::U32(1))), "{\"some\":1}"),
        ],
    );
    same(
        option(twice()),
        &[
            (some(some(Val::Option(None))), "{\"some\":{\"some\":null}}"),
            (some(Val::Option(None)), "{\"some\":null}"),
        ],
    );
    refuses(
        twice(),
        &[
            ("1", "", "expected {\"some\": …} or null, found 1"),
            ("{}", "", "found an empty object"),
            ("{\"other\":1}", "/other", "found \"other\""),
            ("{\"some\":1,\"more\":1}", "/more", "one field"),
            ("{\"some\":\"x\"}", "/some", "found \"x\""),
        ],
    );
}

#[test]
fn what_is_not_json_is_a_fault_of_syntax() {
    let strings = echo(&record([("a", list(word("string")))]));
    let cases: [(&[u8], &str); 10] = [
        (b"", ""),
        (b" ", ""),
        (b"{\"a\":[]", ""),
        (b"{\"a\":[]} x", ""),
        (b"{\"a\":[]}{}", ""),
        (b"{\"a\":[\"\xff\"]}", "/a/0"),
        (b"{\"a\":[\"\xed\xa0\x80\"]}", "/a/0"),
        (b"{\"a\":[\"\\ud800\"]}", "/a/0"),
        (b"{\"a\":[\"\\ud800\\u0041\"]}", "/a/0"),
        (b"{\"a\":[\"\n\"]}", "/a/0"),
    ];
    for (json, pointer) in cases {
        let shown = String::from_utf8_lossy(json);
        let fault = decode(&strings, json).expect_err(&shown);
        assert_eq!(fault.kind, FaultKind::Syntax, "{shown}: {fault}");
        assert_eq!(
            fault.place,
            Place::Body {
                pointer: pointer.to_owned()
            },
            "{shown}: {fault}"
        );
    }
    assert!(decode(&strings, b"{\"a\":[],}").is_err());
    assert!(decode(&echo(&word("f64")), b"01").is_err());
    assert!(decode(&echo(&word("f64")), b"NaN").is_err());
}

#[test]
fn nesting_ends_at_the_types_depth_or_the_limit() {
    let deep = (0..60).fold(word("u32"), |inner, _| list(inner));
    let json = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    assert!(decode(&echo(&deep), json.as_bytes()).is_ok());
    for ty in [
        deep,
        word("u32"),
        word("f64"),
        list(word("string")),
        option(word("u32")),
    ] {
        let fault = decode(&echo(&ty), "[".repeat(100_000).as_bytes()).expect_err("too deep");
        assert!(!fault.message.is_empty());
    }
}

#[test]
fn a_small_body_cannot_stand_for_an_endless_value() {
    let names: Vec<(String, T)> = (0..100)
        .map(|at| (format!("f{at}"), option(word("u32"))))
        .collect();
    let operation = echo(&list(T::Record(names)));
    assert!(
        decode(
            &operation,
            format!("[{}{{}}]", "{},".repeat(1000)).as_bytes()
        )
        .is_ok()
    );
    let fault = decode(
        &operation,
        format!("[{}{{}}]", "{},".repeat(100_000)).as_bytes(),
    )
    .expect_err("too much");
    assert_eq!(fault.kind, FaultKind::Shape);
    assert!(fault.message.contains("leaves out at most"), "{fault}");
}
