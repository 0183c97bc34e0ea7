//! What a document says of answers.

use super::*;

#[test]
fn success_and_problems_have_their_status() {
    let document = shop();
    let paths = &document["paths"];
    let standard = ["404", "409", "422"];
    let of = |path: &str, method: &str| statuses(&paths[path][method]);
    let with = |more: &[&'static str]| {
        let mut all: Vec<_> = standard.iter().chain(more).copied().collect();
        all.sort_unstable();
        all
    };
    assert_eq!(
        of("/products/{id}", "get"),
        with(&["200", "304", "400", "default"])
    );
    assert_eq!(
        of("/products", "post"),
        with(&["201", "400", "401", "403", "413", "415", "default"])
    );
    assert_eq!(
        of("/products/{id}", "delete"),
        with(&["204", "400", "401", "default"])
    );
    assert_eq!(
        of("/orders/{order}/reserve", "post"),
        ["204", "400", "409", "413", "415", "422", "default"]
    );
    assert_eq!(
        of("/inventory/{sku}", "post"),
        ["200", "400", "413", "415", "422", "default"]
    );
    assert!(
        paths["/products/{id}"]["delete"]["responses"]["204"]
            .get("content")
            .is_none()
    );
    let missing = &paths["/products/{id}"]["get"]["responses"]["404"];
    assert_eq!(
        missing["content"]["application/problem+json"]["schema"]["$ref"],
        "#/components/schemas/Problem"
    );
}

#[test]
fn a_route_that_keeps_answers_takes_a_key() {
    let keyed = Route {
        idempotency: Some(Idempotency::new(IdempotencyKey::Required)),
        ..route("POST /products", "shop:product/products.create")
    };
    let document = document("shop", &[("product", &contract(SHOP, "product"), &[keyed])]);
    check(&document);
    let post = &document["paths"]["/products"]["post"];
    let key = &post["parameters"][0];
    assert_eq!(
        (&key["name"], &key["required"]),
        (&json!("Idempotency-Key"), &json!(true))
    );
    let conflict = post["responses"]["409"]["description"].as_str().unwrap();
    assert!(conflict.contains("still under way"), "{conflict}");
}

#[test]
fn own_errors_are_mapped_by_the_route_or_internal() {
    let wit = "package a:b; interface i { variant e { too-big(u8), other } f: func() -> result<option<u8>, e>; } world w { export i; }";
    let mapped = Route {
        errors: [("too_big".to_owned(), 413)].into(),
        ..route("GET /f", "a:b/i.f")
    };
    let document = document("x", &[("s", &contract(wit, "w"), &[mapped])]);
    check(&document);
    let get = &document["paths"]["/f"]["get"];
    assert_eq!(
        statuses(get),
        ["200", "204", "304", "413", "500", "default"]
    );
    assert_eq!(
        get["responses"]["413"]["description"],
        "The service answered too_big."
    );
}

#[test]
fn an_answer_says_that_it_has_a_location() {
    let wit = "package a:b; interface i { record made { id: string } f: func(name: string) -> made; } world w { export i; }";
    let mut route = route("POST /f", "a:b/i.f");
    route.status = Some(201);
    route.location = Some("/f/{id}".to_owned());
    let document = document("x", &[("s", &contract(wit, "w"), &[route])]);
    check(&document);
    let header = &document["paths"]["/f"]["post"]["responses"]["201"]["headers"]["Location"];
    assert_eq!(header["schema"]["type"], "string", "{header}");
}
