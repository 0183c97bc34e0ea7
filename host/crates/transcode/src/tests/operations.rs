//! Routes: where parameters come from, and which routes are refused.

use super::super::{BodyForm, FaultKind, InputFault, Operation, Place};
use super::fixture::{
    T, enumeration, flags, function, list, operation, option, record, result, route, word,
};
use stoa_engine::value::Val;

fn refusals(key: &str, parameters: &[(&str, T)], result: Option<T>) -> Vec<String> {
    Operation::compile(&route(key), &function(parameters, result))
        .expect_err("the route is refused")
}

#[track_caller]
fn assert_refused(faults: &[String], expected: &[&str]) {
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, part) in faults.iter().zip(expected) {
        assert!(fault.contains(part), "expected {part:?} in {fault:?}");
    }
}

fn text(value: &str) -> Val {
    Val::String(value.to_owned())
}

fn some(value: Val) -> Val {
    Val::Option(Some(value.into()))
}

#[test]
fn path_parameters_bind_by_name() {
    let parameters = [("sku", word("string")), ("line-number", word("u32"))];
    let operation = operation("GET /lines/{line_number}/of/{sku}/*", &parameters, None);
    assert_eq!(operation.body(), None);
    assert_eq!(operation.result_slots(), 0);
    assert_eq!(
        operation.plain(&["7", "a%2Fb+c"], None, b""),
        Ok(vec![text("a/b+c"), Val::U32(7)])
    );
    let faults = [
        (
            ["x", "a"],
            "line_number",
            "expected a whole number from 0 to 4294967295, found \"x\"",
        ),
        (["", "a"], "line_number", "found \"\""),
        (
            ["7", "%ff"],
            "sku",
            "expected percent-encoded UTF-8, found \"%ff\"",
        ),
    ];
    for (path, name, message) in faults {
        let place = Place::Path {
            name: name.to_owned(),
        };
        let fault = operation.plain(&path, None, b"").expect_err(name);
        assert_eq!((fault.kind, fault.place), (FaultKind::Path, place));
        assert!(fault.message.contains(message), "{}", fault.message);
    }
    assert!(operation.plain(&["7"], None, b"").is_err());
}

#[test]
fn a_path_carries_every_type_without_parts() {
    let cases = [
        (word("bool"), "true", Val::Bool(true)),
        (word("s64"), "-9223372036854775808", Val::S64(i64::MIN)),
        (word("f64"), "-1.5e3", Val::Float64(-1500.0)),
        (word("f32"), "Infinity", Val::Float32(f32::INFINITY)),
        (word("char"), "%C3%A9", Val::Char('é')),
        (
            enumeration(["eu-west", "us"]),
            "eu_west",
            Val::Enum("eu-west".to_owned()),
        ),
        (
            list(word("u8")),
            "-_8",
            Val::List(vec![Val::U8(0xfb), Val::U8(0xff)]),
        ),
        (option(word("u8")), "3", some(Val::U8(3))),
    ];
    for (ty, raw, value) in cases {
        let operation = operation("GET /{x}", &[("x", ty)], None);
        assert_eq!(operation.plain(&[raw], None, b""), Ok(vec![value]), "{raw}");
    }
    let float = operation("GET /{x}", &[("x", word("f64"))], None);
    for raw in ["inf", "1.", ".5", "+1", "1e400", "%201", "0x1", ""] {
        assert!(float.plain(&[raw], None, b"").is_err(), "{raw}");
    }
}

