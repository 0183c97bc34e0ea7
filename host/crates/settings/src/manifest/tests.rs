mod faults;
mod refused;
mod routes;
mod schedules;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::route::{RouteKey, parse_key};
use super::*;
use crate::{
    Access, By, Choice, Class, Concurrency, Idempotency, IdempotencyKey, OnExhausted, Priority,
    Queue, Rate, Target,
};

fn parse(text: &str) -> Result<Manifest, Vec<String>> {
    Manifest::parse(Path::new("app/stoa.toml"), text)
        .map_err(|faults| faults.to_string().lines().map(str::to_owned).collect())
}

/// The single fault of a service whose table goes on with `lines`, which begin
/// in line 3.
fn fault(lines: &str) -> String {
    let text = format!("[service.product]\ncomponent = \"p.wasm\"\n{lines}\n");
    let faults = parse(&text).expect_err(&text);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults[0]
        .strip_prefix("app/stoa.toml:")
        .expect("a file and a line")
        .to_owned()
}

/// The settings of the same service, which has no fault.
fn settings(lines: &str) -> Settings {
    let text = format!("[service.product]\ncomponent = \"p.wasm\"\n{lines}\n");
    let mut manifest = parse(&text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    manifest
        .services
        .remove("product")
        .expect("it is there")
        .settings
}

#[test]
fn a_whole_manifest() {
    let text = r#"
[app]
name = "shop"

[service.product]
component = "../target/wasm32-wasip2/release/product.wasm"
build     = "cargo build -p product"
watch     = ["product/src", "./wit"]
class     = "batch"

[service.product.routes]
"GET /products/{id}" = { call = "shop:product/products.get", access = "public", cache = "10s" }
"POST /products" = { call = "shop:product/products.create", status = 201, scope = "products:write", errors = { taken = 409 } }
"Shop.Example.com/legacy/*" = { http = true, priority = "high", on_disconnect = "finish" }
"/short" = "shop:product/products.list"

[service.product.pool]
min = 1
max = 8
concurrency = 4
reuse = 1
queue = 0
queue_deadline = "250ms"
queue_target = "20ms"
[service.product.limits]
deadline = "2s"
memory = "64MiB"
body = 1_000
blobs = "2GiB"
concurrency = 8
[service.product.config]
currency = "EUR"
margin = 0.5
strict = true
[service.product.grants]
keyvalue = ["order/archive"]
blobs = ["order/scans", "payment"]
http = ["https://api.example.com", "http://127.0.0.1:9000"]
[service.product.links]
"shop:payment/payments" = "payment-eu"
"#;
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.app.as_deref(), Some("shop"));
    assert_eq!(manifest.folder, Path::new("app"));
    let product = &manifest.services["product"];
    assert_eq!(
        product.component,
        Path::new("target/wasm32-wasip2/release/product.wasm")
    );
    assert_eq!(product.build.as_deref(), Some("cargo build -p product"));
    assert_eq!(
        product.watch,
        [PathBuf::from("app/product/src"), PathBuf::from("app/wit")]
    );

    let settings = &product.settings;
    let routes: Vec<_> = settings
        .routes
        .iter()
        .map(|route| (route.key(), &route.access))
        .collect();
    assert_eq!(
        routes,
        [
            ("/short".to_owned(), &Access::Authenticated),
            ("GET /products/{id}".to_owned(), &Access::Public),
            (
                "POST /products".to_owned(),
                &Access::Scope("products:write".into())
            ),
            (
                "shop.example.com/legacy/*".to_owned(),
                &Access::Authenticated
            ),
        ]
    );
    assert_eq!(
        settings.routes[1].cache.as_ref().map(|cache| cache.max_age),
        Some(Duration::from_secs(10))
    );
    assert_eq!(settings.routes[2].status, Some(201));
    assert_eq!(settings.routes[2].errors["taken"], 409);
    assert_eq!(settings.routes[3].target, Target::Http);
    assert_eq!(settings.routes[2].priority, Priority::Normal);
    assert_eq!(settings.routes[3].priority, Priority::High);
    assert_eq!(settings.routes[2].on_disconnect, None);
    let finish = Some(crate::OnDisconnect::Finish);
    assert_eq!(settings.routes[3].on_disconnect, finish);
    assert_eq!(settings.class, Class::Batch);
    assert_eq!(settings.limits.concurrency, Concurrency::AtMost(8));
    assert_eq!(settings.pool.queue_target, Duration::from_millis(20));
    let Target::Call(call) = &settings.routes[0].target else {
        panic!("not a call")
    };
    assert_eq!(call.to_string(), "shop:product/products.list");

    assert_eq!(
        (
            settings.pool.min,
            settings.pool.max,
            settings.pool.concurrency
        ),
        (1, 8, 4)
    );
    assert_eq!((settings.pool.reuse, settings.pool.queue), (Some(1), 0));
    assert_eq!(settings.pool.queue_deadline, Duration::from_millis(250));
    assert_eq!(settings.limits.deadline, Duration::from_secs(2));
    assert_eq!(
        (settings.limits.memory, settings.limits.body),
        (64 << 20, 1000)
    );
    assert_eq!(settings.limits.blobs, 2 << 30);
    assert_eq!(settings.grants.blobs, ["order/scans", "payment"]);
    let config: Vec<_> = settings
        .config
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        config,
        [("currency", "EUR"), ("margin", "0.5"), ("strict", "true")]
    );
    assert_eq!(settings.grants.keyvalue, ["order/archive"]);
    assert_eq!(settings.grants.http.len(), 2);
    assert_eq!(settings.links["shop:payment/payments"], "payment-eu");
}

