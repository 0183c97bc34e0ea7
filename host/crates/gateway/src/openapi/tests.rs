use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::document;
use stoa_service::contract::Contract;
use stoa_settings::{Access, Idempotency, IdempotencyKey, Route, Target};
use stoa_test_components::{SHOP, component};

mod bindings;
mod check;
mod responses;
mod types;

use check::check;

/// The contract of a component that is made of this WIT.
fn contract(wit: &str, world: &str) -> Contract {
    Contract::read(&component(wit, world)).unwrap()
}

fn route(key: &str, target: &str) -> Route {
    let (method, path) = match key.split_once(' ') {
        Some((method, path)) => (Some(method.to_owned()), path),
        None => (None, key),
    };
    let target = match target {
        "http" => Target::Http,
        call => Target::Call(call.to_owned().try_into().unwrap()),
    };
    Route {
        method,
        path: path.to_owned(),
        target,
        access: Access::Public,
        ..Route::default()
    }
}

fn shop() -> Value {
    let routes = [
        route("GET /products/{id}", "shop:product/products.get"),
        Route {
            status: Some(201),
            access: Access::Scope("products:write".to_owned()),
            ..route("POST /products", "shop:product/products.create")
        },
        Route {
            access: Access::Authenticated,
            ..route("DELETE /products/{id}", "shop:product/products.delete")
        },
        route("GET /products", "shop:product/products.find"),
        Route {
            errors: [("err".to_owned(), 409)].into(),
            ..route("/orders/{order}/reserve", "shop:product/inventory.reserve")
        },
        route("POST /inventory/{sku}", "shop:product/inventory.adjust"),
        route("GET /gone", "shop:product/products.gone"),
        route("/legacy/*", "http"),
        route("GET /page", "http"),
    ];
    let document = document("shop", &[("product", &contract(SHOP, "product"), &routes)]);
    check(&document);
    document
}

fn statuses(operation: &Value) -> Vec<&str> {
    operation["responses"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn path_parameters_bind_by_name() {
    let document = shop();
    let get = &document["paths"]["/products/{id}"]["get"];
    assert_eq!(
        get["parameters"],
        json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }])
    );
    assert_eq!(get["operationId"], "product_products_get");
    assert_eq!(get["tags"], json!(["product"]));
    assert!(get.get("requestBody").is_none());
    let product = json!({ "$ref": "#/components/schemas/shop.product.Product" });
    assert_eq!(
        get["responses"]["200"]["content"]["application/json"]["schema"],
        product
    );
}

