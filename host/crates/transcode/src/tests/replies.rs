//! Results: bodies, errors, versions, and which mappings are refused.

use super::super::{Operation, Reply};
use super::fixture::{
    T, enumeration, function, list, option, record, result, route, standard_error, variant, word,
};
use stoa_engine::service_error::{self, ErrorCase, ServiceError, Violation};
use stoa_engine::value::{Type, Val};
use stoa_settings::Route;

fn compile(result: Option<T>, change: impl FnOnce(&mut Route)) -> Result<Operation, Vec<String>> {
    let mut route = route("POST /");
    change(&mut route);
    Operation::compile(&route, &function(&[], result))
}

fn operation(result: Option<T>) -> Operation {
    compile(result, |_| {}).expect("the route compiles")
}

fn with_errors(error: Option<T>, errors: &[(&str, u16)]) -> Result<Operation, Vec<String>> {
    compile(Some(result(None, error)), |route| {
        route.errors = errors
            .iter()
            .map(|(name, status)| ((*name).to_owned(), *status))
            .collect();
    })
}

fn ok(value: Val) -> [Val; 1] {
    [Val::Result(Ok(Some(value.into())))]
}

fn err(value: Val) -> [Val; 1] {
    [Val::Result(Err(Some(value.into())))]
}

fn body(json: &str, version: Option<u64>) -> Reply {
    Reply::Body {
        json: json.to_owned().into(),
        version,
        location: None,
    }
}

#[test]
fn a_value_is_the_body_whether_plain_or_ok() {
    let plain = operation(Some(word("u32")));
    assert_eq!(plain.result_slots(), 1);
    assert_eq!(plain.encode(&[Val::U32(7)]), body("7", None));
    let fallible = operation(Some(result(Some(word("u32")), Some(standard_error()))));
    assert_eq!(fallible.encode(&ok(Val::U32(7))), body("7", None));
}

#[test]
fn nothing_is_empty() {
    assert_eq!(operation(None).encode(&[]), Reply::Empty);
    assert_eq!(
        operation(Some(result(None, None))).encode(&[Val::Result(Ok(None))]),
        Reply::Empty
    );
    assert_eq!(
        operation(Some(option(word("u32")))).encode(&[Val::Option(None)]),
        Reply::Empty
    );
    let found = operation(Some(result(
        Some(option(word("u32"))),
        Some(standard_error()),
    )));
    assert_eq!(found.encode(&ok(Val::Option(None))), Reply::Empty);
    let twice = operation(Some(option(option(word("u32")))));
    assert_eq!(
        twice.encode(&[Val::Option(Some(Val::Option(None).into()))]),
        body("{\"some\":null}", None)
    );
}

#[test]
fn a_records_version_comes_with_its_body() {
    let versioned = |ty| record([("id", word("string")), ("version", word(ty))]);
    let fields = |version| {
        Val::Record(vec![
            ("id".to_owned(), Val::String("a".to_owned())),
            ("version".to_owned(), version),
        ])
    };
    let json = "{\"id\":\"a\",\"version\":3}";
    let found = operation(Some(result(Some(versioned("u64")), Some(standard_error()))));
    assert_eq!(found.encode(&ok(fields(Val::U64(3)))), body(json, Some(3)));
    let optional = operation(Some(option(versioned("u64"))));
    assert_eq!(
        optional.encode(&[Val::Option(Some(fields(Val::U64(3)).into()))]),
        body(json, Some(3))
    );
    assert_eq!(
        operation(Some(versioned("u32"))).encode(&[fields(Val::U32(3))]),
        body(json, None)
    );
}

