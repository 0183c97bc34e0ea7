use serde_json::{Value, json};

use super::contract;
use super::{check, route};
use crate::openapi::document;

/// Each WIT type and its JSON form.
#[test]
fn types_have_their_json_form() {
    let string = json!({ "type": "string" });
    let byte = json!({ "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 });
    let some = |payload: &Value| json!({ "type": "object", "properties": { "some": payload }, "required": ["some"], "additionalProperties": false });
    let case = |name: &str, payload: &Value| json!({ "type": "object", "properties": { name: payload }, "required": [name], "additionalProperties": false });
    let nullable = |schema: &Value| json!({ "anyOf": [schema, { "type": "null" }] });
    let forms = [
        ("bool", json!({ "type": "boolean" })),
        (
            "s16",
            json!({ "type": "integer", "format": "int16", "minimum": -32768, "maximum": 32767 }),
        ),
        (
            "u64",
            json!({ "oneOf": [{ "type": "integer", "format": "uint64", "minimum": 0, "maximum": u64::MAX },
                              { "type": "string", "pattern": "^(0|[1-9][0-9]*)$" }] }),
        ),
        (
            "s64",
            json!({ "oneOf": [{ "type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX },
                              { "type": "string", "pattern": "^-?(0|[1-9][0-9]*)$" }] }),
        ),
        (
            "f32",
            json!({ "oneOf": [{ "type": "number", "format": "float" }, { "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] }] }),
        ),
        (
            "char",
            json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        ),
        (
            "list<u8>",
            json!({ "type": "string", "contentEncoding": "base64" }),
        ),
        ("list<string>", json!({ "type": "array", "items": string })),
        (
            "tuple<u8, string>",
            json!({ "type": "array", "prefixItems": [byte, string], "items": false, "minItems": 2, "maxItems": 2 }),
        ),
        ("option<u8>", nullable(&byte)),
        ("option<option<u8>>", nullable(&some(&nullable(&byte)))),
        (
            "map<string, u8>",
            json!({ "type": "object", "additionalProperties": byte }),
        ),
        (
            "map<bool, u8>",
            json!({ "type": "array", "items": { "type": "array", "prefixItems": [{ "type": "boolean" }, byte], "items": false, "minItems": 2, "maxItems": 2 } }),
        ),
        (
            "list<string, 2>",
            json!({ "type": "array", "items": string, "minItems": 2, "maxItems": 2 }),
        ),
        (
            "result<u8, string>",
            json!({ "oneOf": [case("ok", &byte), case("err", &string)] }),
        ),
        (
            "result<_, string>",
            json!({ "oneOf": [{ "type": "string", "enum": ["ok"] }, case("err", &string)] }),
        ),
        ("result", json!({ "type": "string", "enum": ["ok", "err"] })),
        ("en", json!({ "$ref": "#/components/schemas/a.b.En" })),
    ];
    for (wit, expected) in forms {
        assert_eq!(field_schema(wit, ""), expected, "{wit}");
    }
    let named = [
        (
            "enum en { one-two, x }",
            json!({ "type": "string", "enum": ["one_two", "x"] }),
        ),
        (
            "flags en { a-b, c }",
            json!({ "type": "array", "items": { "type": "string", "enum": ["a_b", "c"] }, "uniqueItems": true }),
        ),
        (
            "variant en { none-of-it, one-of(u8), two }",
            json!({ "oneOf": [{ "type": "string", "enum": ["none_of_it", "two"] }, case("one_of", &byte)] }),
        ),
        (
            "variant en { a, b }",
            json!({ "type": "string", "enum": ["a", "b"] }),
        ),
        (
            "record en { a-b: u8, c: option<string> }",
            json!({ "type": "object", "properties": { "a_b": byte, "c": nullable(&string) }, "required": ["a_b"], "additionalProperties": false }),
        ),
        (
            "type en = list<u8>;",
            json!({ "type": "string", "contentEncoding": "base64" }),
        ),
    ];
    for (definition, expected) in named {
        assert_eq!(field_schema("en", definition), expected, "{definition}");
    }
}

/// The schema of a field of type `ty`, or of `en` where that is defined.
fn field_schema(ty: &str, definition: &str) -> Value {
    let en = if definition.is_empty() {
        "enum en { x }"
    } else {
        definition
    };
    let wit = format!(
        "package a:b; interface i {{ {en} record r {{ f: {ty} }} f: func(r: r); }} world w {{ export i; }}"
    );
    let document = document(
        "x",
        &[("s", &contract(&wit, "w"), &[route("POST /f", "a:b/i.f")])],
    );
    check(&document);
    let schemas = &document["components"]["schemas"];
    if definition.is_empty() {
        schemas["a.b.R"]["properties"]["f"].clone()
    } else {
        schemas["a.b.En"].clone()
    }
}