#[test]
fn the_rest_is_the_query_or_the_body() {
    let document = shop();
    let find = &document["paths"]["/products"]["get"];
    assert_eq!(
        find["parameters"][0],
        json!({ "name": "sku", "in": "query", "required": true, "schema": { "type": "string" } })
    );
    let price = json!({ "type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX });
    assert_eq!(
        find["parameters"][1],
        json!({ "name": "max_price", "in": "query", "required": false, "schema": price })
    );
    let whole = &document["paths"]["/products"]["post"]["requestBody"];
    assert_eq!(
        whole["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/shop.product.Product"
    );
    assert_eq!(whole["required"], true);
    let single = &document["paths"]["/inventory/{sku}"]["post"]["requestBody"]["content"]["application/json"]
        ["schema"];
    assert_eq!(single["format"], "int32");
}

#[test]
fn several_parameters_are_the_fields_of_the_body() {
    let wit = "package a:b; interface i { f: func(first-name: string, age: option<u8>); g: func(a: option<u8>, b: option<u8>); } world w { export i; }";
    let routes = [route("POST /f", "a:b/i.f"), route("PUT /g", "a:b/i.g")];
    let document = document("x", &[("s", &contract(wit, "w"), &routes)]);
    check(&document);
    let body = &document["paths"]["/f"]["post"]["requestBody"];
    let schema = &body["content"]["application/json"]["schema"];
    assert_eq!(
        (&body["required"], &schema["required"]),
        (&json!(true), &json!(["first_name"]))
    );
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["properties"]["age"]["anyOf"][1],
        json!({ "type": "null" })
    );
    assert_eq!(
        document["paths"]["/g"]["put"]["requestBody"]["required"],
        false
    );
}

#[test]
fn a_record_in_the_query_gives_its_fields() {
    let wit = "package a:b; interface i { flags fl { x, y } record q { tags: list<string>, page-size: option<u8>, only: fl, raw: list<u8> } f: func(q: q) -> u8; }
        world w { export i; }";
    let document = document(
        "x",
        &[("s", &contract(wit, "w"), &[route("GET /f", "a:b/i.f")])],
    );
    check(&document);
    let parameters = document["paths"]["/f"]["get"]["parameters"]
        .as_array()
        .unwrap();
    let facts: Vec<_> = parameters
        .iter()
        .map(|p| {
            (
                p["name"].as_str().unwrap(),
                p["required"].as_bool().unwrap(),
                p.get("explode").is_some(),
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            ("tags", false, true),
            ("page_size", false, false),
            ("only", false, true),
            ("raw", true, false)
        ]
    );
}

#[test]
fn only_public_routes_are_open() {
    let document = shop();
    let security =
        |path: &str, method: &str| document["paths"][path][method].get("security").cloned();
    assert_eq!(security("/products/{id}", "get"), None);
    assert_eq!(
        security("/products", "post"),
        Some(json!([{ "bearer": ["products:write"] }, { "api_key": ["products:write"] }]))
    );
    assert_eq!(
        security("/products/{id}", "delete"),
        Some(json!([{ "bearer": [] }, { "api_key": [] }]))
    );
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    assert_eq!(
        document["components"]["securitySchemes"]["api_key"]["name"],
        "X-API-Key"
    );
}

#[test]
fn routes_that_are_no_calls_show_their_path() {
    let document = shop();
    let legacy = document["paths"]["/legacy/{path}"].as_object().unwrap();
    assert_eq!(
        legacy.keys().collect::<Vec<_>>(),
        ["description", "parameters", "summary"]
    );
    assert_eq!(
        document["paths"]["/page"]["get"]["operationId"],
        "product_http"
    );
    assert!(document["paths"].get("/gone").is_none());
}

#[test]
fn a_route_of_any_method_is_shown_under_several() {
    let document = shop();
    let item = document["paths"]["/orders/{order}/reserve"]
        .as_object()
        .unwrap();
    let ids: Vec<_> = item
        .values()
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(item.keys().collect::<Vec<_>>(), ["patch", "post", "put"]);
    assert_eq!(
        ids,
        [
            "product_inventory_reserve_patch",
            "product_inventory_reserve",
            "product_inventory_reserve_put"
        ]
    );
}

#[test]
fn hosts_are_servers() {
    let wit = "package a:b; interface i { f: func(); g: func(); } world w { export i; }";
    let on = |host: &str, call: &str| Route {
        host: Some(host.to_owned()),
        ..route("GET /f", call)
    };
    let document = document(
        "x",
        &[(
            "s",
            &contract(wit, "w"),
            &[on("one.example", "a:b/i.f"), on("two.example", "a:b/i.g")],
        )],
    );
    check(&document);
    let get = &document["paths"]["/f"]["get"];
    assert_eq!(get["servers"], json!([{ "url": "//one.example/" }]));
    assert_eq!(get["description"], "On two.example: a:b/i.g");
}

#[test]
fn named_types_stand_once_unless_they_differ() {
    let wit = |price: &str| {
        format!(
            "package a:b; interface i {{ record item {{ price: {price} }} f: func() -> list<item>; }}
             interface j {{ record item {{ price: string }} g: func(item: item); }} world w {{ export i; export j; }}"
        )
    };
    let contracts = [
        contract(&wit("u8"), "w"),
        contract(&wit("u8"), "w"),
        contract(&wit("u16"), "w"),
    ];
    let routes = |prefix: &str| {
        [
            route(&format!("GET /{prefix}/f"), "a:b/i.f"),
            route(&format!("POST /{prefix}/g"), "a:b/j.g"),
        ]
    };
    let (first, second, third) = (routes("1"), routes("2"), routes("3"));
    let document = document(
        "x",
        &[
            ("one", &contracts[0], &first),
            ("two", &contracts[1], &second),
            ("three", &contracts[2], &third),
        ],
    );
    check(&document);
    let names: Vec<_> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(names, ["Problem", "a.b.Item", "a.b.i.Item", "a.b.j.Item"]);
    let item = |path: &str| {
        document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            ["items"]["$ref"]
            .clone()
    };
    assert_eq!(
        (item("/1/f"), item("/3/f")),
        (
            json!("#/components/schemas/a.b.Item"),
            json!("#/components/schemas/a.b.i.Item")
        )
    );
    assert_eq!(item("/1/f"), item("/2/f"));
}

/// For a look at the whole, and for validators outside of this project.
#[test]
fn the_document_is_stable() {
    assert_eq!(shop(), shop());
    if let Some(file) = std::env::var_os("STOA_TEST_OPENAPI_OUT") {
        std::fs::write(file, shop().to_string()).unwrap();
    }
}
