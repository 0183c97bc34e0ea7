//! Malformed, oversized and slow requests: refused before a guest sees them.

use anyhow::Result;
use http::Request;
use serde_json::json;
use stoa_tests::client::{Client, full};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;

use crate::{guests, hello, host_with, serving};

/// Two readers of one connection that disagree on where a request ends: the
/// ways that are known. None may let what follows in as a request.
const SMUGGLED: [(&str, &str); 6] = [
    (
        "two content-lengths",
        "content-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
    ),
    (
        "a length that is no number",
        "content-length: +4\r\n\r\nabcd",
    ),
    (
        "a folded header",
        "x-long: one\r\n two\r\ncontent-length: 0\r\n\r\n",
    ),
    ("a space before the colon", "content-length : 0\r\n\r\n"),
    (
        "a bad chunk size",
        "transfer-encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "an encoding after chunked",
        "transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    ),
];

/// Sends a request with this rest, and a second one in its wake.
async fn wake(host: &HostProcess, path: &str, rest: &str) -> Result<String> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n");
    let second = "GET /ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let received = raw::exchange(host.http, format!("{head}{rest}{second}").as_bytes()).await?;
    assert!(
        !received.contains("pong"),
        "{rest:?} lets a request in: {received:?}"
    );
    Ok(received)
}

#[tokio::test]
async fn ambiguous_requests_are_refused() -> Result<()> {
    let echo = Service::new("echo", guests::ECHO_TYPES)
        .call("POST /string", "test:echo/values.echo-string");
    let raw_echo = Service::new("raw", guests::ECHO_P2).http("/raw");
    let host = serving(&[hello(), echo, raw_echo]).await?;
    for (what, rest) in SMUGGLED {
        let received = wake(&host, "/string", rest).await?;
        assert_eq!(raw::statuses(&received), [400], "{what}: {received:?}");
        let received = wake(&host, "/raw", rest).await?;
        assert!(
            !raw::statuses(&received).contains(&200),
            "{what}: {received:?}"
        );
    }
    // RFC 9112, 6.3: refused, or read by its chunks on a connection that ends there.
    let both = "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let received = wake(&host, "/raw", both).await?;
    assert!(
        [vec![200], vec![400]].contains(&raw::statuses(&received)),
        "{received:?}"
    );
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_request_names_its_host_once() -> Result<()> {
    let host = serving(&[hello()]).await?;
    for hosts in ["", "host: a\r\nhost: b\r\n", "host: a b\r\n"] {
        let request = format!("GET /ping HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        let received = raw::exchange(host.http, request.as_bytes()).await?;
        assert_eq!(raw::statuses(&received), [400], "{hosts:?}: {received:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let long = format!(
        "GET /ping HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n",
        "x".repeat(256 << 10)
    );
    assert_eq!(
        raw::statuses(&raw::exchange(host.http, long.as_bytes()).await?),
        [431]
    );
    let many: String = (0..1000).map(|n| format!("x-{n}: y\r\n")).collect();
    let many = format!("GET /ping HTTP/1.1\r\nhost: a\r\n{many}\r\n");
    assert_eq!(
        raw::statuses(&raw::exchange(host.http, many.as_bytes()).await?),
        [431]
    );
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_slow_head_costs_only_its_connection() -> Result<()> {
    let host = host_with("[gateway]\nheader_timeout = \"300ms\"\n").await?;
    host.admin()?.deploy_one(&hello()).await?;
    let mut slow = raw::begin(host.http, b"GET /ping HTTP/1.1\r\nhost: a\r\nx-slow: ").await?;
    host.get("/ping").await?.expect(200)?;
    let received = raw::rest(&mut slow).await?;
    assert!(!received.contains("pong"), "{received:?}");
    Ok(())
}

#[tokio::test]
async fn an_idle_connection_is_closed() -> Result<()> {
    let host = host_with("[gateway]\nidle_timeout = \"300ms\"\n").await?;
    host.admin()?.deploy_one(&hello()).await?;
    let mut idle = raw::begin(host.http, b"GET /ping HTTP/1.1\r\nhost: a\r\n\r\n").await?;
    let received = raw::rest(&mut idle).await?;
    assert_eq!(raw::statuses(&received), [200], "{received:?}");
    Ok(())
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() -> Result<()> {
    let echo = Service::new("values", guests::ECHO_TYPES)
        .call("POST /string", "test:echo/values.echo-string")
        .set("limits.body", json!(1000));
    let raw_echo = Service::new("raw", guests::ECHO_P2)
        .http("/raw")
        .set("limits.body", json!(1000));
    let host = serving(&[echo, raw_echo]).await?;
    let (small, large) = (json!("s".repeat(900)), json!("l".repeat(1100)));
    host.post("/string", &small).await?.expect(200)?;
    host.post("/string", &large).await?.problem(413)?;

    // Announced by its length it is refused at once.
    let request = Request::post("/raw")
        .header("content-length", "1100")
        .body(full("l".repeat(1100)))?;
    Client::http1(host.http).send(request).await?.problem(413)?;
    host.post("/string", &small).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn bytes_that_are_no_http_cost_only_their_connection() -> Result<()> {
    let host = serving(&[hello()]).await?;
    for junk in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n\r\nhello",
    ] {
        let received = raw::exchange(host.http, &[junk, b"\r\n\r\n"].concat()).await?;
        assert!(!received.contains(" 200 "), "{junk:?}: {received:?}");
    }
    for _ in 0..200 {
        drop(raw::begin(host.http, b"POST /ping HTTP/1.1\r\ncontent-le").await?);
    }
    host.get("/ping").await?.expect(200)?;
    Ok(())
}
