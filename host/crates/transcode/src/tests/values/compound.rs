//! Types that are made of others.

use super::*;

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
