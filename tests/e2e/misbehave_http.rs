//! Guests that fail in `wasi:http` handlers: before, within and after their answer.

use anyhow::{Context as _, Result, bail};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::json;
use stoa_tests::client::{Client, PATIENCE, Protocol, empty, full};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::time::timeout;

use crate::{guests, serving};

/// One instance: a fault that kept it would leave nothing for the next request.
fn two() -> Service {
    Service::new("two", guests::MISBEHAVE_P2)
        .http("/two/*")
        .set("breaker.enabled", json!(false))
        .set("limits.deadline", json!("1s"))
        .set("pool.max", json!(1))
}

fn three() -> Service {
    Service::new("three", guests::MISBEHAVE_P3)
        .http("/three/*")
        .set("breaker.enabled", json!(false))
        .set("limits.deadline", json!("1s"))
        .set("pool.max", json!(1))
}

/// A response that has begun and does not end well: never a whole 200.
async fn breaks_off(host: &HostProcess, path: &str) -> Result<()> {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::new(host.http, protocol);
        let response = client.stream(Request::get(path).body(empty())?).await;
        // The host may notice before it has sent the head.
        if let Ok(response) = response
            && response.status() == 200
        {
            let body = timeout(PATIENCE, response.into_body().collect())
                .await
                .with_context(|| format!("{path} hangs"))?;
            if let Ok(body) = body {
                let length = body.to_bytes().len();
                bail!("{path} by {protocol:?} came as a whole response of {length} bytes");
            }
        }
    }
    Ok(())
}

async fn is_well(host: &HostProcess, path: &str) -> Result<()> {
    let answer = host.get(path).await?.expect(200)?;
    assert_eq!(answer.text(), "well");
    Ok(())
}

#[tokio::test]
async fn a_handler_that_fails_before_its_answer_is_a_bad_gateway() -> Result<()> {
    let host = serving(&[two(), three()]).await?;
    for path in [
        "/two/trap-before",
        "/two/no-response",
        "/two/interim",
        "/three/trap-before",
        "/three/error",
    ] {
        host.get(path)
            .await?
            .problem(502)
            .with_context(|| path.to_owned())?;
        is_well(&host, "/two/well").await?;
        is_well(&host, "/three/well").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_handler_that_fails_within_its_answer_breaks_it_off() -> Result<()> {
    let host = serving(&[two(), three()]).await?;
    for path in [
        "/two/trap-after-headers",
        "/two/trap-in-body",
        "/two/short-body",
        "/two/spin-in-body",
        "/three/trap-in-body",
    ] {
        breaks_off(&host, path).await?;
        is_well(&host, "/two/well").await?;
        is_well(&host, "/three/well").await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_before_the_bodys_end_arrives() -> Result<()> {
    let host = serving(&[two().set("limits.body", json!(64 << 20))]).await?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        // Small enough for the sockets' buffers: the client is no part of the question.
        let request = Request::post("/two/early-answer").body(full(vec![b'x'; 64 << 10]))?;
        let answer = Client::new(host.http, protocol)
            .send(request)
            .await?
            .expect(413)?;
        assert_eq!(answer.text(), "not interested in the body");
    }
    is_well(&host, "/two/well").await
}

#[tokio::test]
async fn an_endless_answer_ends_with_its_reader_or_its_deadline() -> Result<()> {
    let host = serving(&[two()]).await?;
    breaks_off(&host, "/two/endless").await?;
    is_well(&host, "/two/well").await?;

    let patient = Service::new("patient", guests::MISBEHAVE_P2).http("/patient/*");
    host.admin()?
        .deploy_one(
            &patient
                .set("limits.deadline", json!("50s"))
                .set("pool.max", json!(1)),
        )
        .await?;
    let mut client = Client::http1(host.http);
    let mut response = client
        .stream(Request::get("/patient/endless").body(empty())?)
        .await?;
    let mut read = 0;
    while read < 4 << 20 {
        let frame = response
            .body_mut()
            .frame()
            .await
            .context("it has no end")??;
        read += frame.into_data().unwrap_or_default().len();
    }
    drop((response, client));
    // The pool has one instance: this waits until the reader's is free.
    is_well(&host, "/patient/well").await
}

#[tokio::test]
async fn a_busy_handler_is_stopped() -> Result<()> {
    let host = serving(&[three()]).await?;
    host.get("/three/spin").await?.problem(504)?;
    is_well(&host, "/three/well").await
}
