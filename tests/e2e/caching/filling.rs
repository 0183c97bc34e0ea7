//! A call whose answer others wait for.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use http::Method;
use serde_json::json;
use stoa_tests::client::{Client, PATIENCE};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::raw;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::{services, text};
use crate::{host_with, serving};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_make_one_call() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let path = "/counted?wait=200";
    let first = tokio::spawn({
        let mut client = Client::http1(host.http);
        async move { client.get(path).await }
    });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    // The leader's client leaves; the others get what it asked for, or ask anew where
    // nobody waited at that moment.
    first.abort();
    let answers = try_join_all((0..32).map(|_| host.get(path))).await?;
    for answer in answers {
        assert_eq!(answer.expect(200)?.text(), "1 ");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_fail_together() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let path = "/counted?wait=1000&status=503";
    let first = tokio::spawn({
        let mut client = Client::http1(host.http);
        async move { client.get(path).await }
    });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    let answers = try_join_all((0..16).map(|_| host.get(path))).await?;
    for answer in answers {
        assert_eq!(answer.header("retry-after")?, "1");
        assert_eq!(answer.problem(503)?["code"], json!("failed"));
    }
    assert_eq!(first.await??.expect(503)?.text(), "1 ");
    assert_eq!(text(&host, "/counted", &[]).await?, "2 ");
    Ok(())
}

/// Such as a stream of events, which a rule of the cache holds for by mistake.
#[tokio::test]
async fn an_answer_that_does_not_end_is_passed_on_in_time() -> Result<()> {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let origin = Origin::start("one", Behaviour::Events(head.to_owned())).await?;
    let host = host_with("").await?;
    let settings = json!({
        "targets": [origin.url()],
        "routes": [{ "path": "/events", "target": "http", "access": "public", "cache": "1h" }],
        "limits": { "deadline": "300ms" },
    });
    let declared = host.admin()?;
    let declared = declared.json(Method::PUT, "/v1/upstreams/legacy", &settings);
    declared.await?.expect(200)?;
    let asks = b"GET /events HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut socket = raw::begin(host.http, asks).await?;
    let mut received = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&received).contains("data:1") {
            ensure!(socket.read_buf(&mut received).await? > 0, "cut off");
        }
        Ok(())
    };
    timeout(PATIENCE, read).await?
}
