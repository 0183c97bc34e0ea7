//! What is no JSON, too deep or too much.

use super::*;

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
