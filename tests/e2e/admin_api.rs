//! The admin API: who may use it, and what it shows.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use stoa_tests::admin::Admin;
use stoa_tests::client::{Client, PATIENCE, empty, full, get};
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
async fn it_describes_itself() -> Result<()> {
    let host = host().await?;
    let description = host
        .admin()?
        .get("/v1/openapi.json")
        .await?
        .expect(200)?
        .json()?;
    assert!(
        description["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1")),
        "{}",
        description["openapi"]
    );
    let paths = description["paths"].as_object().context("no paths")?;
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                let told = response["description"].as_str();
                let told = told.is_some_and(|told| !told.is_empty());
                assert!(
                    told,
                    "{method} {path}: {status} has no description, OpenAPI 4.8.17"
                );
            }
        }
    }
    assert!(paths["/v1/components/{sha256}"]["head"].is_object());
    let problem = &description["components"]["schemas"]["Problem"]["properties"];
    assert!(problem["trace_id"].is_object(), "{problem}");
    for path in [
        "/v1/services",
        "/v1/services/{service}",
        "/v1/deployments",
        "/v1/routes",
        "/v1/drain",
        "/v1/services/{service}/drain",
    ] {
        assert!(
            description["paths"][path].is_object(),
            "no {path} in {:?}",
            description["paths"]
                .as_object()
                .map(|paths| paths.keys().collect::<Vec<_>>())
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_contract_is_derived_from_routes_and_types() -> Result<()> {
    let values = Service::new("values", guests::ECHO_TYPES)
        .call("POST /records", "test:echo/values.echo-record")
        .call("GET /several/{first}", "test:echo/values.several");
    let host = serving(&[values, hello()]).await?;
    let contract = host
        .admin()?
        .get("/v1/services/values/openapi")
        .await?
        .expect(200)?
        .json()?;
    assert!(
        contract["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1")),
        "{contract}"
    );
    let several = &contract["paths"]["/several/{first}"]["get"];
    let parameters: Vec<_> = several["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            (
                one["name"].clone(),
                one["in"].clone(),
                one["required"].clone(),
            )
        })
        .collect();
    assert!(
        parameters.contains(&(json!("first"), json!("path"), json!(true))),
        "{several}"
    );
    assert!(
        parameters.contains(&(json!("second"), json!("query"), json!(true))),
        "{several}"
    );
    let text = contract.to_string();
    for name in ["display_name", "light_blue", "execute_all"] {
        assert!(text.contains(name), "no {name} in {text}");
    }
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
        hello().call("GET Shop.example/b", "test:hello/greeter.ping"),
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
        assert_eq!(faults[0].code, "settings", "{faults:?}");
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
