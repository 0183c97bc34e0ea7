//! A write takes the answers that are stored for its URI.

use anyhow::{Result, ensure};
use http::{Method, Request};
use serde_json::json;
use stoa_tests::client::{Answer, Client, PATIENCE, Protocol, empty, json_request};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::time::timeout;

use crate::{guests, serving};

/// `/count/{key}` counts its reads from what was written; `/counted` counts its calls,
/// and another service takes `PUT` of it.
fn services() -> [Service; 3] {
    let call = |name: &str| json!({ "call": format!("test:state/counter.{name}") });
    let cached = |target| json!({ "target": target, "access": "public", "cache": "1h" });
    let once =
        json!({ "target": call("set"), "access": "public", "idempotency": { "key": "required" } });
    let state = Service::new("state", guests::STATE)
        .route("GET /count/{key}", cached(call("increment")))
        .call("PUT /count/{key}", "test:state/counter.set")
        .call("DELETE /count/{key}", "test:state/counter.delete")
        .route("POST /count/{key}", once);
    let counted = Service::new("counted", guests::COUNTED_P2)
        .set("pool.max", json!(1))
        .route("GET /counted", cached(json!("http")))
        .http("POST /counted");
    let other = Service::new("other", guests::ECHO_P3).http("PUT /counted");
    [state, counted, other]
}

async fn get(host: &HostProcess, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    send(host, Method::GET, path, headers).await?.expect(200)
}

async fn send(
    host: &HostProcess,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Answer> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Client::http1(host.http).send(request.body(empty())?).await
}

/// Writes the number that the next read adds one to.
async fn write(host: &HostProcess, method: Method, path: &str, number: &str) -> Result<Answer> {
    let mut request = json_request(method, path, &json!(number))?;
    let key = format!("to-{number}").parse()?;
    request.headers_mut().insert("idempotency-key", key);
    Client::http1(host.http).send(request).await
}

#[tokio::test]
async fn who_reads_after_a_write_gets_what_was_written() -> Result<()> {
    let host = serving(&services()).await?;
    let path = "/count/a";
    let reads = async |expected: &str| -> Result<()> {
        for _ in 0..2 {
            assert_eq!(get(&host, path, &[]).await?.text(), expected);
        }
        Ok(())
    };
    reads("1").await?;
    write(&host, Method::PUT, path, "7").await?.expect(204)?;
    reads("8").await?;
    write(&host, Method::POST, path, "20").await?.expect(204)?;
    reads("21").await?;
    send(&host, Method::DELETE, "/count/%61", &[])
        .await?
        .expect(204)?;
    reads("1").await?;
    // What was refused, or is of another URI, has changed nothing.
    send(&host, Method::PUT, path, &[]).await?.expect(400)?;
    write(&host, Method::PUT, "/count/b", "7")
        .await?
        .expect(204)?;
    reads("1").await
}

#[tokio::test]
async fn a_write_takes_the_answers_for_all_headers_and_what_it_refers_to() -> Result<()> {
    let host = serving(&services()).await?;
    let path = "/counted?vary=accept-language";
    let languages = [[("accept-language", "de")], [("accept-language", "fr")]];
    let all = async || -> Result<Vec<String>> {
        let mut all = vec![get(&host, "/count/a", &[]).await?.text()];
        for language in &languages {
            all.push(get(&host, path, language).await?.text());
        }
        Ok(all)
    };
    let before = all().await?;
    assert_eq!(all().await?, before);
    send(&host, Method::POST, path, &[]).await?.expect(200)?;
    let after = all().await?;
    assert_eq!(after[0], before[0]);
    ensure!(after[1] != before[1] && after[2] != before[2], "{after:?}");
    let created = "/counted?status=201&location=/count/a";
    send(&host, Method::POST, created, &[]).await?.expect(201)?;
    let later = all().await?;
    assert_eq!(later[0], "2");
    assert_eq!(later[1..], after[1..]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_during_a_write_is_not_for_who_comes_after_it() -> Result<()> {
    let host = serving(&services()).await?;
    let path = "/counted?wait=1000";
    let first = tokio::spawn({
        let mut client = Client::http1(host.http);
        async move { client.get(path).await }
    });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    send(&host, Method::PUT, path, &[]).await?.expect(200)?;
    let after = get(&host, path, &[]).await?;
    assert_eq!(after.text(), "2 ");
    assert_eq!(first.await??.expect(200)?.text(), "1 ");
    assert_eq!(get(&host, path, &[]).await?.text(), "2 ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_client_has_left_counts() -> Result<()> {
    let host = serving(&services()).await?;
    let path = "/counted?wait=500";
    assert_eq!(get(&host, path, &[]).await?.text(), "1 ");
    // Over HTTP/2 the host learns of it at once, and ends the call.
    let write = tokio::spawn({
        let mut client = Client::new(host.http, Protocol::Http2);
        let request = Request::post(path).body(empty())?;
        async move { client.send(request).await }
    });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    write.abort();
    // In an instance of its own: its calls are counted anew.
    let again = async {
        while !get(&host, path, &[])
            .await?
            .header("cache-status")?
            .contains("fwd")
        {}
        Ok(())
    };
    timeout(PATIENCE, again).await?
}