#[test]
fn a_location_is_made_of_the_results_fields() {
    let made = |location: &str| {
        let order = record([
            ("order-id", word("string")),
            ("number", word("u64")),
            ("state", enumeration(["being-packed", "sent"])),
            ("lines", list(word("u8"))),
        ]);
        compile(Some(result(Some(order), Some(standard_error()))), |route| {
            route.status = Some(201);
            route.location = Some(location.to_owned());
        })
    };
    let told = |location: &str, id: &str| {
        let fields = Val::Record(vec![
            ("order-id".to_owned(), Val::String(id.to_owned())),
            ("number".to_owned(), Val::U64(u64::MAX)),
            ("state".to_owned(), Val::Enum("being-packed".to_owned())),
            ("lines".to_owned(), Val::List(Vec::new())),
        ]);
        match made(location).unwrap().encode(&ok(fields)) {
            Reply::Body { location, .. } => location,
            other => panic!("{other:?}"),
        }
    };
    let at = |path: &str| Some(path.to_owned());
    assert_eq!(told("/orders/{order_id}", "7"), at("/orders/7"));
    assert_eq!(
        told("/{state}/{number}/of/{order_id}", "a/b ü.%"),
        at("/being_packed/18446744073709551615/of/a%2Fb%20%C3%BC.%25")
    );
    assert_eq!(told("/newest", "7"), at("/newest"));
    for nowhere in ["", ".", ".."] {
        assert_eq!(told("/orders/{order_id}", nowhere), None, "{nowhere:?}");
    }
    let refused = |location: &str| made(location).unwrap_err().join("\n");
    let unknown = refused("/orders/{id}");
    assert!(
        unknown.contains("{id}") && unknown.contains("order_id, number"),
        "{unknown}"
    );
    assert!(refused("/orders/{lines}").contains("another type"));
    let plain = compile(Some(word("u32")), |route| {
        route.location = Some("/orders/{id}".to_owned());
    });
    assert!(plain.unwrap_err()[0].contains("it is no record"));
}

#[test]
fn the_standard_error_is_known_by_its_structure() {
    let operation = operation(Some(result(None, Some(standard_error()))));
    let missing = Val::Variant(
        "not-found".to_owned(),
        Some(Val::String("no product a".to_owned()).into()),
    );
    let expected = ServiceError {
        case: ErrorCase::NotFound,
        detail: "no product a".to_owned(),
        violations: Vec::new(),
    };
    assert_eq!(operation.encode(&err(missing)), Reply::Error(expected));

    let text = |value: &str| Val::String(value.to_owned());
    let violation = Val::Record(vec![
        ("pointer".to_owned(), text("/sku")),
        ("detail".to_owned(), text("too long")),
    ]);
    let invalid = Val::Variant(
        "invalid".to_owned(),
        Some(Val::List(vec![violation]).into()),
    );
    let violations = vec![Violation {
        pointer: "/sku".to_owned(),
        detail: "too long".to_owned(),
    }];
    let expected = ServiceError {
        case: ErrorCase::Invalid,
        detail: String::new(),
        violations,
    };
    assert_eq!(operation.encode(&err(invalid)), Reply::Error(expected));
}

#[test]
fn another_error_is_not_taken_for_the_standard_one() {
    let type_of = |ty: T| function(&[("x", ty)], None).params().next().expect("x").1;
    assert!(service_error::is_standard(&type_of(standard_error())));
    let T::Variant(cases) = standard_error() else {
        unreachable!("it is a variant")
    };
    let changed = |change: fn(&mut Vec<(String, Option<T>)>)| {
        let mut cases = cases.clone();
        change(&mut cases);
        type_of(T::Variant(cases))
    };
    let others: [Type; 6] = [
        changed(|cases| drop(cases.pop())),
        changed(|cases| cases.push(("late".to_owned(), None))),
        changed(|cases| cases.swap(1, 2)),
        changed(|cases| cases[1].1 = None),
        changed(|cases| cases[0].1 = Some(list(word("string")))),
        type_of(word("string")),
    ];
    assert!(others.iter().all(|ty| !service_error::is_standard(ty)));
}

#[test]
fn unavailable_is_a_value_of_the_standard_error() {
    let error = ServiceError::from_val(&service_error::unavailable("product does not answer"));
    let (case, detail) = (ErrorCase::Unavailable, "product does not answer".to_owned());
    assert_eq!(
        error,
        Some(ServiceError {
            case,
            detail,
            violations: Vec::new()
        })
    );
    assert_eq!(ServiceError::from_val(&Val::Bool(true)), None);
    assert_eq!(
        ServiceError::from_val(&Val::Variant("other".to_owned(), None)),
        None
    );
}

