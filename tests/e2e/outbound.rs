//! Outgoing HTTP: what is granted, to whom, and within which limits.

use anyhow::{Context as _, Result};
use http::Request;
use serde_json::json;
use stoa_tests::client::{Answer, Client, empty, full};
use stoa_tests::fault_proxy::{Fault, FaultProxy};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::net::TcpListener;

use crate::{guests, hello, serving};

/// A service that fetches by 0.2, with these grants: `POST /fetch`.
fn fetcher(grants: &[String]) -> Service {
    let target = json!({ "call": "test:sandbox/outgoing.fetch" });
    let route = json!({ "target": target, "access": "public", "errors": { "err": 418 } });
    Service::new("fetcher", guests::OUTGOING)
        .route("POST /fetch", route)
        .set("grants.http", json!(grants))
}

/// A service that passes on what its target answers, by 0.3: `GET /pass`.
fn passer(grants: &[String]) -> Service {
    Service::new("passer", guests::OUTGOING_P3)
        .http("/pass")
        .set("grants.http", json!(grants))
}

async fn fetch(host: &HostProcess, authority: &str, path: &str) -> Result<Answer> {
    let body = json!({ "authority": authority, "path": path });
    host.post("/fetch", &body).await
}

async fn pass(host: &HostProcess, target: &str) -> Result<Answer> {
    let request = Request::get("/pass")
        .header("x-target", target)
        .header("x-request-id", "ask-7")
        .body(empty())?;
    Client::http1(host.http).send(request).await
}

#[tokio::test]
async fn what_is_granted_is_reached() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = serving(&[fetcher(&[origin.url()]), passer(&[origin.url()])]).await?;
    let authority = origin.address.to_string();
    let answer = fetch(&host, &authority, "/there?x=1").await?.expect(200)?;
    assert_eq!(answer.json()?, json!(200));
    let seen = origin.last().to_ascii_lowercase();
    assert!(seen.starts_with("get /there?x=1 http/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("host: {authority}\r\n")), "{seen}");

    let answer = pass(&host, &format!("{authority}/a")).await?.expect(200)?;
    assert_eq!(answer.header("x-origin")?, "one");
    let seen = answer.text().to_ascii_lowercase();
    assert!(seen.starts_with("get /a http/1.1\r\n"), "{seen}");
    assert!(seen.contains("traceparent: 00-"), "{seen}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_granted_is_named_and_counted() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let port = origin.address.port();
    let granted = format!("http://127.0.0.1:{}", port.wrapping_add(1).max(1));
    let host = serving(&[fetcher(&[granted])]).await?;
    for authority in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("example.com:{port}"),
        "neighbour.svc".to_owned(),
    ] {
        let refused = fetch(&host, &authority, "/").await?.expect(418)?;
        assert!(
            refused.text().contains("Denied"),
            "{authority}: {}",
            refused.text()
        );
        let told = format!("no grant for http://{authority}");
        host.output()
            .wait_for(move |line| line.contains(&told))
            .await?;
    }
    let metrics = host.admin()?.metrics().await?;
    assert!(
        metrics.contains("stoa_rejected_total{reason=\"grant\"} 5"),
        "{metrics}"
    );
    assert_eq!(origin.requests(), 0);
    Ok(())
}

/// It is the host that refuses: the handler only says so.
#[tokio::test]
async fn what_is_not_granted_opens_no_breaker() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = serving(&[passer(&[origin.url()])]).await?;
    for _ in 0..10 {
        pass(&host, "example.com/a").await?.problem(502)?;
    }
    pass(&host, &format!("{}/a", origin.address))
        .await?
        .expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_name_is_no_way_inside() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let port = origin.address.port();
    let name = format!("http://localhost:{port}");
    let host = serving(&[fetcher(&[name])]).await?;
    // It is named literally, so it is meant.
    let answer = fetch(&host, &format!("localhost:{port}"), "/").await?;
    assert_eq!(answer.expect(200)?.json()?, json!(200));
    for hidden in ["0x7f.1", "2130706433", "127.1", "017700000001"] {
        let refused = fetch(&host, &format!("{hidden}:{port}"), "/")
            .await?
            .expect(418)?;
        assert!(
            refused.text().contains("UriInvalid"),
            "{hidden}: {}",
            refused.text()
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_goes_wrong_has_its_code() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let proxy = FaultProxy::start(origin.address, Fault::None).await?;
    let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let host = serving(&[fetcher(&[proxy.url(), format!("http://{closed}")])]).await?;
    let refused = fetch(&host, &closed.to_string(), "/").await?.expect(418)?;
    assert!(
        refused.text().contains("ConnectionRefused"),
        "{}",
        refused.text()
    );
    for (fault, code) in [
        (
            Fault::Garbage(b"220 mail ready\r\n\r\n".to_vec()),
            "ProtocolError",
        ),
        (Fault::HalfClose(9), "Incomplete"),
    ] {
        proxy.set(fault.clone());
        let answer = fetch(&host, &proxy.address.to_string(), "/")
            .await?
            .expect(418)?;
        assert!(answer.text().contains(code), "{fault:?}: {}", answer.text());
    }
    proxy.set(Fault::None);
    fetch(&host, &proxy.address.to_string(), "/")
        .await?
        .expect(200)?;
    Ok(())
}

#[tokio::test]
async fn requests_under_way_are_limited() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Silent).await?;
    let service = fetcher(&[origin.url()])
        .set("limits.connections", json!(1))
        .set("limits.deadline", json!("20s"));
    let host = serving(&[service]).await?;
    let authority = origin.address.to_string();
    // Of two at the same time one is told so at once, the other waits for good.
    let (one, two) = (fetch(&host, &authority, "/"), fetch(&host, &authority, "/"));
    let told = tokio::select! { told = one => told?, told = two => told? };
    assert!(told.text().contains("LimitReached"), "{}", told.text());
    Ok(())
}

