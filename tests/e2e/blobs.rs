//! Blobs: request bodies that become objects, and objects that become answers.

mod keeping;
mod streaming;

use anyhow::{Context as _, Result};
use http::Request;
use serde_json::json;
use stoa_tests::client::{Answer, Body, Client, empty, full};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, rejections, serving};

/// A service with blobs, below `/NAME`.
fn blobs(name: &str) -> Service {
    Service::new(name, guests::BLOBS_P2)
        .http(&format!("/{name}/*"))
        .set("limits.body", json!(1_u64 << 30))
}

/// Sends a request with these headers.
fn ask(
    host: &HostProcess,
    asked: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> impl Future<Output = Result<Answer>> + use<> {
    let (method, path) = asked.split_once(' ').unwrap_or_default();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (request, mut client) = (request.body(body), Client::http1(host.http));
    async move { client.send(request?).await }
}

/// Sends a request without anything but itself.
async fn plain(host: &HostProcess, asked: &str) -> Result<Answer> {
    ask(host, asked, &[], empty()).await
}

/// A host with these services, each with its container `c`.
async fn with_containers(services: &[Service]) -> Result<HostProcess> {
    let host = serving(services).await?;
    for service in services {
        let made = plain(&host, &format!("PUT /{}/c", service.name)).await?;
        made.expect(204)?;
    }
    Ok(host)
}

/// Bytes that are not the same everywhere.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

/// What a refusal of blobs says.
fn refused(answer: Answer) -> Result<String> {
    Ok(answer.expect(409)?.text())
}

#[tokio::test]
async fn a_body_is_kept_and_given_as_a_whole_and_in_parts() -> Result<()> {
    let host = with_containers(&[blobs("a")]).await?;
    let content = bytes(1_000_000);
    let put = ask(&host, "PUT /a/c/dir/x.bin", &[], full(content.clone()));
    put.await?.expect(204)?;
    let whole = plain(&host, "GET /a/c/dir/x.bin").await?.expect(200)?;
    assert!(whole.body == content);
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=0-999999", 0..1_000_000),
        ("bytes=1000-300999", 1000..301_000),
        ("bytes=999999-", 999_999..1_000_000),
        ("bytes=999990-2000000", 999_990..1_000_000),
        ("bytes=1000000-", 1_000_000..1_000_000),
    ] {
        let answer = ask(&host, "GET /a/c/dir/x.bin", &[("range", range)], empty());
        let answer = answer.await?.expect(206)?;
        assert!(answer.body == content[part], "{range}");
    }
    for (range, told) in [
        (
            "bytes=1000001-",
            "within the 1000000 bytes of \"dir/x.bin\", found 1000001",
        ),
        ("bytes=7-6", "found 7 to 6"),
    ] {
        let answer = ask(&host, "GET /a/c/dir/x.bin", &[("range", range)], empty());
        let said = refused(answer.await?)?;
        assert!(said.contains(told), "{said}");
    }
    ask(&host, "PUT /a/c/dir/x.bin", &[], empty())
        .await?
        .expect(204)?;
    let now = plain(&host, "GET /a/c/dir/x.bin").await?.expect(200)?;
    assert!(now.body.is_empty(), "it was replaced by nothing");
    Ok(())
}

#[tokio::test]
async fn containers_and_objects_come_and_go() -> Result<()> {
    let host = with_containers(&[blobs("a")]).await?;
    let said = refused(plain(&host, "GET /a/none").await?)?;
    assert_eq!(said, "there is no container none: create it first");
    let said = refused(plain(&host, "GET /a/c/none").await?)?;
    assert_eq!(said, "there is no object \"none\" in the container c");
    for n in 10..30 {
        let put = ask(&host, &format!("PUT /a/c/{n}"), &[], full(bytes(n)));
        put.await?.expect(204)?;
    }
    let listed = plain(&host, "GET /a/c").await?.expect(200)?.text();
    let expected: String = (10..30).map(|n| format!("{n} {n}\n")).collect();
    assert_eq!(listed, expected);
    plain(&host, "DELETE /a/c/10").await?.expect(204)?;
    plain(&host, "DELETE /a/c/10").await?.expect(204)?;
    plain(&host, "PUT /a/other").await?.expect(204)?;
    let copy = ask(
        &host,
        "POST /a/c/11",
        &[("x-how", "copy other/11")],
        empty(),
    );
    copy.await?.expect(204)?;
    let moved = ask(&host, "POST /a/c/12", &[("x-how", "move other/x")], empty());
    moved.await?.expect(204)?;
    let listed = plain(&host, "GET /a/other").await?.expect(200)?.text();
    assert_eq!(listed, "11 11\nx 12\n");
    refused(plain(&host, "GET /a/c/12").await?)?;
    plain(&host, "POST /a/c").await?.expect(204)?;
    assert_eq!(plain(&host, "GET /a/c").await?.expect(200)?.text(), "");
    plain(&host, "DELETE /a/other").await?.expect(204)?;
    refused(plain(&host, "GET /a/other").await?)?;
    Ok(())
}

#[tokio::test]
async fn containers_belong_to_their_service() -> Result<()> {
    let host = with_containers(&[blobs("a"), blobs("b")]).await?;
    ask(&host, "PUT /a/c/x", &[], full("of a"))
        .await?
        .expect(204)?;
    refused(plain(&host, "GET /b/c/x").await?)?;
    let owner = [("x-owner", "a")];
    let said = refused(ask(&host, "GET /b/c/x", &owner, empty()).await?)?;
    assert_eq!(said, "b was not granted the container a/c");
    assert_eq!(rejections(&host, "grant", 1).await?, 1);

    let granted = blobs("b").set("grants.blobs", json!(["a/c"]));
    host.admin()?.deploy_one(&granted).await?;
    let read = ask(&host, "GET /b/c/x", &owner, empty())
        .await?
        .expect(200)?;
    assert_eq!(read.text(), "of a");
    let copied = [("x-owner", "a"), ("x-how", "copy c/mine")];
    ask(&host, "POST /b/c/x", &copied, empty())
        .await?
        .expect(204)?;
    assert_eq!(plain(&host, "GET /b/c/mine").await?.text(), "of a");
    let moved = [("x-owner", "a"), ("x-how", "move c/mine")];
    for (asked, headers) in [
        ("PUT /b/c/x", &owner[..]),
        ("DELETE /b/c/x", &owner),
        ("DELETE /b/c", &owner),
        ("PUT /b/c", &owner),
        ("POST /b/c", &owner),
        ("POST /b/c/x", &moved),
    ] {
        let said = refused(ask(&host, asked, headers, empty()).await?)?;
        assert!(said.contains("only a may change it"), "{asked}: {said}");
    }
    refused(ask(&host, "GET /b/other", &owner, empty()).await?)?;
    assert_eq!(
        plain(&host, "GET /a/c/x").await?.expect(200)?.text(),
        "of a"
    );
    Ok(())
}
