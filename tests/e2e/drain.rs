//! The end of a host: what is under way ends well, nothing new begins.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use serde_json::json;
use stoa_tests::client::{Client, PATIENCE};
use stoa_tests::load::{Load, Plan};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use tokio::net::TcpStream;
use tokio::time::timeout;

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
