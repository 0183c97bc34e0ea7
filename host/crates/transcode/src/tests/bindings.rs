//! Parameters that a route takes from a header, and one that is the body as it was sent.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::{BodyForm, FaultKind, Operation, Place};
use super::fixture::{T, enumeration, function, list, option, record, route, word};
use stoa_engine::value::Val;
use stoa_settings::Route;

/// A route with these headers, and this for its body.
fn bound(key: &str, headers: &[(&str, &str)], body: Option<&str>) -> Route {
    let name = |(parameter, header): &(&str, &str)| ((*parameter).into(), (*header).into());
    Route {
        headers: headers.iter().map(name).collect(),
        body: body.map(str::to_owned),
        ..route(key)
    }
}

fn compile(route: &Route, parameters: &[(&str, T)]) -> Operation {
    Operation::compile(route, &function(parameters, None)).expect("the route compiles")
}

fn lines(lines: &[(&str, &[u8])]) -> HeaderMap {
    let line = |(name, value): &(&str, &[u8])| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_bytes(value).unwrap())
    };
    lines.iter().map(line).collect()
}

fn text(value: &str) -> Val {
    Val::String(value.to_owned())
}

fn some(value: Val) -> Val {
    Val::Option(Some(value.into()))
}

fn webhook() -> Operation {
    let route = bound(
        "POST /hooks/{shop}",
        &[("signature", "Stripe-Signature"), ("try_number", "x-try")],
        Some("body"),
    );
    let parameters = [
        ("body", list(word("u8"))),
        ("try-number", option(word("u8"))),
        ("signature", word("string")),
        ("shop", word("string")),
        ("live", option(word("bool"))),
    ];
    compile(&route, &parameters)
}

#[test]
fn each_parameter_comes_from_where_its_route_says() {
    let webhook = webhook();
    assert_eq!(webhook.body(), Some(BodyForm::Raw));
    let headers = lines(&[("stripe-signature", b"t=1,v1=ab"), ("x-try", b"3")]);
    let body = [0, 0xff, b'{'];
    let decoded = webhook.decode(&["eu"], Some("live=true"), &headers, &body);
    let bytes = body.into_iter().map(Val::U8).collect();
    let expected = vec![
        Val::List(bytes),
        some(Val::U8(3)),
        text("t=1,v1=ab"),
        text("eu"),
        some(Val::Bool(true)),
    ];
    assert_eq!(decoded, Ok(expected));
}

#[test]
fn what_is_named_is_taken_from_nowhere_else() {
    let headers = lines(&[("stripe-signature", b"s")]);
    for query in ["signature=x", "body=eA", "try_number=1", "shop=x"] {
        let fault = webhook()
            .decode(&["eu"], Some(query), &headers, b"")
            .expect_err(query);
        assert_eq!(fault.kind, FaultKind::Query, "{fault}");
    }
    // Headers leave the body to the rest.
    let route = bound("POST /", &[("tongue", "accept-language")], None);
    let operation = compile(
        &route,
        &[("tongue", option(word("string"))), ("age", word("u8"))],
    );
    assert_eq!(operation.body(), Some(BodyForm::Json));
    let decoded = operation.decode(&[], None, &HeaderMap::new(), b"7");
    assert_eq!(decoded, Ok(vec![Val::Option(None), Val::U8(7)]));
}

