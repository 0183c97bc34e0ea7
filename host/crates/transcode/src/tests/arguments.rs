//! Arguments as they are kept.

use super::super::Arguments;
use super::fixture::{T, function, list, option, record, word};
use stoa_engine::value::Val;

#[test]
fn arguments_are_kept_by_name_and_read_again() {
    let line = record([("sku", word("string")), ("line-count", word("u64"))]);
    let parameters: [(&str, T); 3] = [
        ("order-id", word("string")),
        ("lines", list(line)),
        ("note", option(word("string"))),
    ];
    let arguments = Arguments::compile(&function(&parameters, None)).unwrap();
    let line = Val::Record(vec![
        ("sku".to_owned(), Val::String("a".to_owned())),
        ("line-count".to_owned(), Val::U64(7)),
    ]);
    let params = [
        Val::String("o-1".to_owned()),
        Val::List(vec![line]),
        Val::Option(None),
    ];
    let json = arguments.encode(&params).unwrap();
    let text = r#"{"order_id":"o-1","lines":[{"sku":"a","line_count":7}],"note":null}"#;
    assert_eq!(String::from_utf8(json.clone()).unwrap(), text);
    assert_eq!(arguments.decode(&json).unwrap(), params);
    assert!(arguments.encode(&params[..2]).is_err());
    let fault = arguments
        .decode(br#"{"order_id":7,"lines":[]}"#)
        .unwrap_err();
    assert!(fault.to_string().contains("order_id"), "{fault}");
}

#[test]
fn a_function_without_parameters_is_an_empty_object() {
    let arguments = Arguments::compile(&function(&[], None)).unwrap();
    assert_eq!(arguments.encode(&[]).unwrap(), b"{}");
    assert_eq!(arguments.decode(b"{}").unwrap(), []);
}

#[test]
fn a_parameter_is_told_that_can_not_be_kept() {
    let refused = Arguments::compile(&function(&[("it", T::Handle)], None)).unwrap_err();
    assert!(refused[0].contains("parameter it"), "{refused:?}");
}

#[test]
fn a_key_is_the_text_of_one_parameter() {
    let parameters: [(&str, T); 3] = [
        ("order-id", word("string")),
        ("number", word("u64")),
        ("tags", list(word("string"))),
    ];
    let arguments = Arguments::compile(&function(&parameters, None)).unwrap();
    let params = [
        Val::String("\"o\"".to_owned()),
        Val::U64(1 << 60),
        Val::List(Vec::new()),
    ];
    let text = |name| arguments.text_of(&params, arguments.text(name).unwrap());
    assert_eq!(text("order_id").unwrap(), "\"o\"");
    assert_eq!(text("order-id").unwrap(), "\"o\"");
    assert_eq!(text("number").unwrap(), (1_u64 << 60).to_string());
    assert!(
        arguments
            .text("tags")
            .unwrap_err()
            .contains("without parts")
    );
    let unknown = arguments.text("id").unwrap_err();
    assert!(unknown.contains("order_id, number, tags"), "{unknown}");
}
