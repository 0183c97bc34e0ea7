//! Keys of routes, their rates and their policies.

use super::*;

#[test]
fn route_keys() {
    let place = |method: Option<&str>, host: Option<&str>, path: &str| {
        Ok(RouteKey {
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
