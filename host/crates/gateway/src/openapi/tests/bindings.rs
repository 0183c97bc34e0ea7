//! What a document says of headers that are parameters, and of bodies of any type.

use super::*;

const WIT: &str = "package a:b; interface i { \
                   f: func(body: list<u8>, try-number: option<u8>, signature: string, live: bool); \
                   g: func(text: string); } world w { export i; }";

#[test]
fn headers_and_raw_bodies_are_told() {
    let hook = Route {
        headers: [("signature", "stripe-signature"), ("try_number", "x-try")]
            .map(|(parameter, header)| (parameter.to_owned(), header.to_owned()))
            .into(),
        body: Some("body".to_owned()),
        ..route("POST /hooks", "a:b/i.f")
    };
    let text = Route {
        body: Some("text".to_owned()),
        ..route("PUT /text", "a:b/i.g")
    };
    let document = document("x", &[("s", &contract(WIT, "w"), &[hook, text])]);
    check(&document);
    let post = &document["paths"]["/hooks"]["post"];
    let number = json!({ "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 });
    let expected = json!([
        { "name": "stripe-signature", "in": "header", "required": true, "schema": { "type": "string" } },
        { "name": "x-try", "in": "header", "required": false, "schema": number },
        { "name": "live", "in": "query", "required": true, "schema": { "type": "boolean" } },
    ]);
    assert_eq!(post["parameters"], expected);
    assert_eq!(post["requestBody"]["content"], json!({ "*/*": {} }));
    assert_eq!(statuses(post), ["204", "400", "413", "default"]);
    let put = &document["paths"]["/text"]["put"];
    let string = json!({ "*/*": { "schema": { "type": "string" } } });
    assert_eq!(put["requestBody"]["content"], string);
}
