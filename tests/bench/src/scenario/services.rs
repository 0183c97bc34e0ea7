//! The benchmark's services and their routes.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::guests::{Component, Guests};
use crate::load::{Connection, Request};
use crate::order;
use crate::stoa::{Deploy, Stoa};

/// A function over HTTP.
pub const HELLO: &str = "/hello";
/// `wasi:http` 0.2.
pub const HELLO_P2: &str = "/hello-p2";
/// `wasi:http` 0.3.
pub const HELLO_P3: &str = "/hello-p3";

/// The order over HTTP.
pub fn order_request() -> Request {
    Request::json("POST", "/orders", order::sample())
}

/// Prices an order `calls` times from another service.
pub fn timing_request(calls: u32) -> Request {
    Request::get(&format!("/timing?calls={calls}"))
}

/// Settings of a service with one public route to a function, and defaults.
pub fn function(method: &str, path: &str, function: &str) -> Value {
    json!({"routes": [{"method": method, "path": path, "target": {"call": function}, "access": "public"}]})
}

/// Settings of a service with one public route to its `wasi:http` handler.
pub fn http(path: &str) -> Value {
    json!({"routes": [{"path": path, "target": "http", "access": "public"}]})
}

/// The route to `greet` at this path.
pub fn greeting(path: &str) -> Value {
    function("GET", path, "stoa:bench/greeting.greet")
}

/// The route to `burn` at this path.
pub fn burning(path: &str) -> Value {
    function("GET", path, "stoa:bench/work.burn")
}

/// Deploys all, and checks that each answers what it should.
///
/// # Errors
/// One is refused, or answers something else.
pub fn deploy(stoa: &mut Stoa, guests: &Guests) -> Result<()> {
    let service = |service, component, settings| Deploy {
        service,
        component,
        settings,
    };
    let all: [Deploy<'_>; 5] = [
        service("hello", &guests.hello, greeting(HELLO)),
        service("hello-p2", &guests.hello_p2, http(HELLO_P2)),
        service("hello-p3", &guests.hello_p3, http(HELLO_P3)),
        service(
            "order",
            &guests.order,
            function("POST", "/orders", "stoa:bench/orders.process"),
        ),
        service(
            "caller",
            &guests.caller,
            function("GET", "/timing", "stoa:bench/measure.run"),
        ),
    ];
    for deploy in &all {
        upload(stoa, deploy.component)?;
    }
    stoa.deploy(&all)?;
    check(stoa)
}

fn upload(stoa: &mut Stoa, component: &Component) -> Result<()> {
    stoa.upload(component)
        .with_context(|| format!("uploading {}", component.digest))
}

fn check(stoa: &Stoa) -> Result<()> {
    let mut connection = Connection::open(stoa.addr)?;
    let mut body = |request: &Request| connection.call_ok(request).map(|reply| reply.body);
    for (path, expected) in [
        (HELLO, "\"Hello, world!\""),
        (HELLO_P2, "Hello, world!"),
        (HELLO_P3, "Hello, world!"),
    ] {
        let found = body(&Request::get(path))?;
        anyhow::ensure!(
            found == expected.as_bytes(),
            "{path}: expected {expected}, found {}",
            String::from_utf8_lossy(&found)
        );
    }
    let request = order_request();
    let found: Value =
        serde_json::from_slice(&body(&request)?).context("reading a priced order")?;
    let expected: Value =
        serde_json::from_slice(&order::process(&request.body).map_err(anyhow::Error::msg)?)?;
    anyhow::ensure!(
        found == expected,
        "/orders: expected {expected}, found {found}"
    );
    Ok(())
}
