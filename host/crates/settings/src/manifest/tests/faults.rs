//! What is said of faults.

use super::*;

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
            "app/stoa.toml:4: the route \"GET products\" has none of `call`, `queue` and `http = true`",
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
            "3: unknown key `environment_x` in [service.product]: known are `component`, `build`, `watch`, `routes`, `pool`, `limits`, `breaker`, `retry`, `rollout`, `config`, `config_schema`, `grants`, `links`, `queues`, `schedules`, `rate`, `cors`, `class`",
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
            "queues.\"shop:product/changes\" = { max_lenght = 5 }",
            "3: unknown key `max_lenght` in [shop:product/changes]: did you mean `max_length`?",
        ),
        (
            "queues.\"shop:product/changes@0.1.0\" = {}",
            "3: expected an interface without its version such as \"shop:product/inventory\", found \"shop:product/changes@0.1.0\"",
        ),
        (
            "queues.\"shop:product/changes\" = { on_exhausted = \"drop\" }",
            "3: `on_exhausted`: expected \"dead-letter\" or \"pause-key\", found \"drop\"",
        ),
        (
            "queues.\"shop:product/changes\" = { delay = \"31d\" }",
            "3: `delay`: expected 30 days at most, found \"1month 13h 26m 24s\"",
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
            "grants.blobs = [\"Product\"]",
            "3: `blobs`: expected a service, such as \"product\", to read all of its containers, or one, such as \"product/pictures\", found \"Product\"",
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
