mod refused;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::route::{Place, parse_key};
use super::*;
use crate::{
    Access, By, Choice, Class, Concurrency, Idempotency, IdempotencyKey, Priority, Target,
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
concurrency = 8
[service.product.config]
currency = "EUR"
margin = 0.5
strict = true
[service.product.grants]
keyvalue = ["order/archive"]
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
fn all_faults_come_together_by_line() {
    let text = "\
[service.Product]
componnet = \"p.wasm\"
[service.Product.routes]
\"GET products\" = { cal = \"x\", scope = \"\" }
[service.Product.pool]
min = \"two\"
maxx = 3
";
    assert_eq!(
        parse(text).unwrap_err(),
        [
            "app/stoa.toml:1: expected a service name of lower-case letters, digits and dashes that begins with a letter and has 63 characters at most, found \"Product\"",
            "app/stoa.toml:1: [service.Product] has no `component`: give the file of one",
            "app/stoa.toml:2: unknown key `componnet` in [service.Product]: did you mean `component`?",
            "app/stoa.toml:4: unknown key `cal` in [service.Product.routes]: did you mean `call`?",
            "app/stoa.toml:4: the route \"GET products\" has neither `call` nor `http = true`",
            "app/stoa.toml:4: expected a route such as \"GET /products/{id}\", found \"products\", which has no path",
            "app/stoa.toml:4: `scope`: expected a scope such as \"products:write\", without spaces, quotes and backslashes, found \"\"",
            "app/stoa.toml:6: `min`: expected a whole number from 0 to 4294967295, found \"two\"",
            "app/stoa.toml:7: unknown key `maxx` in [service.Product.pool]: did you mean `max`?",
        ]
    );
}

#[test]
fn each_fault_says_what_to_do() {
    let cases = [
        (
            "environment_x = 1",
            "3: unknown key `environment_x` in [service.product]: known are `component`, `build`, `watch`, `routes`, `pool`, `limits`, `breaker`, `retry`, `rollout`, `config`, `config_schema`, `grants`, `links`, `rate`, `cors`, `class`",
        ),
        ("max = 1", "3: `max` belongs in [service.product.pool]"),
        (
            "build = 1",
            "3: `build`: expected a string, found an integer",
        ),
        (
            "watch = \"src\"",
            "3: `watch`: expected a list of strings, found a string",
        ),
        ("pool = 1", "3: `pool`: expected a table, found an integer"),
        (
            "pool.min = 3\npool.max = 2",
            "3: `min` is 3, above `max`, which is 2",
        ),
        (
            "pool.max = 0",
            "3: `max`: expected a whole number from 1 to 1000000, found \"0\"",
        ),
        (
            "limits.deadline = 10",
            "3: `deadline`: expected a duration such as \"250ms\" or \"10s\", found \"10\"",
        ),
        (
            "limits.deadline = \"0s\"",
            "3: `deadline`: expected a time of 1ms at least, found \"0s\"",
        ),
        (
            "limits.memory = \"1KiB\"",
            "3: `memory`: expected 64KiB at least, found 1024 bytes",
        ),
        (
            "limits.cpu = \"1s\"",
            "3: `limits.cpu` is not in this version of Stoa: leave it out",
        ),
        (
            "[service.product.queues]",
            "3: `queues` is not in this version of Stoa: leave it out",
        ),
        (
            "[service.product.queues]",
            "3: `queues` is not in this version of Stoa: leave it out",
        ),
        (
            "schedules = {}",
            "3: `schedules` is not in this version of Stoa: leave it out",
        ),
        (
            "secrets = {}",
            "3: `secrets` belongs in [service.product.grants]",
        ),
        (
            "grants.secrets = [\"a/b\"]",
            "3: `secrets`: expected a secret's name of letters, digits, `.`, `_` and `-` that begins with a letter or a digit and has 128 characters at most, found \"a/b\"",
        ),
        (
            "grants.keyvalue = [\"product/*\"]",
            "3: `keyvalue`: expected a service, such as \"product\", for all of its buckets, or one, such as \"product/stock\", found \"product/*\"",
        ),
        (
            "grants.http = [\"api.example.com\"]",
            "3: `http`: expected an origin such as \"https://api.example.com\", \"https://*.example.com\" or \"http://NAME.svc\", found \"api.example.com\"",
        ),
        (
            "grants.http = [\"https://a.example/v1\"]",
            "3: `http`: expected an origin such as \"https://api.example.com\", \"https://*.example.com\" or \"http://NAME.svc\", found \"https://a.example/v1\"",
        ),
        (
            "config_schema = 1",
            "3: `config_schema`: expected a file or a table, found an integer",
        ),
        (
            "config_schema = { a = inf }",
            "3: `config_schema`: expected what JSON can hold, found inf",
        ),
        (
            "config.a = []",
            "3: `a`: expected a single value, found a list",
        ),
        (
            "links.\"shop:a/b@0.1.0\" = \"b\"",
            "3: expected an interface without its version such as \"shop:product/inventory\", found \"shop:a/b@0.1.0\"",
        ),
        (
            "routes.\"/a\" = 1",
            "3: expected a function, or a table such as { call = \"shop:product/products.get\" }, found an integer",
        ),
        (
            "routes.\"/a\" = { call = \"get\" }",
            "3: `call`: expected PACKAGE/INTERFACE.FUNCTION such as shop:product/products.get, found \"get\"",
        ),
        (
            "routes.\"/a\" = { call = \"a:b/c.d\", access = \"public\", scope = \"s\" }",
            "3: `access = \"public\"` and `scope` exclude each other: leave one out",
        ),
        (
            "routes.\"/a\" = { call = \"a:b/c.d\", http = true }",
            "3: `call` and `http` exclude each other: leave one out",
        ),
        (
            "[service.product.routes]\n\"/caf%C3%A9/*\" = { http = true }",
            "4: what sees the whole request gets none with an encoded path of its own: write a parameter such as {name} \
             where the path has a `%`",
        ),
        (
            "routes.\"/a\" = { http = true, status = 201 }",
            "3: with `http = true` the component picks its status: leave `status` and `errors` out",
        ),
        (
            "routes.\"/a\" = { http = false }",
            "3: `http`: expected \"true\", found \"false\"",
        ),
        (
            "routes.\"POST /a\" = { call = \"a:b/c.d\", cache = \"1s\" }",
            "3: `cache` is for answers to GET: leave it out",
        ),
        (
            "routes.\"GET /a\" = { call = \"a:b/c.d\", cache = { tags = [\"t\"] } }",
            "3: `cache` has no `max_age`: say how long an answer is fresh",
        ),
        (
            "routes.\"GET /a\" = { call = \"a:b/c.d\", cache = { max_age = \"1s\", tag = [\"t\"] } }",
            "3: unknown key `tag` in [cache]: did you mean `tags`?",
        ),
        (
            "routes.\"GET /a\" = { call = \"a:b/c.d\", cache = { max_age = \"1s\", vary = [\"*\"] } }",
            "3: `vary`: `*` would keep each answer for one request alone: name the headers, or leave `cache` out",
        ),
        (
            "routes.\"GET /a\" = { call = \"a:b/c.d\", cache = { max_age = \"1s\", vary = [\"a b\"] } }",
            "3: `vary`: expected names of headers such as \"accept-language\", found \"a b\"",
        ),
        (
            "routes.\"GET /a\" = { call = \"a:b/c.d\", idempotency = \"required\" }",
            "3: `idempotency` is for methods that change something: leave it out",
        ),
        (
            "routes.\"POST /a\" = { call = \"a:b/c.d\", idempotency = \"always\" }",
            "3: `idempotency`: expected \"required\" or \"optional\", found \"always\"",
        ),
        (
            "routes.\"/a\" = { call = \"a:b/c.d\", access = \"all\" }",
            "3: `access`: expected \"public\" or \"authenticated\", found \"all\"",
        ),
        (
            "routes.\"/a\" = { call = \"a:b/c.d\", status = 404 }",
            "3: `status`: expected a status from 200 to 299, found \"404\"",
        ),
        (
            "routes.\"/a\" = { call = \"a:b/c.d\", errors = { x = 200 } }",
            "3: `x`: expected a status from 400 to 599, found \"200\"",
        ),
        (
            "routes.\"a.b/c\" = \"a:b/c.d\"\nroutes.\"A.b/c\" = \"a:b/c.d\"",
            "3: the route \"a.b/c\" is there twice",
        ),
        ("component = \"q.wasm\"", "3: duplicate key"),
        (
            "build = \"unclosed",
            "3: invalid basic string, expected `\"`",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(fault(lines), expected, "for {lines}");
    }
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
fn route_keys() {
    let place = |method: Option<&str>, host: Option<&str>, path: &str| {
        Ok(Place {
            method: method.map(str::to_owned),
            host: host.map(str::to_owned),
            path: path.to_owned(),
        })
    };
    assert_eq!(
        parse_key("GET /products/{id}"),
        place(Some("GET"), None, "/products/{id}")
    );
    assert_eq!(
        parse_key("DELETE  API.Example.com/a/*"),
        place(Some("DELETE"), Some("api.example.com"), "/a/*")
    );
    assert_eq!(
        parse_key("example.com/"),
        place(None, Some("example.com"), "/")
    );
    assert_eq!(parse_key("/"), place(None, None, "/"));
    assert_eq!(parse_key("/*"), place(None, None, "/*"));
    assert_eq!(
        parse_key("/a/{b_1}/{c}/d"),
        place(None, None, "/a/{b_1}/{c}/d")
    );
}

#[test]
fn bad_route_keys() {
    let cases = [
        (
            "get /a",
            "expected a method (GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS), found \"get\"",
        ),
        (
            "GET",
            "expected a route such as \"GET /products/{id}\", found \"GET\", which has no path",
        ),
        (
            "a.b:80/c",
            "expected a host name without a port, such as shop.example.com, found \"a.b:80\"",
        ),
        (
            "*.b/c",
            "expected a host name without a port, such as shop.example.com, found \"*.b\"",
        ),
        ("/a/", "the path \"/a/\" has an empty segment"),
        ("/a//b", "the path \"/a//b\" has an empty segment"),
        (
            "/a/*/b",
            "the path \"/a/*/b\" has a `*` that is not its whole last segment",
        ),
        (
            "/a*",
            "the path \"/a*\" has a `*` that is not its whole last segment",
        ),
        (
            "/{Id}",
            "the path \"/{Id}\" names a parameter \"Id\": expected snake_case, such as order_id",
        ),
        (
            "/{order-id}",
            "the path \"/{order-id}\" names a parameter \"order-id\": expected snake_case, such as order_id",
        ),
        (
            "/{}",
            "the path \"/{}\" names a parameter \"\": expected snake_case, such as order_id",
        ),
        (
            "/{a}/{a}",
            "the path \"/{a}/{a}\" has the parameter {a} twice",
        ),
        (
            "/a{b}",
            "the path \"/a{b}\" has \"a{b}\": a parameter is a whole segment, such as {id}",
        ),
        (
            "/a/../b",
            "the path \"/a/../b\" has \"..\", which a path of a request can't have",
        ),
        (
            "/a?b",
            "the path \"/a?b\" has \"a?b\", which a path of a request can't have",
        ),
        (
            "/ä",
            "the path \"/ä\" has \"ä\", which a path of a request can't have",
        ),
    ];
    for (key, expected) in cases {
        assert_eq!(parse_key(key), Err(expected.to_owned()), "{key}");
    }
}

#[test]
fn rates_in_short_and_in_long() {
    let text = r#"
[service.product]
component = "p"
rate = "100/s"
[service.product.routes]
"/a" = { call = "a:b/c.d", rate = "10/min" }
"/b" = { call = "a:b/c.d", rate = { limit = 5, per = "2s", burst = 7, by = "route" } }
"/c" = { call = "a:b/c.d", rate = "off" }
"/d" = { call = "a:b/c.d" }
[service.order]
component = "o"
[service.order.rate]
limit = 1_000
by = "address"
"#;
    let manifest = parse(text).unwrap();
    let settings = &manifest.services["product"].settings;
    let in_force = settings.routes.iter().map(|route| {
        let rate = Choice::in_force(route.rate.as_ref(), settings.rate.as_ref())?;
        Some((
            rate.limit.get(),
            rate.per.as_secs(),
            rate.burst().get(),
            rate.by,
        ))
    });
    assert_eq!(
        in_force.collect::<Vec<_>>(),
        [
            Some((10, 60, 10, By::Principal)),
            Some((5, 2, 7, By::Route)),
            None,
            Some((100, 1, 100, By::Principal)),
        ]
    );
    let rate = manifest.services["order"].settings.rate.as_ref().unwrap();
    assert_eq!((rate.limit.get(), rate.by), (1000, By::Address));
}

#[test]
fn faults_of_rates() {
    let cases = [
        (
            "rate = 5",
            "3: `rate`: expected a rate such as \"100/s\" or { limit = 100, per = \"1s\", burst = 200 }, found an integer",
        ),
        (
            "rate = \"5\"",
            "3: `rate`: expected a rate such as \"100/s\" or \"10/30s\", found \"5\"",
        ),
        (
            "rate = { per = \"1s\" }",
            "3: `rate` has no `limit`: say how many requests",
        ),
        (
            "[service.product.rate]\nlimit = 0",
            "4: `limit`: expected a whole number from 1 to 4294967295, found \"0\"",
        ),
        (
            "[service.product.rate]\nlimit = 1\nburts = 2",
            "5: unknown key `burts` in [rate]: did you mean `burst`?",
        ),
        (
            "routes.\"/\" = { call = \"a:b/c.d\", rate = { limit = 1, by = \"ip\" } }",
            "3: `by`: expected \"principal\" or \"address\" or \"route\", found \"ip\"",
        ),
        (
            "rate = { limit = 1, per = \"1day\", burst = 32 }",
            "3: `rate`: expected a rate whose burst comes back within 31 days, found 32 at 1 in 86400s",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(fault(lines), expected, "{lines}");
    }
}

#[test]
fn pages_of_other_origins() {
    let text = r#"
[service.product]
component = "p"
[service.product.routes]
"/a" = { call = "a:b/c.d", cors = "off", compression = "off" }
"/b" = { call = "a:b/c.d", cors = { origins = ["*"] } }
[service.product.cors]
origins = ["https://shop.example", "http://localhost:3000"]
methods = ["GET"]
headers = ["x-mine"]
expose = []
credentials = true
max_age = "1h"
"#;
    let settings = &parse(text).unwrap().services["product"].settings;
    let cors = settings.cors.as_ref().unwrap();
    assert_eq!(cors.origins.len(), 2);
    assert_eq!((cors.headers.len(), cors.expose.len()), (1, 0));
    assert!(cors.credentials);
    assert_eq!(cors.max_age, Duration::from_secs(3600));
    assert_eq!(settings.routes[0].cors, Some(Choice::Off));
    assert!(!settings.routes[0].compression.is_on());
    let Some(Choice::Own(own)) = &settings.routes[1].cors else {
        panic!("the route has no policy of its own")
    };
    assert!(own.any_origin());
}

#[test]
fn faults_of_policies() {
    let cases = [
        (
            "[service.product.cors]\norigin = \"*\"\norigins = [\"*\"]",
            "4: unknown key `origin` in [cors]: did you mean `origins`?",
        ),
        (
            "cors = { origins = [\"https://shop.example/\"] }",
            "3: `cors`: `origins`: expected an origin as browsers write it, such as \"https://shop.example\", found \"https://shop.example/\"",
        ),
        (
            "cors = { origins = [\"*\"], credentials = true }",
            "3: `cors`: `credentials` with any origin (\"*\") would open a user's session to every page: name the origins",
        ),
        (
            "routes.\"/\" = { call = \"a:b/c.d\", compression = \"gzip\" }",
            "3: `compression`: expected \"on\" or \"off\", found \"gzip\"",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(fault(lines), expected, "{lines}");
    }
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
