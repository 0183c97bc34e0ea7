//! Middleware: components that import a `wasi:http` handler stand before another
//! service, in a pool of their own.

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Request};
use serde_json::json;
use stoa_tests::client::{Answer, Client, Protocol, empty, full};
use stoa_tests::load::{Load, Plan};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::passthrough::ping_pong;
use crate::{answered, guests, host, serving};

/// The keys of a manifest's `links`.
const HANDLER: &str = "wasi:http/handler";
const INCOMING: &str = "wasi:http/incoming-handler";

/// Middleware of 0.3, which marks what it passes on, before `target`.
fn marking(name: &str, target: &str) -> Service {
    Service::new(name, guests::MIDDLEWARE_P3).set("links", json!({ HANDLER: target }))
}

/// Middleware of 0.2, which refuses some requests, before `target`.
fn refusing(name: &str, target: &str) -> Service {
    Service::new(name, guests::MIDDLEWARE_P2).set("links", json!({ INCOMING: target }))
}

async fn ask(host: &HostProcess, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = Request::get(path).header("host", "shop.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Client::http1(host.http).send(request.body(empty())?).await
}

#[tokio::test]
async fn a_chain_of_two_stands_before_a_handler() -> Result<()> {
    let inner = marking("inner", "guard");
    let outer = marking("outer", "inner").http("/headers");
    let guard = refusing("guard", "headers");
    let headers = Service::new("headers", guests::HEADERS_P2);
    let host = serving(&[outer, inner, guard, headers]).await?;
    let forged = [
        ("x-request-id", "ask-7"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-stoa-principal", "{}"),
    ];
    let answer = ask(&host, "/headers", &forged).await?.expect(200)?;
    assert_eq!(answer.headers.get_all("x-passed").iter().count(), 2);
    let seen = answer.text();
    let count = |line: &str| seen.lines().filter(|seen| *seen == line).count();
    assert_eq!(count("x-passed: 1"), 2, "{seen}");
    assert_eq!(count("x-request-id: ask-7"), 1, "{seen}");
    assert_eq!(count("x-forwarded-for: 127.0.0.1"), 1, "{seen}");
    assert!(!seen.contains("x-stoa-"), "{seen}");
    let refused = ask(&host, "/headers", &[("x-refuse", "1")]).await?;
    assert_eq!(refused.expect(403)?.text(), "refused");

    let admin = host.admin()?;
    let shown = admin.get("/v1/services/outer").await?.expect(200)?.json()?;
    assert_eq!(shown["imports"]["wasi:http/handler@0.3.2"], "inner");
    let metrics = admin.metrics().await?;
    let call =
        "stoa_call_duration_seconds_count{from=\"guard\",to=\"headers\",function=\"wasi:http\"} 1";
    assert!(metrics.contains(call), "{metrics}");
    Ok(())
}

/// Also where the versions of both differ, and whatever the service behind is.
#[tokio::test]
async fn every_kind_of_service_may_be_behind() -> Result<()> {
    let hello = Service::new("hello", guests::HELLO_FUNCTION)
        .call("GET inner.example/hello/{name}", "test:hello/greeter.greet");
    let host = serving(&[
        marking("three-two", "two").http("/three-two"),
        marking("three-three", "three").http("/three-three"),
        refusing("two-two", "two").http("/two-two"),
        refusing("two-three", "three").http("/two-three"),
        Service::new("two", guests::TARGET_P2),
        Service::new("three", guests::TARGET_P3),
        marking("greets", "hello").http("/hello/*"),
        hello,
    ])
    .await?;
    for path in ["/three-two", "/three-three", "/two-two", "/two-three"] {
        let answer = ask(&host, path, &[]).await?.expect(200)?;
        assert_eq!(answer.text(), "http shop.example 0", "{path}");
    }
    let answer = ask(&host, "/hello/Ada", &[]).await?.expect(200)?;
    assert!(answer.text().contains("Ada"), "{}", answer.text());
    let missing = ask(&host, "/hello/Ada/more", &[]).await?.problem(404)?;
    assert_eq!(missing["code"], "no_route");

    let origin = Origin::start("one", Behaviour::Echo).await?;
    let admin = host.admin()?;
    let join = json!({ "url": origin.url() });
    admin
        .json(Method::PUT, "/v1/upstreams/legacy/instances/a", &join)
        .await?
        .expect(204)?;
    for service in [
        marking("old-three", "legacy").http("/old-three"),
        refusing("old-two", "legacy").http("/old-two"),
    ] {
        admin.deploy_one(&service).await?;
        let path = format!("/{}", service.name);
        let answer = ask(&host, &path, &[]).await?.expect(200)?;
        let seen = answer.text().to_ascii_lowercase();
        assert!(seen.starts_with(&format!("get {path} http/1.1")), "{seen}");
        assert!(seen.contains("x-forwarded-proto: http\r\n"), "{seen}");
    }
    // Middleware would pass on to nobody.
    let gone = admin.send(Method::DELETE, "/v1/upstreams/legacy", empty());
    let refused = gone.await?;
    assert!(refused.status.is_client_error(), "{refused:?}");
    assert!(refused.text().contains("old-two"), "{}", refused.text());
    Ok(())
}

#[tokio::test]
async fn bodies_stream_through() -> Result<()> {
    let host = serving(&[
        marking("three", "echo-three").http("/three"),
        refusing("two", "echo-two").http("/two"),
        Service::new("echo-two", guests::ECHO_P2),
        Service::new("echo-three", guests::ECHO_P3),
    ])
    .await?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for path in ["/two", "/three"] {
            ping_pong(&mut Client::new(host.http, protocol), path).await?;
        }
    }
    Ok(())
}

/// Nothing on the way keeps the whole of it.
#[tokio::test]
async fn a_body_larger_than_the_memory_of_each_goes_through() -> Result<()> {
    let small = |service: Service| {
        service
            .set("limits.memory", json!(4 << 20))
            .set("limits.body", json!(32 << 20))
    };
    let host = serving(&[
        small(marking("outer", "inner").http("/large")),
        small(marking("inner", "echo")),
        small(Service::new("echo", guests::ECHO_P3)),
    ])
    .await?;
    let bytes: Bytes = (0..16 << 20)
        .map(|n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let request = Request::post("/large").body(full(bytes.clone()))?;
        let answer = Client::new(host.http, protocol).send(request).await?;
        let answer = answer.expect(200)?;
        assert!(answer.body == bytes, "{} bytes", answer.body.len());
    }
    Ok(())
}

/// The version of the handler behind changes with each swap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_swapped_behind_middleware_without_loss() -> Result<()> {
    // What is refused for load is none of a swap's.
    let patient = |service: Service| service.set("pool.queue_target", json!("10s"));
    let behind = [guests::HELLO_P2, guests::HELLO_P3];
    let behind = behind.map(|file| patient(Service::new("behind", file)));
    let host = serving(&[
        behind[0].clone(),
        patient(marking("three", "behind").http("/three")),
        patient(refusing("two", "behind").http("/two")),
    ])
    .await?;
    let loads = ["/two", "/three"].map(|path| Load::start(&Plan::get(host.http, 8, path)));
    for turn in 1..=10 {
        for load in &loads {
            load.more(50).await?;
        }
        host.admin()?.deploy_one(&behind[turn % 2]).await?;
    }
    for load in loads {
        load.more(50).await?;
        let report = load.stop().await?.expect_all(200)?;
        assert_eq!(report.by_body.len(), 1, "{report:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_deadline_and_a_breaker_stand_between() -> Result<()> {
    let faulty = Service::new("faulty", guests::MISBEHAVE_P3)
        .set("limits.deadline", json!("300ms"))
        .set("breaker.open_min", json!("60s"));
    let before = |service: Service| service.set("breaker.enabled", json!(false));
    let host = serving(&[
        before(marking("three", "faulty").http("/three/*")),
        before(refusing("two", "faulty").http("/two/*")),
        faulty,
    ])
    .await?;
    for before in ["three", "two"] {
        let late = host.get(&format!("/{before}/spin")).await?;
        assert_eq!(late.problem(504)?["code"], "deadline");
        let trap = format!("/{before}/trap-before");
        let trapped = host.get(&trap).await?.problem(502)?;
        assert_eq!(trapped["code"], "trap");
        // Each has a breaker of its own before it.
        let open = |answer: &Answer| answer.text().contains("breaker_open");
        answered(async || host.get(&trap).await, open).await?;
        let well = host.get(&format!("/{before}/well")).await?;
        assert_eq!(well.problem(503)?["code"], "breaker_open");
    }
    Ok(())
}

#[tokio::test]
async fn a_handler_that_nobody_is_named_for_says_what_to_write() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    for (file, key) in [
        (guests::MIDDLEWARE_P3, HANDLER),
        (guests::MIDDLEWARE_P2, INCOMING),
    ] {
        let faults = admin.refused(&Service::new("mw", file)).await?;
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].code, "unlinked_handler");
        let line = format!("[service.mw.links] \"{key}\" = \"NAME\"");
        assert!(faults[0].message.contains(&line), "{faults:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_could_not_answer_is_refused() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let echo = Service::new("echo", guests::ECHO_P3);
    let mute = Service::new("mute", guests::HELLO_FUNCTION);
    admin.deploy_all(&[echo.clone(), mute]).await?;
    for (target, told) in [
        (
            "ecko",
            "no service or upstream of that name (did you mean \"echo\"?)",
        ),
        ("mute", "[service.mute.routes]"),
        ("mw", "mw → mw: each passes requests on to the next"),
    ] {
        let faults = admin.refused(&marking("mw", target)).await?;
        assert_eq!(faults.len(), 1, "{target}: {faults:?}");
        assert!(faults[0].message.contains(told), "{target}: {faults:?}");
    }
    admin
        .deploy_all(&[marking("mw", "second"), refusing("second", "echo")])
        .await?;
    let faults = admin.refused(&refusing("second", "mw")).await?;
    assert_eq!(faults[0].code, "circular_import");
    assert!(faults[0].message.contains("mw → second → mw"), "{faults:?}");
    // What others stand before stays, and goes on to answer.
    let gone = admin.send(Method::DELETE, "/v1/services/echo", empty());
    let refused = gone.await?;
    assert!(refused.status.is_client_error(), "{refused:?}");
    assert!(
        refused.text().contains("second passes requests on to echo"),
        "{}",
        refused.text()
    );
    let faults = admin
        .refused(&Service::new("echo", guests::HELLO_FUNCTION))
        .await?;
    assert_eq!(faults[0].code, "breaks_dependent", "{faults:?}");
    Ok(())
}
