//! HTTP services that are no components: declared, joined, balanced, guarded.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::admin::Admin;
use stoa_tests::client::{Client, full};
use stoa_tests::fault_proxy::{Fault, FaultProxy};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;

use crate::discovery::Watch;
use crate::host;

/// Routes and limits of an upstream with these targets.
fn settings(targets: &[String]) -> Value {
    json!({
        "targets": targets,
        "routes": [{ "path": "/legacy/*", "target": "http", "access": "public" }],
        "limits": { "deadline": "2s", "connect": "1s", "body": 1024, "connections": 64 },
    })
}

async fn declare(admin: &Admin, name: &str, settings: &Value) -> Result<Value> {
    let path = format!("/v1/upstreams/{name}");
    let answer = admin.json(Method::PUT, &path, settings).await?;
    answer.expect(200)?.json()
}

async fn host_with(targets: &[String]) -> Result<HostProcess> {
    let host = host().await?;
    declare(&host.admin()?, "legacy", &settings(targets)).await?;
    Ok(host)
}

#[tokio::test]
async fn a_declared_upstream_gets_its_routes_requests() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = host_with(&[origin.url()]).await?;
    let request = Request::post("/legacy/a%2Fb?x=1")
        .header("host", "shop.example")
        .header("connection", "keep-alive, x-hop")
        .header("x-hop", "1")
        .header("te", "trailers")
        .header("forwarded", "for=203.0.113.9")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-request-id", "ask-1")
        .body(full("hello"))?;
    let answer = Client::http1(host.http).send(request).await?.expect(200)?;
    assert_eq!(answer.header("x-origin")?, "one");
    assert_eq!(answer.header("x-request-id")?, "ask-1");
    assert!(
        answer.headers.get("keep-alive").is_none(),
        "a header of the upstream's connection"
    );
    let seen = origin.last().to_ascii_lowercase();
    assert!(
        seen.starts_with("post /legacy/a%2fb?x=1 http/1.1\r\n"),
        "{seen}"
    );
    assert!(seen.ends_with("\r\n\r\nhello"), "{seen}");
    for header in [
        "host: shop.example\r\n",
        "x-request-id: ask-1\r\n",
        "traceparent: 00-",
        "forwarded: for=127.0.0.1;proto=http;host=\"shop.example\"\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
    ] {
        assert!(seen.contains(header), "expected {header:?} in {seen}");
    }
    for header in ["x-hop", "\r\nte:", "203.0.113.9"] {
        assert!(!seen.contains(header), "expected no {header:?} in {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn it_is_listed_survives_a_crash_and_goes() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = host_with(&[origin.url()]).await?;
    host.get("/legacy/x").await?.expect(200)?;
    let metrics = host.admin()?.metrics().await?;
    assert!(
        metrics.contains("http_server_request_duration_seconds_count{method=\"GET\",route=\"/legacy/*\",status=\"200\",service=\"legacy\""),
        "{metrics}"
    );

    let host = host.crash_and_restart().await?;
    let admin = host.admin()?;
    host.get("/legacy/x").await?.expect(200)?;
    let again = declare(&admin, "legacy", &settings(&[origin.url()])).await?;
    assert_eq!(again["number"], 1, "declared as it was, nothing changes");
    let list = host.cli(&["ls"]).await?.expect(0)?.to_owned();
    assert!(
        list.contains("legacy") && list.contains("upstream"),
        "{list}"
    );
    let shown = host.cli(&["show", "legacy"]).await?.expect(0)?.to_owned();
    assert!(
        shown.contains(&origin.url()) && shown.contains("UP"),
        "{shown}"
    );
    let routes = host.cli(&["routes"]).await?.expect(0)?.to_owned();
    assert!(routes.contains("/legacy/*"), "{routes}");
    host.cli(&["undeploy", "legacy"]).await?.expect(0)?;
    host.get("/legacy/x").await?.problem(404)?;

    let host = host.crash_and_restart().await?;
    host.get("/legacy/x").await?.problem(404)?;
    Ok(())
}

#[tokio::test]
async fn instances_join_renew_and_leave() -> Result<()> {
    let (one, two) = (
        Origin::start("one", Behaviour::Echo).await?,
        Origin::start("two", Behaviour::Echo).await?,
    );
    let host = host_with(&[]).await?;
    let admin = host.admin()?;
    let problem = host.get("/legacy/x").await?.problem(503)?;
    assert_eq!(problem["code"], "no_instance");
    for (id, origin) in [("a", &one), ("b", &two)] {
        let path = format!("/v1/upstreams/legacy/instances/{id}");
        let body = json!({ "url": origin.url(), "metadata": { "zone": "x" } });
        admin.json(Method::PUT, &path, &body).await?.expect(204)?;
        let path = format!("{path}/heartbeat");
        admin
            .json(Method::PUT, &path, &json!({}))
            .await?
            .expect(204)?;
    }
    assert_eq!(
        origins(&host, 40).await?,
        ["one", "two"].map(str::to_owned).into()
    );

    let status = "/v1/upstreams/legacy/instances/a/status";
    let out = json!({ "status": "OUT_OF_SERVICE" });
    admin.json(Method::PUT, status, &out).await?.expect(204)?;
    assert_eq!(origins(&host, 20).await?, ["two".to_owned()].into());
    let back = json!({ "status": null });
    admin.json(Method::PUT, status, &back).await?.expect(204)?;

    let leave = "/v1/upstreams/legacy/instances/b";
    admin
        .send(Method::DELETE, leave, full(""))
        .await?
        .expect(204)?;
    assert_eq!(origins(&host, 20).await?, ["one".to_owned()].into());
    let beat = "/v1/upstreams/legacy/instances/b/heartbeat";
    let problem = admin
        .json(Method::PUT, beat, &json!({}))
        .await?
        .problem(404)?;
    assert_eq!(problem["code"], "no_instance");
    Ok(())
}

#[tokio::test]
async fn a_dead_instance_costs_no_request() -> Result<()> {
    let (dying, well) = (
        Origin::start("dying", Behaviour::Echo).await?,
        Origin::start("well", Behaviour::Echo).await?,
    );
    let host = host_with(&[dying.url(), well.url()]).await?;
    assert_eq!(origins(&host, 40).await?.len(), 2);
    dying.stop().await;
    // What is idempotent may meet a connection that is closing; it is repeated.
    assert_eq!(origins(&host, 20).await?, ["well".to_owned()].into());
    for _ in 0..50 {
        let request = Request::post("/legacy/x").body(full("payload"))?;
        let answer = Client::http1(host.http).send(request).await?.expect(200)?;
        assert_eq!(answer.header("x-origin")?, "well");
    }
    Ok(())
}

/// Waits until the instances at these addresses are in these states.
pub async fn wait_for_states(admin: &Admin, expected: &[(&str, &str)]) -> Result<()> {
    let mut watch = Watch::begin(admin, "watch").await?;
    let mut states = BTreeMap::new();
    while let Some(event) = watch.next().await? {
        let members = match event["type"].as_str() {
            Some("snapshot") => event["members"].as_array().cloned().unwrap_or_default(),
            Some("put") => vec![event["member"].clone()],
            _ => anyhow::bail!("expected {expected:?}, found {states:?}, then {event}"),
        };
        for member in members {
            let text = |key: &str| member[key].as_str().unwrap_or_default().to_owned();
            states.insert(text("address"), text("state"));
        }
        let reached = |(address, state): &(&str, &str)| {
            states.get(*address).is_some_and(|known| known == state)
        };
        if expected.iter().all(reached) {
            return Ok(());
        }
    }
    anyhow::bail!("the watch ended before {expected:?}: {states:?}")
}

#[tokio::test]
async fn health_checks_take_instances_out_and_back_in() -> Result<()> {
    let (one, two) = (
        Origin::start("one", Behaviour::Echo).await?,
        Origin::start("two", Behaviour::Echo).await?,
    );
    let proxy = FaultProxy::start(one.address, Fault::None).await?;
    let mut settings = settings(&[proxy.url(), two.url()]);
    settings["health"] =
        json!({ "path": "/healthz", "every": "100ms", "timeout": "2s", "rise": 2, "fall": 2 });
    let host = host().await?;
    let admin = host.admin()?;
    declare(&admin, "legacy", &settings).await?;
    let (first, second) = (proxy.address.to_string(), two.address.to_string());
    let (first, second) = (first.as_str(), second.as_str());
    wait_for_states(&admin, &[(first, "UP"), (second, "UP")]).await?;
    assert_eq!(origins(&host, 40).await?.len(), 2);
    // It takes connections, and says that it is not well.
    proxy.set(Fault::Garbage(
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ));
    // Health checks keep their connection, as requests do.
    proxy.cut();
    wait_for_states(&admin, &[(first, "DOWN"), (second, "UP")]).await?;
    assert_eq!(origins(&host, 40).await?, ["two".to_owned()].into());
    proxy.set(Fault::None);
    wait_for_states(&admin, &[(first, "UP"), (second, "UP")]).await?;
    assert_eq!(origins(&host, 40).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_manifest_declares_upstreams_beside_services() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = host().await?;
    let project = tempfile::TempDir::with_prefix("project-")?;
    let directory = project.path().to_str().context("UTF-8")?;
    let manifest = |routes: &str| {
        format!(
            "[app]\nname = \"shop\"\n[upstream.legacy]\ntargets = [\"{}\"]\nstrip_prefix = \"/legacy\"\n\
             [upstream.legacy.routes]\n{routes}\n",
            origin.url()
        )
    };
    let file = project.path().join("stoa.toml");
    std::fs::write(&file, manifest("\"/legacy/*\" = { access = \"public\" }"))?;
    host.cli(&["deploy", directory]).await?.expect(0)?;
    let answer = host.get("/legacy/x").await?.expect(200)?;
    assert!(
        answer.text().starts_with("GET /x HTTP/1.1\r\n"),
        "{}",
        answer.text()
    );
    // The next manifest has no such route.
    std::fs::write(&file, manifest("\"/new/*\" = { access = \"public\" }"))?;
    host.cli(&["deploy", directory]).await?.expect(0)?;
    host.get("/new/x").await?.expect(200)?;
    host.get("/legacy/x").await?.problem(404)?;
    host.cli(&["undeploy", "legacy"]).await?.expect(0)?;
    host.get("/new/x").await?.problem(404)?;
    Ok(())
}

#[tokio::test]
async fn a_dead_upstream_is_left_alone_after_a_few_requests() -> Result<()> {
    let origin = Origin::start("gone", Behaviour::Echo).await?;
    let host = host_with(&[origin.url()]).await?;
    host.get("/legacy/x").await?.expect(200)?;
    origin.stop().await;
    let mut failed = 0;
    let open = loop {
        let answer = host.get("/legacy/x").await?;
        if answer.status.as_u16() == 503 {
            break answer;
        }
        answer.problem(502)?;
        failed += 1;
        assert!(
            failed < 8,
            "the breaker opens after 7 failures in a row at the latest"
        );
    };
    assert_eq!(open.problem(503)?["code"], "breaker_open");
    assert!(open.header("retry-after")?.parse::<u64>()? >= 1);
    Ok(())
}

#[tokio::test]
async fn what_upstreams_do_wrong_is_a_bad_gateway() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let proxy = FaultProxy::start(origin.address, Fault::None).await?;
    let host = host_with(&[proxy.url()]).await?;
    for (fault, status) in [
        (Fault::Reset, 502),
        (Fault::Garbage(b"220 mail ready\r\n\r\n".to_vec()), 502),
        (Fault::HalfClose(9), 502),
        (Fault::Truncate(20), 502),
        (Fault::None, 200),
    ] {
        proxy.set(fault.clone());
        let answer = post(&host).await?;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{fault:?}: {}",
            answer.text()
        );
        if status == 502 {
            assert_eq!(answer.problem(502)?["code"], "bad_gateway", "{fault:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_upstream_that_is_silent_is_cut_off_at_its_deadline() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Silent).await?;
    let host = host_with(&[origin.url()]).await?;
    assert_eq!(
        host.get("/legacy/x").await?.problem(504)?["code"],
        "deadline"
    );
    Ok(())
}

#[tokio::test]
async fn a_broken_client_does_not_break_the_way_to_the_upstream() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = host_with(&[origin.url()]).await?;
    let proxy = FaultProxy::start(host.http, Fault::Reset).await?;
    for fault in [Fault::Reset, Fault::Truncate(10), Fault::HalfClose(10)] {
        proxy.set(fault);
        stoa_tests::client::get(proxy.address, "/legacy/x")
            .await
            .expect_err("its answer is spoiled");
    }
    host.get("/legacy/x").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let bad =
        json!({ "targets": ["ftp://a"], "strip_prefix": "x", "limits": { "connections": 0 } });
    let answer = admin
        .json(Method::PUT, "/v1/upstreams/legacy", &bad)
        .await?;
    let problem = answer.problem(409)?;
    assert_eq!(
        problem["faults"].as_array().context("faults")?.len(),
        3,
        "{problem}"
    );
    let body = json!({ "url": "nonsense" });
    let path = "/v1/upstreams/legacy/instances/a";
    admin.json(Method::PUT, path, &body).await?.problem(409)?;
    admin.get("/v1/upstreams/legacy").await?.problem(404)?;
    Ok(())
}

async fn post(host: &HostProcess) -> Result<stoa_tests::client::Answer> {
    let request = Request::post("/legacy/x").body(full("payload"))?;
    Client::http1(host.http).send(request).await
}

/// Who answers so many requests.
async fn origins(host: &HostProcess, requests: usize) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for _ in 0..requests {
        let answer = host.get("/legacy/x").await?.expect(200)?;
        found.insert(answer.header("x-origin")?.to_owned());
    }
    Ok(found)
}
