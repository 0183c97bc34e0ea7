//! What the admin API refuses, and how it tells.

use anyhow::{Context as _, Result};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Client, empty, full};
use stoa_tests::raw;
use tokio::io::AsyncWriteExt as _;

use crate::{hello, host, serving};

#[tokio::test]
async fn what_it_refuses_it_explains() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let bad = [
        (Method::POST, "/v1/deployments", json!({ "servces": [] })),
        (Method::POST, "/v1/deployments", json!([])),
        (
            Method::POST,
            "/v1/services/nobody/traffic",
            json!("promote"),
        ),
        (Method::DELETE, "/v1/services/nobody", Value::Null),
        (Method::GET, "/v1/nothing", Value::Null),
    ];
    for (method, path, body) in bad {
        let answer = admin.json(method.clone(), path, &body).await?;
        assert!(
            answer.status.is_client_error(),
            "{method} {path} {body}: {}",
            answer.status
        );
        let problem = answer
            .problem(answer.status.as_u16())
            .with_context(|| format!("{method} {path} {body}"))?;
        assert!(
            problem["code"].is_string() && problem["title"].is_string(),
            "{problem}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_no_manifest_may_say_is_not_deployed() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let admin = host.admin()?;
    let called = |route: Value| {
        let mut all =
            json!({ "target": { "call": "test:hello/greeter.ping" }, "access": "public" });
        for (key, value) in route.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        hello().route("GET /other", all)
    };
    let faulty = [
        hello().call("* /other", "test:hello/greeter.ping"),
        hello().call("get /other", "test:hello/greeter.ping"),
        hello().call("GET /a//b", "test:hello/greeter.ping"),
        hello().set("config", json!({ "a\nb": "c" })),
        hello().set("config", json!({ "a": "b".repeat(300_000) })),
        hello().stages(&[5, 100], "1ns"),
        called(json!({ "cache": { "max_age": "1s", "vary": ["*"] } })),
        called(json!({ "access": { "scope": "a b" } })),
        called(json!({ "idempotency": { "key": "required" } })),
        called(json!({ "location": "/other/{id}" })),
        hello().set("limits.deadline", json!("0s")),
        hello().set("limits.deadline", json!("10000years")),
        hello().set("pool.reuse", json!(0)),
        hello().set("grants.secrets", json!(["a/b"])),
        hello().set("links", json!({ "shop:a/b@0.1.0": "b" })),
        hello().set("retry.retries", json!(1000)),
    ];
    for service in faulty {
        let faults = admin.refused(&service).await?;
        let code = faults[0].code.as_str();
        assert!(["settings", "canary"].contains(&code), "{faults:?}");
    }
    let upstream = json!({ "targets": ["http://127.0.0.1:1"], "routes": [
        { "path": "/%41/*", "target": "http", "access": "public" },
        { "method": "*", "path": "/x", "target": "http", "access": "public" },
    ] });
    let refused = admin
        .json(Method::PUT, "/v1/upstreams/legacy", &upstream)
        .await?;
    assert!(refused.status.is_client_error(), "{}", refused.text());
    assert!(
        refused.text().contains("expected a method"),
        "{}",
        refused.text()
    );
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn what_is_sent_in_another_way_is_said() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let post = |name: &'static str, value: &'static str, body: Vec<u8>| {
        let request = Request::post("/v1/deployments")
            .header("authorization", format!("Bearer {}", admin.token))
            .header(name, value)
            .body(full(body));
        async move { Client::http1(host.admin_address).send(request?).await }
    };
    let json = ("content-type", "application/json");
    let marked = b"\xef\xbb\xbf{\"services\": []}".to_vec();
    let long = vec![b' '; 3 << 20];
    for (status, said, name, value, body) in [
        (
            415,
            "application/json",
            "content-type",
            "text/plain",
            b"{}".to_vec(),
        ),
        (415, "gzip", "content-encoding", "gzip", b"{}".to_vec()),
        (400, "byte order mark", json.0, json.1, marked),
        (413, "longer", json.0, json.1, long),
    ] {
        let problem = post(name, value, body).await?.problem(status)?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(said), "{problem}");
    }
    let problem = admin.get("/v1/services/%ff").await?.problem(400)?;
    assert!(problem["trace_id"].is_string(), "{problem}");
    Ok(())
}

/// Head and body in two writes, and then the next request.
#[tokio::test]
async fn a_refusal_does_not_cost_the_connection() -> Result<()> {
    let host = host().await?;
    let head = b"POST /v1/deployments HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000\r\n\r\n";
    let mut stream = raw::begin(host.admin_address, head).await?;
    stream.write_all(&[b' '; 5000]).await?;
    let answer = raw::until(&mut stream, "}").await?;
    assert_eq!(raw::statuses(&answer), [401], "{answer}");
    let next = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(next).await?;
    let answer = raw::rest(&mut stream).await?;
    assert_eq!(raw::statuses(&answer), [200], "{answer}");
    let head =
        b"POST /v1/deployments HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500000\r\n\r\n";
    let answer = raw::exchange(host.admin_address, head).await?;
    assert!(answer.contains("connection: close"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn problems_and_their_log_lines_name_the_trace() -> Result<()> {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let host = serving(&[hello()]).await?;
    let admin = host.admin()?;
    let ask = |path: &str, token: &str| {
        let request = Request::get(path)
            .header("authorization", format!("Bearer {token}"))
            .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"));
        request.body(empty())
    };
    for (path, token, status) in [
        ("/v1/services/nobody", admin.token.as_str(), 404),
        ("/v1/nothing", admin.token.as_str(), 404),
        ("/v1/services", "wrong", 401),
        ("/v1/logs?level=loud", admin.token.as_str(), 400),
    ] {
        let request = ask(path, token)?;
        let answer = Client::http1(host.admin_address).send(request).await?;
        let problem = answer.problem(status)?;
        assert_eq!(problem["trace_id"], TRACE, "{path}");
    }
    // Without one, a trace begins.
    let problem = admin.get("/v1/nothing").await?.problem(404)?;
    let begun = problem["trace_id"].as_str().unwrap_or_default();
    assert!(begun.len() == 32 && begun != TRACE, "{problem}");

    let request = Request::patch("/v1/services/hello/config")
        .header("authorization", format!("Bearer {}", admin.token))
        .header("content-type", "application/json")
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .body(full("{\"colour\": \"red\"}"))?;
    let changed = Client::http1(host.admin_address).send(request).await?;
    changed.expect(200)?;
    let line = host
        .output()
        .wait_for(|line| line.contains("configuration changed"))
        .await?;
    let record: Value = serde_json::from_str(&line)?;
    assert_eq!(record["trace.id"], TRACE, "{record}");
    // The revision that reads it.
    assert_eq!(record["service.version"], "1", "{record}");
    Ok(())
}