#[test]
fn one_parameter_takes_the_whole_body_and_several_take_its_fields() {
    let whole = operation(
        "PUT /{id}",
        &[("id", word("string")), ("names", list(word("string")))],
        None,
    );
    assert_eq!(whole.body(), Some(BodyForm::Json));
    let names = Val::List(vec![text("x")]);
    assert_eq!(
        whole.plain(&["a"], None, b"[\"x\"]"),
        Ok(vec![text("a"), names])
    );

    let parameters = [
        ("reason-text", word("string")),
        ("id", word("string")),
        ("force", option(word("bool"))),
    ];
    let several = operation("/{id}", &parameters, None);
    let expected = vec![text("late"), text("a"), Val::Option(None)];
    assert_eq!(
        several.plain(&["a"], None, b"{\"reason_text\":\"late\"}"),
        Ok(expected)
    );
    let fault = several
        .plain(&["a"], None, b"{\"id\":\"b\"}")
        .expect_err("id is in the path");
    assert_eq!(
        fault.place,
        Place::Body {
            pointer: "/id".to_owned()
        }
    );
    let fault = several.plain(&["a"], None, b"").expect_err("no body");
    assert_eq!(
        (fault.kind, fault.message.contains("found no body")),
        (FaultKind::Syntax, true)
    );
}

#[test]
fn no_body_is_none_where_all_may_be_left_out() {
    let one = operation("POST /", &[("x", option(word("u32")))], None);
    assert_eq!(one.plain(&[], None, b""), Ok(vec![Val::Option(None)]));
    let two = operation(
        "POST /",
        &[("x", option(word("u32"))), ("y", option(word("u32")))],
        None,
    );
    assert_eq!(
        two.plain(&[], None, b""),
        Ok(vec![Val::Option(None), Val::Option(None)])
    );
    let nothing = operation("POST /", &[], None);
    assert_eq!(nothing.body(), None);
    assert_eq!(nothing.plain(&[], None, b"{}"), Ok(vec![]));
}

fn search() -> Operation {
    let parameters = [
        ("q", option(word("string"))),
        ("page-size", option(word("u32"))),
        ("sort", enumeration(["price-up", "name"])),
        ("tag", list(word("string"))),
        ("show", flags(["stock", "old-price"])),
        ("only", option(list(word("u64")))),
    ];
    operation("GET /search", &parameters, None)
}

#[test]
fn a_query_carries_scalars_lists_and_flags() {
    let full = "sort=price_up&q=red+w%C3%A4x%2B&&page_size=10&tag=a&tag=&show=old_price&show=stock&only=9007199254740993";
    let expected = vec![
        some(text("red wäx+")),
        some(Val::U32(10)),
        Val::Enum("price-up".to_owned()),
        Val::List(vec![text("a"), text("")]),
        Val::Flags(vec!["stock".to_owned(), "old-price".to_owned()]),
        some(Val::List(vec![Val::U64(9_007_199_254_740_993)])),
    ];
    assert_eq!(search().plain(&[], Some(full), b""), Ok(expected));
    let bare = vec![
        some(text("")),
        Val::Option(None),
        Val::Enum("name".to_owned()),
        Val::List(vec![]),
        Val::Flags(vec![]),
        Val::Option(None),
    ];
    assert_eq!(
        search().plain(&[], Some("q=&page_size=&sort=name"), b""),
        Ok(bare)
    );
}

#[test]
fn faults_in_a_query_name_the_parameter() {
    let cases = [
        (
            "",
            "sort",
            "expected one of \"price_up\", \"name\", found no such parameter",
        ),
        ("sort=nam", "sort", "did you mean \"name\"?"),
        (
            "sort=name&sort=name",
            "sort",
            "expected one value, found \"name\" and \"name\"",
        ),
        (
            "sort=name&page-size=1",
            "page-size",
            "did you mean \"page_size\"?",
        ),
        ("sort=name&page_size=x", "page_size", "found \"x\""),
        ("sort=name&show=stok", "show", "unknown flag \"stok\""),
        ("sort=name&show=stock&show=stock", "show", "each flag once"),
        ("sort=name&q=%ff", "q", "percent-encoded UTF-8"),
        ("sort=name&%ff=1", "%ff", "percent-encoded UTF-8"),
        ("sort=name&only=", "only", "found \"\""),
    ];
    for (query, name, message) in cases {
        let fault = search().plain(&[], Some(query), b"").expect_err(query);
        assert_eq!(fault.kind, FaultKind::Query);
        assert_eq!(
            fault.place,
            Place::Query {
                name: name.to_owned()
            },
            "{query}: {fault}"
        );
        assert!(fault.message.contains(message), "{query}: {fault}");
    }
}