#[tokio::test]
async fn services_reach_each_other_by_name() -> Result<()> {
    let grants = [
        "http://hello.svc",
        "http://three.svc",
        "http://legacy.svc",
        "http://gone.svc",
        "http://far.svc",
        "http://near.svc",
    ]
    .map(str::to_owned);
    let three = Service::new("three", guests::ECHO_P3).http("/three/*");
    let far = Service::new("far", guests::HELLO_FUNCTION)
        .call("GET far.example/far/{name}", "test:hello/greeter.greet");
    let near = Service::new("near", guests::HELLO_FUNCTION)
        .call("GET /hello/*", "test:hello/greeter.ping");
    let host = serving(&[fetcher(&grants), passer(&grants), hello(), three, far, near]).await?;
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let admin = host.admin()?;
    let body = json!({ "url": origin.url() });
    let join = "/v1/upstreams/legacy/instances/a";
    admin
        .json(http::Method::PUT, join, &body)
        .await?
        .expect(204)?;

    // By its routes to functions.
    let answer = pass(&host, "hello.svc/hello/Ada").await?.expect(200)?;
    assert!(answer.text().contains("Ada"), "{}", answer.text());
    assert_eq!(
        pass(&host, "hello.svc/nothing").await?.problem(404)?["code"],
        "no_route"
    );
    // Also by those that clients must name a host for.
    let answer = pass(&host, "far.svc/far/Ada").await?.expect(200)?;
    assert!(answer.text().contains("Ada"), "{}", answer.text());
    let elsewhere = pass(&host, "far.svc/hello/Ada").await?;
    assert_eq!(elsewhere.problem(404)?["code"], "no_route");
    // Another service's route for the same path, which clients would get.
    let answer = pass(&host, "near.svc/hello/ping").await?.expect(200)?;
    assert!(answer.text().contains("pong"), "{}", answer.text());
    // By its own handler.
    let answer = pass(&host, "three.svc/any?x=1").await?.expect(200)?;
    assert_eq!(answer.header("x-path")?, "/any?x=1");
    // An upstream that joined.
    let answer = pass(&host, "legacy.svc/a").await?.expect(200)?;
    assert_eq!(answer.header("x-origin")?, "one");
    let seen = answer.text().to_ascii_lowercase();
    assert!(seen.contains("x-request-id: ask-7\r\n"), "{seen}");
    assert!(seen.contains("host: legacy.svc\r\n"), "{seen}");
    // By 0.2 as well.
    assert_eq!(
        fetch(&host, "hello.svc", "/hello/Ada").await?.json()?,
        json!(200)
    );
    assert_eq!(fetch(&host, "legacy.svc", "/").await?.json()?, json!(200));
    let gone = fetch(&host, "gone.svc", "/").await?.expect(418)?;
    assert!(gone.text().contains("NotFound"), "{}", gone.text());

    let metrics = admin.metrics().await?;
    assert!(
        metrics.contains("stoa_rejected_total{reason=\"no_route\"} 2"),
        "{metrics}"
    );
    let call =
        "stoa_call_duration_seconds_count{from=\"passer\",to=\"legacy\",function=\"wasi:http\"} 1";
    assert!(metrics.contains(call), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn neighbours_send_no_more_than_a_service_takes() -> Result<()> {
    let grants = ["http://small.svc", "http://legacy.svc"].map(str::to_owned);
    let small = Service::new("small", guests::ECHO_P3)
        .http("/small/*")
        .set("limits.body", json!(1000));
    let host = serving(&[passer(&grants), small]).await?;
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let admin = host.admin()?;
    let (limit, join) = (
        json!({ "limits": { "body": 1000 } }),
        json!({ "url": origin.url() }),
    );
    admin
        .json(http::Method::PUT, "/v1/upstreams/legacy", &limit)
        .await?
        .expect(200)?;
    let instance = "/v1/upstreams/legacy/instances/a";
    admin
        .json(http::Method::PUT, instance, &join)
        .await?
        .expect(204)?;
    for target in ["small.svc/small/a", "legacy.svc/a"] {
        for size in [1000, 1001] {
            let request = Request::post("/pass")
                .header("x-target", target)
                .body(full(vec![b'x'; size]))?;
            let answer = Client::http1(host.http).send(request).await?;
            if size == 1000 {
                answer.expect(200)?;
            } else {
                // A component announces no length: the body breaks off in the other.
                let refused = answer.status.as_u16();
                assert!([413, 500, 502].contains(&refused), "{target}: {answer:?}");
            }
        }
    }
    Ok(())
}

/// Its outcome counts where it ran: the host draws a revision once for a call.
#[tokio::test]
async fn a_canary_answers_for_its_own_calls() -> Result<()> {
    let shop = |function: &str| {
        Service::new("shop", guests::MISBEHAVE)
            .call("GET /it", &format!("test:misbehave/faults.{function}"))
            .set("rollout", json!({ "auto_rollback": false }))
    };
    let fetcher = fetcher(&["http://shop.svc".to_owned()]);
    let host = serving(&[fetcher, shop("well")]).await?;
    let admin = host.admin()?;
    admin.deploy_one(&shop("trap").canary(50)).await?;
    for _ in 0..40 {
        fetch(&host, "shop.svc", "/it").await?.expect(200)?;
    }
    let path = "/v1/services/shop/breaker";
    let list = admin.get(path).await?.expect(200)?.json()?;
    let of = |revision: u64| {
        let mut all = list.as_array().into_iter().flatten();
        all.find(|it| it["link"] == "fetcher" && it["revision"] == revision)
            .with_context(|| list.to_string())
    };
    let (well, bad) = (of(1)?, of(2)?);
    assert_eq!(well["failed"], 0, "{list}");
    assert_eq!(bad["succeeded"], 0, "{list}");
    assert_ne!(
        (&well["succeeded"], &bad["failed"]),
        (&json!(0), &json!(0)),
        "{list}"
    );
    Ok(())
}

#[tokio::test]
async fn a_service_that_calls_itself_does_not_wait_for_itself() -> Result<()> {
    let itself = fetcher(&["http://fetcher.svc".to_owned()])
        .route(
            "GET /fetch",
            json!({
                "target": { "call": "test:sandbox/outgoing.fetch" },
                "access": "public",
                "errors": { "err": 418 }
            }),
        )
        .set("limits.concurrency", json!(1))
        .set("pool.max", json!(2));
    let host = serving(&[itself]).await?;
    // What the inner call asks for is not granted.
    let answer = fetch(&host, "fetcher.svc", "/fetch?authority=gone.svc&path=/").await?;
    assert_eq!(answer.expect(200)?.json()?, json!(418));
    Ok(())
}

#[tokio::test]
async fn services_that_call_in_a_circle_are_stopped() -> Result<()> {
    let host = serving(&[passer(&["http://passer.svc".to_owned()])]).await?;
    let request = Request::get("/pass")
        .header("x-target", "passer.svc/pass")
        .header("x-again", "1")
        .body(empty())?;
    let answer = Client::http1(host.http).send(request).await?;
    assert!(answer.status.is_server_error(), "{}", answer.text());
    let circle = |line: &str| line.contains("call each other in a circle");
    host.output().wait_for(circle).await?;
    Ok(())
}
