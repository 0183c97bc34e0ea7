//! What can be read and is refused all the same: by the manifest and by the admin API.

use std::path::Path;

use super::{fault, parse};
use crate::Settings;
use crate::config::document::{Document, Entry};
use crate::manifest::sections;

/// Lines of a service that can be read, and can't be served: with line 3 first.
const REFUSED: [&str; 57] = [
    "pool.min = 3\npool.max = 2",
    "pool.max = 0",
    "pool.max = 1_000_001",
    "pool.concurrency = 0",
    "pool.reuse = 0",
    "pool.queue = 2_000_000",
    "pool.queue_deadline = \"2years\"",
    "limits.deadline = \"0s\"",
    "limits.deadline = \"1000years\"",
    "limits.memory = \"1KiB\"",
    "limits.connections = 0",
    "breaker.consecutive = 0",
    "breaker.success_rate = 1.5",
    "breaker.window = \"0s\"",
    "breaker.open_min = \"2m\"",
    "retry.retries = 11",
    "retry.budget = -1.0",
    "retry.floor = 1001",
    "retry.backoff = \"2s\"",
    "rollout.watch = \"0s\"",
    "rollout.max_latency_ratio = 0.5",
    "config.\"\" = \"a\"",
    "config.\"a\\nb\" = \"a\"",
    "limits.deadline = \"1ns\"",
    "breaker.window = \"999us\"",
    "grants.keyvalue = [\"product/*\"]",
    "grants.blobs = [\"product/*\"]",
    "grants.http = [\"api.example.com\"]",
    "grants.secrets = [\"a/b\"]",
    "links.\"shop:a/b@0.1.0\" = \"b\"",
    "links.\"shop:a/b\" = \"B\"",
    "rate = { limit = 1, per = \"1day\", burst = 32 }",
    "cors = { origins = [\"https://shop.example/\"] }",
    "cors = { origins = [\"*\"], max_age = \"2years\" }",
    "routes.\"* /a\" = \"a:b/c.d\"",
    "routes.\"get /a\" = \"a:b/c.d\"",
    "routes.\"a.b:80/c\" = \"a:b/c.d\"",
    "routes.\"/a//b\" = \"a:b/c.d\"",
    "routes.\"/a/%zz\" = \"a:b/c.d\"",
    "routes.\"/%41/*\" = { http = true }",
    "routes.\"/a\" = { http = true, status = 201 }",
    "routes.\"/a\" = { call = \"a:b/c.d\", status = 404 }",
    "routes.\"/a\" = { call = \"a:b/c.d\", errors = { x = 200 } }",
    "routes.\"/a\" = { call = \"a:b/c.d\", scope = \"a b\" }",
    "routes.\"POST /a\" = { call = \"a:b/c.d\", cache = \"1s\" }",
    "routes.\"GET /a\" = { call = \"a:b/c.d\", cache = { max_age = \"1s\", vary = [\"*\"] } }",
    "routes.\"GET /a\" = { call = \"a:b/c.d\", idempotency = \"required\" }",
    "routes.\"POST /a\" = { call = \"a:b/c.d\", idempotency = { key = \"optional\", window = \"0s\" } }",
    "routes.\"GET /a\" = { call = \"a:b/c.d\", headers = { a = \"a b\" } }",
    "routes.\"GET /a\" = { call = \"a:b/c.d\", headers = { a-b = \"x-a\" } }",
    "routes.\"GET /a\" = { call = \"a:b/c.d\", headers = { a = \"X-API-Key\" } }",
    "routes.\"GET /a\" = { queue = \"a:b/c.d\", headers = { a = \"transfer-encoding\" } }",
    "routes.\"GET /a\" = { call = \"a:b/c.d\", headers = { a = \"x-forwarded-for\" } }",
    "routes.\"GET /a\" = { http = true, headers = { a = \"x-a\" } }",
    "routes.\"GET /a\" = { call = \"a:b/c.d\", body = \"a\" }",
    "routes.\"POST /a\" = { call = \"a:b/c.d\", body = \"a-b\" }",
    "routes.\"POST /a\" = { call = \"a:b/c.d\", body = \"a\", headers = { a = \"x-a\" } }",
];

/// The settings of a service, read but not checked.
fn unchecked(lines: &str) -> Settings {
    let text = format!("[service.product]\ncomponent = \"p.wasm\"\n{lines}\n");
    let (mut document, table) = Document::parse("stoa.toml", &text);
    let (_, services) = table.iter().next().unwrap();
    let services = services.get_ref().as_table().unwrap();
    let (key, value) = services.iter().next().unwrap();
    let mut entry = Entry {
        document: &mut document,
        section: "service",
        key,
        value,
    };
    let settings = sections::service(&mut entry, Path::new("."));
    assert_eq!(document.into_faults().to_string(), "", "{lines}");
    settings.settings
}