#[test]
fn one_record_takes_its_fields_from_the_query() {
    let filter = record([("min-price", word("s64")), ("text", option(word("string")))]);
    let operation = operation(
        "DELETE /{id}",
        &[("filter", filter), ("id", word("u8"))],
        None,
    );
    let fields = vec![
        ("min-price".to_owned(), Val::S64(5)),
        ("text".to_owned(), Val::Option(None)),
    ];
    assert_eq!(
        operation.plain(&["1"], Some("min_price=5"), b""),
        Ok(vec![Val::Record(fields), Val::U8(1)])
    );
}

#[test]
fn a_query_that_nobody_takes_is_refused() {
    for key in ["GET /", "POST /"] {
        let operation = operation(key, &[], None);
        assert_eq!(operation.plain(&[], Some(""), b""), Ok(vec![]));
        let InputFault { kind, place, .. } =
            operation.plain(&[], Some("a+b=1"), b"").expect_err(key);
        assert_eq!(
            (kind, place),
            (
                FaultKind::Query,
                Place::Query {
                    name: "a b".to_owned()
                }
            )
        );
    }
}

#[test]
fn a_path_that_the_function_does_not_know_is_refused() {
    let parameters = [("id", word("string")), ("lines", list(word("string")))];
    assert_refused(
        &refusals("POST /{ids}/{lines}/{id}/{id}", &parameters, None),
        &[
            "path parameter {ids}: expected the name of one of the function's parameters (id, lines)",
            "path parameter {lines}: expected a number",
            "path parameter {id}: expected the name of one of the function's parameters (none is left), each once",
        ],
    );
}

#[test]
fn types_without_a_json_form_are_refused_with_their_place() {
    let order = record([
        ("lines", list(record([("file", T::Handle)]))),
        ("fine", word("u32")),
    ]);
    let parameters = [
        ("order", order),
        ("log", word("(stream u8)")),
        ("late", option(word("(future)"))),
    ];
    let error = word("error-context");
    assert_refused(
        &refusals(
            "POST /",
            &parameters,
            Some(result(Some(T::Tuple(vec![T::Handle])), Some(error))),
        ),
        &[
            "parameter order.lines[].file: expected a type with a JSON form, found a resource handle (own)",
            "parameter log: expected a type with a JSON form, found a stream",
            "parameter late?: expected a type with a JSON form, found a future",
            "result.err: expected a type with a JSON form, found a error-context",
            "result.0: expected a type with a JSON form, found a resource handle (own)",
        ],
    );
}

#[test]
fn what_a_query_cannot_carry_is_refused() {
    let parameters = [
        ("a", list(list(word("string")))),
        ("b", option(option(word("u32")))),
        ("c", T::Tuple(vec![word("u32")])),
        ("d", list(option(word("u32")))),
        ("e", word("u32")),
    ];
    assert_refused(
        &refusals("GET /", &parameters, None),
        &[
            "parameter a:",
            "parameter b:",
            "parameter c:",
            "parameter d:",
        ],
    );
    let nested = [(
        "filter",
        record([("range", record([("least", word("u32"))]))]),
    )];
    assert_refused(
        &refusals("GET /", &nested, None),
        &["parameter filter.range: expected a type that a query can carry"],
    );
}

#[test]
fn types_that_would_need_a_huge_plan_are_refused() {
    let bomb = (0..16).fold(word("u32"), |inner, _| T::Tuple(vec![inner.clone(), inner]));
    assert_refused(
        &refusals("POST /", &[("bomb", bomb)], None),
        &["at most 16384 parts"],
    );
}
