//! The admin API: who may use it, and what it shows.

mod documents;
mod refusals;

use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::json;
use stoa_tests::admin::Admin;
use stoa_tests::client::{Client, PATIENCE, empty, get};
use stoa_tests::service::Service;
use tokio::time::timeout;

use crate::{guests, hello, host, serving};

#[tokio::test]
async fn it_asks_for_the_token() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let admin = host.admin()?;
    let wrong = Admin {
        token: format!("{}x", admin.token),
        ..admin.clone()
    };
    let calls = [
        (Method::GET, "/v1/services"),
        (Method::GET, "/v1/routes"),
        (Method::POST, "/v1/deployments"),
        (Method::DELETE, "/v1/services/hello"),
        (Method::PUT, "/v1/services/hello/scale"),
        (Method::POST, "/v1/services/hello/traffic"),
        (
            Method::PUT,
            "/v1/components/0000000000000000000000000000000000000000000000000000000000000000",
        ),
    ];
    for (method, path) in calls {
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .body(empty())?;
        let answer = Client::http1(host.admin_address).send(request).await?;
        assert_eq!(
            answer.status,
            401,
            "{method} {path} without a token: {}",
            answer.text()
        );
        assert_eq!(
            wrong.send(method.clone(), path, empty()).await?.status,
            401,
            "{method} {path} with a wrong one"
        );
    }
    admin.get("/v1/services").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn health_and_metrics_ask_for_none() -> Result<()> {
    let host = host().await?;
    for path in ["/healthz", "/readyz", "/metrics"] {
        get(host.admin_address, path).await?.expect(200)?;
        host.get(path)
            .await?
            .problem(404)
            .context("the gateway does not serve it")?;
    }
    Ok(())
}

#[tokio::test]
async fn the_token_is_the_owners_alone_and_stays() -> Result<()> {
    let host = host().await?;
    let file = host.data().join("token");
    assert_eq!(
        std::fs::metadata(&file)?.permissions().mode() & 0o777,
        0o600
    );
    let token = host.admin()?.token;
    assert!(token.len() >= 32, "{} characters", token.len());
    let lines = host.output().lines().join("\n");
    assert!(!lines.contains(&token), "the log tells the token");
    let host = host.crash_and_restart().await?;
    assert_eq!(host.admin()?.token, token);
    Ok(())
}

#[tokio::test]
async fn it_shows_services_revisions_and_routes() -> Result<()> {
    let host = serving(&[
        hello(),
        Service::new("raw", guests::HELLO_P2).http("/raw/*"),
    ])
    .await?;
    let admin = host.admin()?;
    let services = admin.get("/v1/services").await?.expect(200)?.json()?;
    let names: Vec<_> = services
        .as_array()
        .into_iter()
        .flatten()
        .map(|service| service["service"].clone())
        .collect();
    assert_eq!(names, ["hello", "raw"]);

    let shown = admin.get("/v1/services/hello").await?.expect(200)?.json()?;
    let exports = shown["exports"].to_string();
    assert!(exports.contains("test:hello/greeter@0.1.0"), "{shown}");
    assert_eq!(
        shown["settings"]["routes"].as_array().map(Vec::len),
        Some(2),
        "{shown}"
    );
    admin.get("/v1/services/nobody").await?.problem(404)?;

    let revisions = admin
        .get("/v1/services/hello/revisions")
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(revisions[0]["revision"], 1);
    assert_eq!(revisions[0]["weight"], 100);
    assert_eq!(revisions[0]["size"], json!(hello().component.len()));
    let deployed = revisions[0]["deployed"].as_str().unwrap_or_default();
    assert!(
        deployed.contains('T') && deployed.ends_with('Z'),
        "RFC 3339: {deployed}"
    );

    let routes = admin.get("/v1/routes").await?.expect(200)?.json()?;
    let found = routes
        .as_array()
        .into_iter()
        .flatten()
        .find(|route| route["path"] == "/hello/{name}");
    let route = found.with_context(|| format!("no route in {routes}"))?;
    assert_eq!(
        (&route["method"], &route["service"], &route["access"]),
        (&json!("GET"), &json!("hello"), &json!("public"))
    );
    assert_eq!(route["target"], "test:hello/greeter.greet");
    Ok(())
}

#[tokio::test]
async fn calls_are_counted() -> Result<()> {
    let host = serving(&[hello()]).await?;
    for _ in 0..5 {
        host.get("/ping").await?.expect(200)?;
    }
    assert_eq!(
        host.admin()?.get("/v1/services/hello").await?.json()?["calls"],
        5
    );
    Ok(())
}

#[tokio::test]
async fn logs_are_followed() -> Result<()> {
    let state = Service::new("state", guests::STATE).call("POST /say", "test:state/counter.say");
    let host = serving(&[state, hello()]).await?;
    let admin = host.admin()?;
    let request = Request::get("/v1/services/state/logs?follow=true")
        .header("authorization", format!("Bearer {}", admin.token));
    let mut client = Client::http1(host.admin_address);
    let mut stream = client
        .stream(
            request
                .header("accept", "text/event-stream")
                .body(empty())?,
        )
        .await?;
    assert_eq!(stream.status(), 200);
    host.post("/say", &json!("to the log")).await?.expect(204)?;
    let mut text = String::new();
    while !text.contains("log says to the log") {
        let frame = timeout(PATIENCE, stream.body_mut().frame())
            .await
            .with_context(|| format!("the log stops: {text}"))?;
        text.push_str(&String::from_utf8_lossy(
            &frame
                .context("the log ends")??
                .into_data()
                .unwrap_or_default(),
        ));
    }
    assert!(text.contains("data:"), "server-sent events: {text}");
    Ok(())
}