#[test]
fn a_function_is_found_with_and_without_a_version() {
    for call in [
        "a:b/c.get-it",
        "a:b/c#get-it",
        "a:b/c@0.1.0.get-it",
        "a:b/c@1.0.0-rc.1#get-it",
    ] {
        let text = format!("[service.a]\ncomponent = \"a\"\nroutes.\"/\" = \"{call}\"");
        let settings = &parse(&text).unwrap().services["a"].settings;
        let Target::Call(found) = &settings.routes[0].target else {
            panic!("{call}")
        };
        assert_eq!(found.to_string(), "a:b/c.get-it", "{call}");
    }
    for call in ["a:b/c", "a:b/c@0.1.0", "a:b/c.", "b/c.get", "a:b/.get"] {
        assert!(
            fault(&format!("routes.\"/\" = \"{call}\"")).contains("expected PACKAGE/"),
            "{call}"
        );
    }
}

#[test]
fn a_service_needs_no_more_than_a_component() {
    let manifest = parse("[service.a]\ncomponent = \"/abs/a.wasm\"").unwrap();
    assert_eq!(manifest.services["a"].component, Path::new("/abs/a.wasm"));
    assert_eq!(manifest.services["a"].settings, Settings::default());
}

#[test]
fn kept_answers_are_read_short_and_whole() {
    let lines = "routes.\"GET /a\" = { call = \"a:b/c.d\", cache = { max_age = \"10s\", \
                 stale_while_revalidate = \"1m\", stale_if_error = \"1h\", vary = [\"Accept-Language\"], \
                 tags = [\"t\"] } }\n\
                 routes.\"POST /a\" = { call = \"a:b/c.d\", idempotency = \"optional\" }\n\
                 routes.\"POST /b\" = { call = \"a:b/c.d\", idempotency = { key = \"required\", window = \"1h\" } }";
    let text = format!("[service.a]\ncomponent = \"a.wasm\"\n{lines}");
    let routes = parse(&text).unwrap().services["a"].settings.routes.clone();
    let of = |key: &str| routes.iter().find(|route| route.key() == key).unwrap();
    let cache = of("GET /a").cache.clone().unwrap();
    assert_eq!(cache.max_age, Duration::from_secs(10));
    assert_eq!(cache.stale_while_revalidate, Duration::from_secs(60));
    assert_eq!(cache.stale_if_error, Duration::from_secs(3600));
    assert_eq!((&*cache.vary[0], &*cache.tags[0]), ("accept-language", "t"));
    let optional = Idempotency::new(IdempotencyKey::Optional);
    assert_eq!(of("POST /a").idempotency, Some(optional));
    let required = of("POST /b").idempotency.clone().unwrap();
    assert_eq!(required.key, IdempotencyKey::Required);
    assert_eq!(required.window, Duration::from_secs(3600));
}

#[test]
fn queues_are_read_with_their_defaults() {
    let text = r#"
[service.product]
component = "p.wasm"

[service.product.queues]
"shop:product/changes" = { key = "id", dedupe = "event-id", rate = "100/s", max_bytes = "1MiB", on_exhausted = "pause-key" }
"shop:product/other" = {}
"#;
    let manifest = parse(text).unwrap();
    let queues = &manifest.services["product"].settings.queues;
    assert_eq!(queues["shop:product/other"], Queue::default());
    let expected = Queue {
        key: Some("id".to_owned()),
        dedupe: Some("event-id".to_owned()),
        rate: Some(Rate::each(100.try_into().unwrap(), Duration::from_secs(1))),
        max_bytes: 1 << 20,
        on_exhausted: OnExhausted::PauseKey,
        ..Queue::default()
    };
    assert_eq!(queues["shop:product/changes"], expected);
}

#[test]
fn a_manifest_without_services_is_a_fault() {
    assert_eq!(
        parse("[services.a]\ncomponent = \"a.wasm\"").unwrap_err(),
        [
            "app/stoa.toml:1: unknown key `services` at the top level: did you mean `service`?",
            "app/stoa.toml:1: expected at least one [service.NAME], found none",
        ]
    );
    assert_eq!(
        parse("[service.a]\ncomponent = \"oci://registry/a\"").unwrap_err(),
        [
            "app/stoa.toml:2: `component`: registries are not in this version of Stoa: expected a file, found \"oci://registry/a\""
        ]
    );
}

#[test]
fn a_folder_without_a_manifest_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Manifest::load(folder.path()).unwrap_err().to_string();
    assert!(faults.contains("stoa.toml: can't be read: "), "{faults}");
}

#[test]
fn a_schema_of_the_configuration_is_a_file_or_a_table() {
    let text = "[service.a]\ncomponent = \"a.wasm\"\n[service.a.config_schema.properties.ttl]\ntype = \"integer\"\nenum = [1, 2]\n";
    let manifest = parse(text).unwrap();
    let expected =
        serde_json::json!({ "properties": { "ttl": { "type": "integer", "enum": [1, 2] } } });
    assert_eq!(
        manifest.services["a"].settings.config_schema,
        Some(expected)
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stoa.toml");
    std::fs::write(
        &file,
        "[service.a]\ncomponent = \"a.wasm\"\nconfig_schema = \"a.json\"\n",
    )
    .unwrap();
    let missing = Manifest::load(folder.path()).unwrap_err().to_string();
    assert!(
        missing.contains("a.json") && missing.contains("can't be read"),
        "{missing}"
    );
    std::fs::write(folder.path().join("a.json"), "{\"type\": \"object\"}").unwrap();
    let manifest = Manifest::load(&file).unwrap();
    assert_eq!(
        manifest.services["a"].settings.config_schema,
        Some(serde_json::json!({ "type": "object" }))
    );
}
