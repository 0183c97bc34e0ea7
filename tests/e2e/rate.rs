//! Limits of rate: who is refused, what it is told, what a deploy changes.

use anyhow::Result;
use http::Request;
use serde_json::{Value, json};
use stoa_tests::client::{Client, empty, get};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, hello, host_with, serving};

/// `GET /ping` with this rate, and `GET /hello/{name}` without one.
fn limited(rate: Value) -> Service {
    let route = json!({
        "target": { "call": "test:hello/greeter.ping" },
        "access": "public",
        "rate": { "own": rate },
    });
    Service::new("hello", guests::HELLO_FUNCTION)
        .call("GET /hello/{name}", "test:hello/greeter.greet")
        .route("GET /ping", route)
}

/// An hour for each request: none comes back while a test runs.
fn hourly(burst: u32, by: &str) -> Value {
    json!({ "limit": 1, "per": "1h", "burst": burst, "by": by })
}

async fn rejected(host: &HostProcess) -> Result<bool> {
    let metrics = host.admin()?.metrics().await?;
    Ok(metrics.contains("stoa_rejected_total{reason=\"rate_limited\"} 1"))
}

#[tokio::test]
async fn who_sends_too_much_is_told_so_and_when_to_come_back() -> Result<()> {
    let host = serving(&[limited(hourly(2, "address"))]).await?;
    let first = host.get("/ping").await?.expect(200)?;
    assert_eq!(first.header("ratelimit-policy")?, "\"route\";q=2;w=7200");
    assert_eq!(first.header("ratelimit")?, "\"route\";r=1;t=3600");
    let last = host.get("/ping").await?.expect(200)?;
    assert!(last.header("ratelimit")?.starts_with("\"route\";r=0;t="));

    let refused = host.get("/ping").await?;
    let problem = refused.problem(429)?;
    assert_eq!(problem["code"], "too_many_requests");
    let wait: u64 = refused.header("retry-after")?.parse()?;
    assert!((3000..=3600).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit")?.starts_with("\"route\";r=0;t="));
    assert!(rejected(&host).await?);

    let other = host.get("/hello/Ada").await?.expect(200)?;
    assert!(other.header("ratelimit").is_err());
    Ok(())
}

#[tokio::test]
async fn a_principal_has_a_limit_of_its_own() -> Result<()> {
    let host = serving(&[limited(hourly(1, "principal"))]).await?;
    let token = host.admin()?.token;
    let known = async || {
        let request = Request::get("/ping").header("authorization", format!("Bearer {token}"));
        Client::http1(host.http).send(request.body(empty())?).await
    };
    get(host.http, "/ping").await?.expect(200)?;
    get(host.http, "/ping").await?.problem(429)?;
    known().await?.expect(200)?;
    known().await?.problem(429)?;
    Ok(())
}

#[tokio::test]
async fn who_tries_out_keys_is_limited_as_who_has_one() -> Result<()> {
    let closed = |by: &str| {
        let route = json!({
            "target": { "call": "test:hello/greeter.ping" },
            "access": "authenticated",
            "rate": { "own": hourly(2, by) },
        });
        Service::new("hello", guests::HELLO_FUNCTION).route("GET /ping", route)
    };
    let host = serving(&[closed("principal")]).await?;
    let (admin, wrong) = (host.admin()?, "Bearer stoa_0123456789_wrong");
    let with = async |authorization: &str| {
        let request = Request::get("/ping").header("authorization", authorization);
        Client::http1(host.http).send(request.body(empty())?).await
    };
    for expected in [401, 401, 429] {
        with(wrong).await?.problem(expected)?;
    }
    let operator = format!("Bearer {}", admin.token);
    with(&operator).await?.expect(200)?;
    // What all callers share is not for strangers to use up.
    admin.deploy_one(&closed("route")).await?;
    for _ in 0..3 {
        with(wrong).await?.problem(401)?;
    }
    with(&operator).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_deploy_gives_no_new_burst_unless_it_changes_the_rate() -> Result<()> {
    let host = serving(&[limited(hourly(1, "route"))]).await?;
    host.get("/ping").await?.expect(200)?;
    let admin = host.admin()?;
    let again = limited(hourly(1, "route")).set("config", json!({ "a": "b" }));
    admin.deploy_one(&again).await?;
    host.get("/ping").await?.problem(429)?;
    admin.deploy_one(&limited(hourly(2, "route"))).await?;
    host.get("/ping").await?.expect(200)?;
    host.get("/ping").await?.expect(200)?;
    host.get("/ping").await?.problem(429)?;
    Ok(())
}

#[tokio::test]
async fn the_rate_of_a_service_is_for_each_route_without_one() -> Result<()> {
    let free = json!({
        "target": { "call": "test:hello/greeter.ping" },
        "access": "public",
        "rate": "off",
    });
    let service = hello()
        .route("GET /free", free)
        .set("rate", hourly(1, "route"));
    let host = serving(&[service]).await?;
    for path in ["/ping", "/hello/Ada"] {
        host.get(path).await?.expect(200)?;
        host.get(path).await?.problem(429)?;
    }
    host.get("/free").await?.expect(200)?;
    host.get("/free").await?.expect(200)?;
    let openapi = host
        .admin()?
        .get("/v1/services/hello/openapi")
        .await?
        .expect(200)?;
    let openapi = openapi.json()?;
    let paths = &openapi["paths"];
    assert!(paths["/ping"]["get"]["responses"]["429"].is_object());
    assert!(paths["/free"]["get"]["responses"]["429"].is_null());
    Ok(())
}

#[tokio::test]
async fn a_host_may_limit_each_address() -> Result<()> {
    let host = host_with("[gateway]\nrate = \"3/h\"\n").await?;
    host.admin()?.deploy_all(&[hello()]).await?;
    host.get("/ping").await?.expect(200)?;
    host.get("/hello/Ada").await?.expect(200)?;
    host.get("/nowhere").await?.problem(404)?;
    let refused = host.get("/ping").await?;
    refused.problem(429)?;
    assert_eq!(refused.header("ratelimit-policy")?, "\"host\";q=3;w=3600");
    Ok(())
}

#[tokio::test]
async fn a_rate_that_can_not_be_kept_is_refused() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let never = limited(json!({ "limit": 4_000_000_000_u32, "per": "1s" }));
    let faults = host.admin()?.refused(&never).await?;
    let told = "rate of hello: expected a rate of one request a nanosecond at most";
    assert!(faults[0].message.contains(told), "{faults:?}");
    Ok(())
}