#[test]
fn an_own_error_needs_a_mapping_to_reach_the_client() {
    let error = variant([("out-of-stock", Some(word("u32"))), ("closed", None)]);
    let operation = with_errors(Some(error), &[("out_of_stock", 409)]).expect("compiles");
    let case =
        |name: &str, payload: Option<Val>| Val::Variant(name.to_owned(), payload.map(Box::new));
    assert_eq!(
        operation.encode(&err(case("out-of-stock", Some(Val::U32(2))))),
        Reply::OwnError {
            case: "out-of-stock".to_owned(),
            json: b"{\"out_of_stock\":2}".to_vec(),
            status: 409
        },
    );
    assert_eq!(
        operation.encode(&err(case("closed", None))),
        Reply::Internal {
            case: "closed".to_owned(),
            detail: b"\"closed\"".to_vec()
        },
    );
}

#[test]
fn an_error_without_cases_is_called_err() {
    let text = with_errors(Some(word("string")), &[("err", 422)]).expect("compiles");
    assert_eq!(
        text.encode(&err(Val::String("no".to_owned()))),
        Reply::OwnError {
            case: "err".to_owned(),
            json: b"\"no\"".to_vec(),
            status: 422
        },
    );
    let bare = with_errors(None, &[]).expect("compiles");
    let expected = Reply::Internal {
        case: "err".to_owned(),
        detail: b"null".to_vec(),
    };
    assert_eq!(bare.encode(&[Val::Result(Err(None))]), expected);
}

#[test]
fn mappings_without_sense_are_refused() {
    let error = || Some(enumeration(["late-by-far", "gone"]));
    let faults =
        |error, errors: &[(&str, u16)]| with_errors(error, errors).expect_err("refused").join("; ");
    assert!(
        faults(error(), &[("lost", 404)])
            .contains("expected a case of the function's error type (late-by-far, gone)")
    );
    assert!(
        faults(error(), &[("gone", 200)])
            .contains("errors.gone: expected the status of an error, 400 to 599, found 200")
    );
    assert!(
        faults(error(), &[("late-by-far", 408), ("late_by_far", 504)])
            .contains("expected one status for late-by-far")
    );
    assert!(faults(Some(standard_error()), &[("conflict", 400)]).contains("fixed"));
    let plain = compile(Some(word("u32")), |route| {
        route.errors.extend([("gone".to_owned(), 410)])
    });
    assert!(
        plain
            .expect_err("refused")
            .join("; ")
            .contains("returns no result<_, E>")
    );
}

#[test]
fn statuses_without_sense_are_refused() {
    let status = |ty: Option<T>, status| compile(ty, |route| route.status = Some(status)).map(drop);
    for allowed in [200, 201, 202, 203] {
        assert_eq!(status(Some(word("u32")), allowed), Ok(()));
    }
    assert_eq!(status(None, 204), Ok(()));
    for refused in [0, 99, 100, 199, 204, 205, 300, 304, 404, 500, 1000] {
        assert_eq!(
            status(Some(word("u32")), refused)
                .expect_err("refused")
                .len(),
            1,
            "{refused}"
        );
    }
}

#[test]
fn a_result_of_another_type_is_internal_and_no_panic() {
    let operation = operation(Some(result(
        Some(record([("a", word("u32"))])),
        Some(word("u32")),
    )));
    let strange = [
        vec![],
        vec![Val::U32(1)],
        ok(Val::Record(vec![])).into(),
        ok(Val::U32(1)).into(),
        err(Val::Bool(true)).into(),
        vec![Val::Result(Ok(None))],
        vec![Val::Result(Err(None))],
    ];
    for results in strange {
        let reply = operation.encode(&results);
        assert!(
            matches!(reply, Reply::Internal { .. }),
            "{results:?}: {reply:?}"
        );
    }
}