#[test]
fn a_header_is_one_text() {
    let of = |ty: T, headers: &HeaderMap| {
        let route = bound("GET /", &[("x", "x-of")], None);
        compile(&route, &[("x", ty)]).decode(&[], None, headers, b"")
    };
    let twice = lines(&[("x-of", b"a, b"), ("x-of", b"c")]);
    assert_eq!(of(word("string"), &twice), Ok(vec![text("a, b, c")]));
    let empty = lines(&[("x-of", b"")]);
    assert_eq!(of(option(word("string")), &empty), Ok(vec![some(text(""))]));
    let colour = lines(&[("x-of", b"light_blue")]);
    let colours = || enumeration(["red", "light-blue"]);
    let blue = Val::Enum("light-blue".to_owned());
    assert_eq!(of(option(colours()), &colour), Ok(vec![some(blue)]));

    let refused = [
        (word("string"), HeaderMap::new(), "found no such header"),
        (
            word("u8"),
            HeaderMap::new(),
            "from 0 to 255, found no such header",
        ),
        (
            word("u8"),
            lines(&[("x-of", b"256")]),
            "from 0 to 255, found \"256\"",
        ),
        (
            word("u8"),
            lines(&[("x-of", b"1"), ("x-of", b"1")]),
            "found \"1, 1\"",
        ),
        (option(word("u8")), lines(&[("x-of", b"-")]), "found \"-\""),
        (
            colours(),
            lines(&[("x-of", b"rad")]),
            "did you mean \"red\"?",
        ),
        (
            word("string"),
            lines(&[("x-of", b"a\xff")]),
            "expected UTF-8",
        ),
    ];
    for (ty, headers, message) in refused {
        let fault = of(ty, &headers).expect_err(message);
        let place = Place::Header {
            name: "x-of".to_owned(),
        };
        assert_eq!((fault.kind, &fault.place), (FaultKind::Header, &place));
        assert!(fault.to_string().starts_with("header x-of: "), "{fault}");
        assert!(fault.message.contains(message), "{fault}");
    }
}

#[test]
fn a_body_can_be_a_text() {
    let route = bound("/", &[], Some("note"));
    let note = compile(&route, &[("note", word("string"))]);
    assert_eq!(note.plain(&[], None, b""), Ok(vec![text("")]));
    let body = "no JSON: \u{e9}\r\n";
    assert_eq!(note.plain(&[], None, body.as_bytes()), Ok(vec![text(body)]));
    let fault = note.plain(&[], None, b"abc\xff").expect_err("no UTF-8");
    assert_eq!(fault.kind, FaultKind::Text);
    assert!(fault.message.contains("after 3 bytes"), "{fault}");
}

#[test]
fn bindings_that_can_not_be_are_refused() {
    let parameters = [
        ("id", word("string")),
        ("line", record([("sku", word("string"))])),
        ("bytes", list(word("u8"))),
    ];
    let refused = |route: &Route, expected: &str| {
        let faults = Operation::compile(route, &function(&parameters, None)).unwrap_err();
        assert!(faults[0].contains(expected), "{faults:#?}");
        assert_eq!(faults.len(), 1, "{faults:#?}");
    };
    let none_left = "parameter signature: expected the name of one of the function's parameters (id, line, bytes)";
    refused(&bound("POST /", &[("signature", "x-a")], None), none_left);
    let twice = bound("POST /{id}", &[("id", "x-id")], None);
    refused(&twice, "(line, bytes), each once");
    let parts = bound("POST /", &[("line", "x-line")], None);
    refused(
        &parts,
        "header x-line for parameter line: expected a number, string",
    );
    refused(
        &bound("POST /", &[("id", "x id")], None),
        "expected the name of a header",
    );
    refused(
        &bound("POST /", &[], Some("boddy")),
        "body for parameter boddy: expected the name",
    );
    let both = bound("PUT /x/{id}", &[("bytes", "x-bytes")], Some("bytes"));
    refused(&both, "(line), each once");
    let parts = bound("POST /{id}", &[], Some("bytes"));
    let several = [
        ("id", word("string")),
        ("lines", list(record([("sku", word("string"))]))),
        ("bytes", list(word("u8"))),
    ];
    let faults = Operation::compile(&parts, &function(&several, None)).unwrap_err();
    let told = "parameter lines: expected a type that a query can carry";
    assert!(faults[0].starts_with(told), "{faults:#?}");
    let shape = bound("POST /{id}", &[("bytes", "x-bytes")], Some("line"));
    refused(
        &shape,
        "body for parameter line: expected list<u8>, or string",
    );
}
