//! Calls that go on without their client.

use anyhow::{Result, ensure};
use http::Method;
use serde_json::Value;
use stoa_tests::client::{Client, json_request};

use super::{is_replay, post, services};
use crate::serving;

/// A client that gives up is the one that asks again.
#[tokio::test]
async fn a_call_goes_on_without_its_client() -> Result<()> {
    let host = serving(&services("required")).await?;
    let path = "/counted?wait=300";
    let abandoned = tokio::spawn({
        let mut request = json_request(Method::POST, path, &Value::Null)?;
        request
            .headers_mut()
            .insert("idempotency-key", "one".parse()?);
        let mut client = Client::http1(host.http);
        async move { client.send(request).await }
    });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    abandoned.abort();
    loop {
        let answer = post(&host, path, "one", &Value::Null).await?;
        if answer.status == 409 {
            continue;
        }
        ensure!(is_replay(&answer), "{}", answer.status);
        assert_eq!(answer.text(), "1 ");
        return Ok(());
    }
}

/// The client has left, and then the host is to end.
#[tokio::test]
async fn a_host_ends_after_the_calls_that_go_on_without_a_client() -> Result<()> {
    let mut host = serving(&services("required")).await?;
    let path = "/counted?wait=1000";
    let mut request = json_request(Method::POST, path, &Value::Null)?;
    request
        .headers_mut()
        .insert("idempotency-key", "one".parse()?);
    let mut client = Client::http1(host.http);
    let abandoned = tokio::spawn(async move { client.send(request).await });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    abandoned.abort();
    host.terminate().await?;
    assert_eq!(host.wait().await?.code(), Some(0));
    host = host.restart().await?;
    let answer = post(&host, path, "one", &Value::Null).await?;
    ensure!(is_replay(&answer), "{}", answer.status);
    Ok(())
}
