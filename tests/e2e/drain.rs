//! The end of a host, and the drain of a service: what is under way ends well, nothing new
//! begins.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use http::Method;
use serde_json::json;
use stoa_tests::client::{Client, PATIENCE, empty};
use stoa_tests::load::{Load, Plan};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::discovery::Watch;
use crate::{guests, hello, host_with, serving};

fn slow() -> Service {
    Service::new("slow", guests::MISBEHAVE).call("GET /block/{ms}", "test:misbehave/faults.block")
}

/// Returns when so many calls of `slow` are under way.
async fn under_way(host: &HostProcess, calls: u64) -> Result<()> {
    let admin = host.admin()?;
    let seen = async {
        while admin.pool("slow").await?["busy"].as_u64() < Some(calls) {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, seen)
        .await
        .context("the calls don't begin")?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_under_way_end_well() -> Result<()> {
    let mut host = serving(&[slow(), hello()]).await?;
    let mut idle = Client::http1(host.http);
    idle.get("/ping").await?.expect(200)?;
    let mut idle_socket = raw::begin(host.http, b"GET /ping HTTP/1.1\r\nhost: a\r\n\r\n").await?;

    let calls = {
        let address = host.http;
        tokio::spawn(try_join_all((0..6).map(move |turn| async move {
            let mut client = if turn % 2 == 0 {
                Client::http1(address)
            } else {
                Client::http2(address)
            };
            client.get("/block/1500").await
        })))
    };
    under_way(&host, 6).await?;
    host.terminate().await?;
    for answer in calls.await?? {
        assert_eq!(answer.expect(200)?.json()?, json!("waited 1500 ms"));
    }
    let received = raw::rest(&mut idle_socket).await?;
    assert_eq!(
        raw::statuses(&received),
        [200],
        "an idle connection is closed: {received:?}"
    );
    assert_eq!(host.wait().await?.code(), Some(0));
    assert!(
        TcpStream::connect(host.http).await.is_err(),
        "nothing listens any more"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outlasts_the_drain_is_ended() -> Result<()> {
    let mut host = host_with("drain = \"500ms\"\n").await?;
    host.admin()?.deploy_one(&slow()).await?;
    let address = host.http;
    let call = tokio::spawn(async move { Client::http1(address).get("/block/20000").await });
    under_way(&host, 1).await?;
    let begun = Instant::now();
    host.terminate().await?;
    host.wait().await?;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    // No whole answer, or one that says why.
    if let Ok(answer) = call.await? {
        assert!(answer.status.is_server_error(), "{answer:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_at_once() -> Result<()> {
    let mut host = serving(&[slow()]).await?;
    let address = host.http;
    let call = tokio::spawn(async move { Client::http1(address).get("/block/20000").await });
    under_way(&host, 1).await?;
    let begun = Instant::now();
    host.terminate().await?;
    // The first signal has arrived when nothing new is taken.
    while TcpStream::connect(host.http).await.is_ok() {
        tokio::task::yield_now().await;
    }
    host.terminate().await?;
    host.wait().await?;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    drop(call);
    Ok(())
}

/// Whatever the host took it answers; a client that is told to go, or finds
/// the door closed, was never served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_load_loses_nothing_that_it_took() -> Result<()> {
    let mut host = serving(&[hello()]).await?;
    let load = Load::start(&Plan::get(host.http, 16, "/ping"));
    load.more(500).await?;
    host.terminate().await?;
    assert_eq!(host.wait().await?.code(), Some(0));
    let report = load.stop().await?;
    let other = report
        .by_status
        .iter()
        .filter(|(status, _)| **status != 200)
        .count();
    assert_eq!(other, 0, "{report:#?}");
    for told in &report.told {
        let refused = ["connecting to", "no response"]
            .iter()
            .any(|allowed| told.contains(allowed));
        assert!(refused, "an answer broke off: {told}");
    }
    Ok(())
}

/// The route of a drained service answers so, whatever is kept of its answers.
async fn is_drained(host: &HostProcess, path: &str) -> Result<()> {
    let answer = host.get(path).await?;
    let wait: u64 = answer.header("retry-after")?.parse()?;
    let problem = answer.problem(503)?;
    assert_eq!(problem["code"], "draining", "{problem}");
    assert!(wait > 0, "{problem}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_service_ends_what_it_has_and_takes_nothing_new() -> Result<()> {
    let cached = json!({ "target": { "call": "test:hello/greeter.ping" }, "access": "public", "cache": "1h" });
    let host = serving(&[slow(), hello().route("GET /kept", cached)]).await?;
    let admin = host.admin()?;
    host.get("/kept").await?.expect(200)?;
    let address = host.http;
    let call = tokio::spawn(async move { Client::http1(address).get("/block/4000").await });
    under_way(&host, 1).await?;
    let mut watch = Watch::begin(&admin, "watch").await?;
    let begun = host.cli(&["drain", "slow", "--timeout", "1ms"]).await?;
    begun.expect(1)?;
    assert!(begun.stderr.contains("1 call is under way"), "{begun:?}");
    is_drained(&host, "/block/0").await?;
    let listed = admin.get("/v1/services").await?.expect(200)?.json()?;
    let mut services = listed.as_array().into_iter().flatten();
    let listed = services.find(|one| one["service"] == "slow");
    let state = &listed.context("it is listed")?["drain"];
    assert_eq!(*state, json!({ "drained": true, "under_way": 1 }));
    let drained = host.cli(&["drain", "slow"]).await?;
    assert!(drained.expect(0)?.contains("--undo"), "{drained:?}");
    let answer = call.await??;
    assert_eq!(answer.expect(200)?.json()?, json!("waited 4000 ms"));
    let states = watch.states("1", "OUT_OF_SERVICE").await?;
    assert_eq!(states, ["DRAINING", "OUT_OF_SERVICE"]);
    let listed = host.cli(&["ls"]).await?;
    assert!(listed.expect(0)?.contains("drained"), "{listed:?}");

    host.cli(&["drain", "hello"]).await?.expect(0)?;
    is_drained(&host, "/kept").await?;

    // A new revision and a restart change nothing of it.
    let deployed = host.admin()?.deploy_one(&slow()).await?;
    assert_eq!(deployed, 2);
    is_drained(&host, "/block/0").await?;
    let host = host.crash_and_restart().await?;
    is_drained(&host, "/block/0").await?;
    host.cli(&["drain", "slow", "--undo"]).await?.expect(0)?;
    host.get("/block/0").await?.expect(200)?;
    let members = host.admin()?.get("/v1/discovery").await?.json()?;
    let members = members["members"].as_array().context("no members")?;
    let live = members
        .iter()
        .find(|one| one["service"] == "slow" && one["id"] == "2");
    assert_eq!(live.context("no member")?["state"], "UP");

    // A service that is gone takes its drain with it.
    host.cli(&["undeploy", "hello"]).await?.expect(0)?;
    host.admin()?.deploy_one(&hello()).await?;
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn who_calls_a_drained_service_is_told_to_come_again() -> Result<()> {
    let provider = Service::new("provider", guests::PROVIDER_V1);
    let consumer = Service::new("consumer", guests::CONSUMER)
        .call("GET /line/{question}", "test:versioned/report.line");
    let host = serving(&[consumer, provider]).await?;
    host.get("/line/Really").await?.expect(200)?;
    host.cli(&["drain", "provider"]).await?.expect(0)?;
    let answer = host.get("/line/Really").await?;
    assert!(answer.header("retry-after").is_ok(), "{answer:?}");
    assert_eq!(answer.problem(503)?["code"], "dependency");
    host.cli(&["drain", "provider", "--undo"])
        .await?
        .expect(0)?;
    host.get("/line/Really").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn an_upstream_is_drained_as_any_service() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = crate::host().await?;
    let admin = host.admin()?;
    let settings = json!({
        "targets": [origin.url()],
        "routes": [{ "path": "/legacy/*", "target": "http", "access": "public" }],
    });
    let declared = admin.json(Method::PUT, "/v1/upstreams/legacy", &settings);
    declared.await?.expect(200)?;
    host.get("/legacy/a").await?.expect(200)?;
    let path = "/v1/services/legacy/drain";
    let state = admin.send(Method::POST, path, empty()).await?;
    let state = state.expect(200)?.json()?;
    assert_eq!(state, json!({ "drained": true, "under_way": 0 }));
    is_drained(&host, "/legacy/a").await?;
    let out = || async { admin.get("/v1/discovery").await };
    let is_out = |answer: &stoa_tests::client::Answer| answer.text().contains("OUT_OF_SERVICE");
    crate::answered(out, is_out).await?;
    let state = admin.send(Method::DELETE, path, empty()).await?;
    assert_eq!(state.expect(200)?.json()?["drained"], false);
    host.get("/legacy/a").await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_drains_the_host_as_a_signal_does() -> Result<()> {
    let mut host = serving(&[slow()]).await?;
    let address = host.http;
    let call = tokio::spawn(async move { Client::http1(address).get("/block/1500").await });
    under_way(&host, 1).await?;
    let drained = host.cli(&["drain"]).await?;
    assert!(drained.expect(0)?.contains("30s"), "{drained:?}");
    assert_eq!(call.await??.expect(200)?.json()?, json!("waited 1500 ms"));
    assert_eq!(host.wait().await?.code(), Some(0));

    let mut host = host.restart().await?;
    let address = host.http;
    let call = tokio::spawn(async move { Client::http1(address).get("/block/20000").await });
    under_way(&host, 1).await?;
    let begun = Instant::now();
    host.cli(&["drain"]).await?.expect(0)?;
    // A signal on top of it is the second word.
    host.terminate().await?;
    host.wait().await?;
    // The call would have taken that long.
    assert!(begun.elapsed() < Duration::from_secs(20));
    drop(call);
    Ok(())
}
