//! Upstreams that break their answers, and what an operator sees of their breakers.

use anyhow::{Context as _, Result};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use stoa_tests::client::{Client, PATIENCE, Protocol, empty};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::upstreams::wait_for_states;
use crate::{answered, guests, host};

/// More than it takes to open a breaker.
const MANY: usize = 10;

/// A host whose `/legacy/*` is served by this origin alone. A breaker that is open
/// stays so for the test's time.
async fn before(origin: &Origin) -> Result<HostProcess> {
    let host = host().await?;
    let legacy = json!({
        "targets": [origin.url()],
        "routes": [{ "path": "/legacy/*", "target": "http", "access": "public" }],
        "breaker": { "open_min": "60s" },
    });
    let admin = host.admin()?;
    let declared = admin.json(Method::PUT, "/v1/upstreams/legacy", &legacy);
    declared.await?.expect(200)?;
    Ok(host)
}

async fn raw_origin(answer: &str) -> Result<Origin> {
    Origin::start("one", Behaviour::Raw(answer.to_owned())).await
}

/// Asks until the breaker is open.
async fn cut_off(host: &HostProcess) -> Result<()> {
    for _ in 0..MANY {
        // One that is cut breaks its client's connection.
        let Ok(answer) = host.get("/legacy/x").await else {
            continue;
        };
        if answer.status == 503 {
            assert_eq!(answer.problem(503)?["code"], "breaker_open");
            return Ok(());
        }
    }
    anyhow::bail!("the breaker is not open after {MANY} failures")
}

async fn instance(host: &HostProcess) -> Result<Value> {
    let detail = host.admin()?.get("/v1/upstreams/legacy").await?;
    Ok(detail.expect(200)?.json()?["instances"][0].clone())
}

#[tokio::test]
async fn an_instance_that_is_cut_off_is_seen_to_be() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Close).await?;
    let host = before(&origin).await?;
    let admin = host.admin()?;
    let address = origin.address.to_string();
    wait_for_states(&admin, &[(&address, "UP")]).await?;
    let state = format!(
        "stoa_breaker_state{{service=\"legacy\",revision=\"{}/\",link=\"gateway\"}}",
        origin.url()
    );
    let metrics = admin.metrics().await?;
    assert!(metrics.contains(&format!("{state} 0")), "{metrics}");

    cut_off(&host).await?;
    wait_for_states(&admin, &[(&address, "DOWN")]).await?;
    let seen = instance(&host).await?;
    assert_eq!(seen["status"], "DOWN", "{seen}");
    assert_eq!(seen["breaker"]["state"], "open", "{seen}");
    let reason = seen["breaker"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("calls failed"), "{seen}");
    assert!(
        seen["breaker"]["next_probe_ms"].as_u64().is_some(),
        "{seen}"
    );
    let shown = host.cli(&["show", "legacy"]).await?.expect(0)?.to_owned();
    assert!(shown.contains("breaker open"), "{shown}");
    let metrics = admin.metrics().await?;
    for line in [
        format!("{state} 2"),
        "stoa_upstream_instances{upstream=\"legacy\",state=\"DOWN\"} 1".to_owned(),
        "stoa_upstream_instances{upstream=\"legacy\",state=\"UP\"} 0".to_owned(),
        "link=\"gateway\",to=\"open\"} 1".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }

    host.cli(&["undeploy", "legacy"]).await?.expect(0)?;
    // They go with the last that holds them.
    let gone = async {
        while admin.metrics().await?.contains(&state) {}
        anyhow::Ok(())
    };
    timeout(PATIENCE, gone).await.context("they stay")?
}

#[tokio::test]
async fn a_lease_that_is_over_is_seen_to_be() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = host().await?;
    let admin = host.admin()?;
    let path = "/v1/upstreams/joined/instances/a";
    let never = json!({ "url": "http://127.0.0.1:0" });
    admin.json(Method::PUT, path, &never).await?.problem(409)?;
    let join = json!({ "url": origin.url(), "ttl": 1 });
    admin.json(Method::PUT, path, &join).await?.expect(204)?;
    let over = answered(
        async || admin.get("/v1/upstreams/joined").await,
        |answer| answer.text().contains("\"overdue\""),
    );
    // It is the only one, so it is kept.
    assert!(over.await?.text().contains("\"UP\""));
    let shown = host.cli(&["show", "joined"]).await?.expect(0)?.to_owned();
    assert!(shown.contains("lease 1 s over for"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn breakers_of_an_upstream_are_listed_and_held() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Close).await?;
    let host = before(&origin).await?;
    cut_off(&host).await?;
    let listed = host
        .cli(&["breaker", "legacy"])
        .await?
        .expect(0)?
        .to_owned();
    assert!(listed.contains(&origin.url()), "{listed}");
    assert!(listed.contains("open, probe in"), "{listed}");

    host.cli(&["breaker", "legacy", "close"]).await?.expect(0)?;
    for _ in 0..MANY {
        host.get("/legacy/x").await?.problem(502)?;
    }
    // Who joins later, and after a restart, is held too.
    let host = host.crash_and_restart().await?;
    for _ in 0..MANY {
        host.get("/legacy/x").await?.problem(502)?;
    }
    let held = host
        .cli(&["breaker", "legacy", "open"])
        .await?
        .expect(0)?
        .to_owned();
    assert!(held.contains("open (forced)"), "{held}");
    let other = Origin::start("two", Behaviour::Echo).await?;
    let join = json!({ "url": other.url() });
    let path = "/v1/upstreams/legacy/instances/a";
    let admin = host.admin()?;
    admin.json(Method::PUT, path, &join).await?.expect(204)?;
    assert_eq!(
        host.get("/legacy/x").await?.problem(503)?["code"],
        "breaker_open"
    );
    host.cli(&["breaker", "legacy", "auto"]).await?.expect(0)?;
    let served = host.get("/legacy/x").await?.status;
    assert_ne!(served, 503);

    // No other link leads to an upstream's instances.
    let refused = host
        .cli(&["breaker", "legacy", "open", "--link", "order"])
        .await?;
    refused.expect(1)?;
    host.cli(&["breaker", "legacy", "open"]).await?.expect(0)?;
    host.cli(&["undeploy", "legacy"]).await?.expect(0)?;
    let again = before(&other).await?;
    again.get("/legacy/x").await?.expect(200)?;
    Ok(())
}

