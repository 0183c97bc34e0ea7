//! Clients that leave in the middle of an answer or don't read it: their doing, and
//! never held against the `wasi:http` 0.2 handler that writes it, whose writes fail.

use anyhow::{Context as _, Result};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::json;
use stoa_tests::client::{Client, Protocol, empty};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;

use crate::{answered, guests, serving};

/// More than it takes to open a breaker.
const MANY: usize = 10;

/// A handler with one instance: the next request waits until what the last one left
/// is over.
async fn stage(deadline: &str) -> Result<HostProcess> {
    let two = Service::new("two", guests::MISBEHAVE_P2)
        .http("/two/*")
        .set("limits.deadline", json!(deadline))
        .set("pool.max", json!(1))
        .set("breaker.open_min", json!("60s"));
    serving(&[two]).await
}

/// No breaker stands in the way, once an instance is free.
async fn is_well(host: &HostProcess) -> Result<()> {
    let asked = answered(
        async || host.get("/two/well").await,
        |answer| {
            let text = answer.text();
            assert!(!text.contains("breaker_open"), "{text}");
            answer.status == 200
        },
    );
    asked.await?;
    Ok(())
}

#[tokio::test]
async fn clients_that_leave_in_mid_download_open_no_breaker() -> Result<()> {
    let host = stage("30s").await?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for _ in 0..MANY {
            let mut client = Client::new(host.http, protocol);
            let request = Request::get("/two/endless").body(empty())?;
            let mut response = client.stream(request).await?;
            response.body_mut().frame().await.context("it goes on")??;
            drop((response, client));
            is_well(&host).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn clients_that_do_not_read_open_no_breaker() -> Result<()> {
    let host = stage("300ms").await?;
    for _ in 0..MANY {
        let ask = b"GET /two/endless HTTP/1.1\r\nhost: a\r\n\r\n";
        let mut stuck = raw::begin(host.http, ask).await?;
        raw::until(&mut stuck, "\r\n\r\n").await?;
        is_well(&host).await?;
    }
    Ok(())
}

/// What it does after it was heard out, and while somebody listens, is its own.
#[tokio::test]
async fn handlers_that_fail_while_they_are_heard_still_open_theirs() -> Result<()> {
    for path in [
        "/two/trap-in-body",
        "/two/spin-in-body",
        "/two/trap-after-body",
    ] {
        let host = stage("300ms").await?;
        for _ in 0..MANY {
            // Some of them break the connection.
            let _ = host.get(path).await;
        }
        let open = answered(
            async || host.get("/two/well").await,
            |answer| answer.status == 503 && answer.text().contains("breaker_open"),
        );
        open.await.context(path)?;
    }
    Ok(())
}