#[test]
fn what_the_manifest_refuses_the_api_refuses_too() {
    let label = format!("routes.\"{}.example/a\" = \"a:b/c.d\"", "a".repeat(64));
    let path = format!("routes.\"/{}\" = \"a:b/c.d\"", "a".repeat(8 << 10));
    let key = format!("config.\"{}\" = \"a\"", "a".repeat(257));
    let value = format!("config.a = \"{}\"", "a".repeat(256 << 10));
    let long = [&*label, &path, &key, &value];
    for lines in REFUSED.into_iter().chain(long) {
        let told = fault(lines);
        let settings = unchecked(lines);
        let sent = serde_json::to_value(&settings).unwrap();
        let faults = serde_json::from_value::<Settings>(sent).unwrap().faults();
        assert_eq!(told, format!("3: {}", faults[0]), "{lines}");
    }
}

#[test]
fn a_host_is_of_any_case_to_the_api_too() {
    let settings = unchecked("routes.\"Shop.Example/a\" = \"a:b/c.d\"");
    let mut sent = serde_json::to_value(&settings).unwrap();
    assert_eq!(sent["routes"][0]["host"], "shop.example");
    sent["routes"][0]["host"] = "Shop.Example".into();
    assert_eq!(serde_json::from_value::<Settings>(sent).unwrap(), settings);
}

#[test]
fn headers_and_a_body_are_bound_by_name() {
    let text = "[service.a]\ncomponent = \"a\"\nroutes.\"POST /a\" = { queue = \"a:b/c.d\", headers = { sig = \
                \"Stripe-Signature\", same = \"stripe-signature\" }, body = \"payload\" }";
    let settings = parse(text).unwrap().services["a"].settings.clone();
    let route = &settings.routes[0];
    assert_eq!(route.body.as_deref(), Some("payload"));
    assert_eq!(route.headers["sig"], "Stripe-Signature");
    assert_eq!(route.bound_headers(), ["stripe-signature"]);
    let sent = serde_json::to_value(&settings).unwrap();
    assert_eq!(serde_json::from_value::<Settings>(sent).unwrap(), settings);
    let told = fault("routes.\"GET /a\" = { call = \"a:b/c.d\", headers = { a = 1 } }");
    assert!(
        told.contains("expected a string, found an integer"),
        "{told}"
    );
}

#[test]
fn a_location_goes_with_what_was_made() {
    let route = |rest: &str| format!("routes.\"POST /a\" = {{ call = \"a:b/c.d\", {rest} }}");
    let text = format!(
        "[service.a]\ncomponent = \"a\"\n{}",
        route("status = 201, location = \"/a/{id}\"")
    );
    let settings = parse(&text).unwrap().services["a"].settings.clone();
    assert_eq!(settings.routes[0].location.as_deref(), Some("/a/{id}"));
    let made = "`location` says where the thing is that a function has made";
    assert!(fault(&route("location = \"/a/{id}\"")).contains(made));
    assert!(fault(&route("status = 200, location = \"/a\"")).contains(made));
    for bad in [
        "a/{id}",
        "//other.example/{id}",
        "/a/*",
        "/a/{Id}",
        "/a/{id}.json",
    ] {
        let told = fault(&route(&format!("status = 201, location = {bad:?}")));
        assert!(told.starts_with("3: `location`: "), "{told}");
    }
}

#[test]
fn upstreams_are_checked_alike() {
    for (lines, expected) in [
        ("targets = [\"ftp://a\"]", "`targets`: expected an origin"),
        (
            "strip_prefix = \"legacy\"",
            "`strip_prefix`: expected a path",
        ),
        (
            "targets = [\"http://x:99999\"]",
            "`targets`: expected a port",
        ),
        (
            "targets = [\"http://x#f\"]",
            "`targets`: expected an origin",
        ),
        (
            "strip_prefix = \"/a%zz\"",
            "`strip_prefix`: the path has a `%`",
        ),
        (
            "strip_prefix = \"/a/../b\"",
            "`strip_prefix`: the path has a segment",
        ),
        (
            "strip_prefix = \"/a?b\"",
            "`strip_prefix`: expected a path without",
        ),
        (
            "health = { every = \"1ns\" }",
            "`every`: expected a time of 100ms",
        ),
        ("health = { path = \"x\" }", "`path`: expected a path"),
        ("health = { rise = 0 }", "`rise`: expected a whole number"),
        (
            "limits.connect = \"0s\"",
            "`connect`: expected a time of 1ms at least",
        ),
        (
            "breaker.min_calls = 0",
            "`min_calls`: expected a whole number",
        ),
        (
            "routes.\"/a\" = \"a:b/c.d\"",
            "the route has `call`, but an upstream has no",
        ),
        ("routes.\"/%41\" = {}", "what sees the whole request"),
        (
            "routes.\"/a\" = { status = 201 }",
            "an upstream picks its status",
        ),
    ] {
        let faults = parse(&format!("[upstream.legacy]\n{lines}")).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        let told = faults[0].strip_prefix("app/stoa.toml:2: ").unwrap();
        assert!(told.starts_with(expected), "{told}");
    }
}