const BOTH_LENGTHS: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const SWITCHES: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

#[tokio::test]
async fn an_answer_that_nobody_may_pass_on_is_a_bad_gateway() -> Result<()> {
    for answer in [BOTH_LENGTHS, SWITCHES] {
        let origin = raw_origin(answer).await?;
        let host = before(&origin).await?;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let got = Client::new(host.http, protocol).get("/legacy/x").await?;
            assert_eq!(got.problem(502)?["code"], "bad_gateway", "{answer:?}");
        }
        cut_off(&host).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_instance_that_takes_no_connection_can_not_be_reached() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = before(&origin).await?;
    host.get("/legacy/x").await?.expect(200)?;
    let nobody = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let declared = json!({
        "targets": [format!("http://{nobody}")],
        "routes": [{ "path": "/legacy/*", "target": "http", "access": "public", "on_disconnect": "finish" }],
    });
    let admin = host.admin()?;
    let answer = admin.json(Method::PUT, "/v1/upstreams/legacy", &declared);
    answer.await?.expect(200)?;
    let problem = host.get("/legacy/x").await?.problem(502)?;
    assert_eq!(problem["code"], "bad_gateway", "{problem}");
    assert_eq!(
        problem["detail"], "the service can't be reached",
        "{problem}"
    );

    let shown = host.cli(&["show", "legacy"]).await?.expect(0)?.to_owned();
    assert!(shown.contains("/legacy/*, on disconnect finish"), "{shown}");
    assert!(shown.contains("body 1 MiB"), "{shown}");
    let gone = host.cli(&["undeploy", "legacy"]).await?;
    assert_eq!(gone.expect(0)?, "legacy is undeployed\n");
    Ok(())
}

#[tokio::test]
async fn services_get_none_of_it_either() -> Result<()> {
    for answer in [BOTH_LENGTHS, SWITCHES] {
        let origin = raw_origin(answer).await?;
        let host = before(&origin).await?;
        let passer = Service::new("passer", guests::OUTGOING_P3)
            .http("/pass")
            .set("grants.http", json!([origin.url(), "http://legacy.svc"]));
        host.admin()?.deploy_one(&passer).await?;
        let address = origin.address.to_string();
        for target in [&*address, "legacy.svc"] {
            let request = Request::get("/pass")
                .header("x-target", format!("{target}/a"))
                .body(empty())?;
            let got = Client::http1(host.http).send(request).await?;
            assert_eq!(got.status, 502, "{target}: {answer:?}: {}", got.text());
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_is_of_the_hosts_own_version() -> Result<()> {
    let origin = raw_origin("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi").await?;
    let host = before(&origin).await?;
    let ask = b"GET /legacy/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let received = raw::exchange(host.http, ask).await?;
    assert!(received.starts_with("HTTP/1.1 200 "), "{received:?}");
    assert!(received.ends_with("hi"), "{received:?}");
    Ok(())
}

#[tokio::test]
async fn an_answer_without_content_has_no_length() -> Result<()> {
    let origin = raw_origin("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n").await?;
    let host = before(&origin).await?;
    let answer = host.get("/legacy/x").await?.expect(204)?;
    assert!(answer.headers.get("content-length").is_none());
    Ok(())
}

#[tokio::test]
async fn nobody_is_sent_a_trace_that_no_route_names() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = before(&origin).await?;
    let ask = b"TRACE /legacy/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let received = raw::exchange(host.http, ask).await?;
    assert_eq!(raw::statuses(&received), [405], "{received:?}");
    assert!(received.contains("allow: DELETE, GET"), "{received:?}");
    assert_eq!(origin.requests(), 0);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_breaks_off_counts_and_is_told() -> Result<()> {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ] {
        let origin = raw_origin(answer).await?;
        let host = before(&origin).await?;
        let request = Request::get("/legacy/x")
            .header(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )
            .body(empty())?;
        let broken = Client::http1(host.http).send(request).await;
        broken.err().context("it is cut")?;
        let told = host.output().wait_for(|line| line.contains("broke off"));
        let told = told.await?;
        for part in ["legacy", "0af7651916cd43dd8448eb211c80319c", &origin.url()] {
            assert!(told.contains(part), "{part} in {told}");
        }
        cut_off(&host).await?;
    }
    Ok(())
}

#[tokio::test]
async fn clients_that_leave_in_mid_download_are_not_the_upstreams_fault() -> Result<()> {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let origin = Origin::start("one", Behaviour::Events(head.to_owned())).await?;
    let host = before(&origin).await?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for _ in 0..MANY {
            let mut client = Client::new(host.http, protocol);
            let request = Request::get("/legacy/x").body(empty())?;
            let mut response = client.stream(request).await?;
            assert_eq!(response.status(), 200);
            response.body_mut().frame().await.context("it goes on")??;
        }
    }
    let seen = instance(&host).await?;
    assert_eq!(seen["breaker"]["state"], "closed", "{seen}");
    Ok(())
}
