//! Bodies that nobody reads: their connection goes on behind them, or its end is told.

use anyhow::Result;
use serde_json::json;
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::{guests, hello, serving};

/// Requests that are refused before their body is read, with their status.
const REFUSED: [(&str, u16); 6] = [
    ("POST /nowhere HTTP/1.1\r\nhost: a\r\n", 404),
    ("POST /ping HTTP/1.1\r\nhost: a\r\n", 405),
    ("POST /mine HTTP/1.1\r\nhost: a\r\n", 401),
    ("POST /text HTTP/1.1\r\nhost: a\r\n", 415),
    ("POST /a/%zz HTTP/1.1\r\nhost: a\r\n", 400),
    (
        "POST /string HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n",
        413,
    ),
];

const AGAIN: &str = "GET /ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

async fn host() -> Result<HostProcess> {
    let echo = Service::new("echo", guests::ECHO_TYPES)
        .set("limits.body", json!(1000))
        .call("POST /string", "test:echo/values.echo-string")
        .route(
            "POST /mine",
            json!({ "target": { "call": "test:echo/values.echo-string" } }),
        );
    let roomy = Service::new("roomy", guests::ECHO_TYPES)
        .call("POST /text", "test:echo/values.echo-string");
    serving(&[hello(), echo, roomy]).await
}

/// Sends the head, waits for the whole answer to it, and gives both.
async fn refused(host: &HostProcess, head: &str) -> Result<(TcpStream, String)> {
    let mut stream = raw::begin(host.http, head.as_bytes()).await?;
    let answer = raw::until(&mut stream, "}").await?;
    Ok((stream, answer))
}

#[tokio::test]
async fn a_connection_lives_on_after_a_short_body_that_nobody_reads() -> Result<()> {
    let host = host().await?;
    for (head, status) in REFUSED {
        let (mut stream, answer) =
            refused(&host, &format!("{head}content-length: 5000\r\n\r\n")).await?;
        assert_eq!(raw::statuses(&answer), [status], "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
        stream.write_all(&[b'a'; 5000]).await?;
        stream.write_all(AGAIN.as_bytes()).await?;
        let next = raw::rest(&mut stream).await?;
        assert_eq!(raw::statuses(&next), [200], "after {status}: {next:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_says_that_its_connection_ends_before_a_long_body() -> Result<()> {
    let host = host().await?;
    for (head, status) in REFUSED {
        let lengths = [
            "content-length: 100000\r\n\r\n",
            "expect: 100-continue\r\ncontent-length: 5000\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n7d0\r\n",
        ];
        for length in lengths {
            let mut request = format!("{head}{length}");
            // Of a chunked one the length is known when it is there.
            if status == 413 && length.contains("chunked") {
                request.push_str(&"a".repeat(2000));
            }
            let (mut stream, answer) = refused(&host, &request).await?;
            assert_eq!(raw::statuses(&answer), [status], "{length}: {answer}");
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            assert_eq!(raw::rest(&mut stream).await?, "", "{length}");
        }
    }
    Ok(())
}

/// Also where another answer takes the place of the service's.
#[tokio::test]
async fn a_304_says_that_its_connection_ends_before_a_long_body() -> Result<()> {
    let host = serving(&[hello()]).await?;
    for (condition, status) in [("if-none-match: *", 304), ("if-match: \"zz\"", 412)] {
        let request = format!(
            "GET /hello/Ada HTTP/1.1\r\nhost: a\r\n{condition}\r\ncontent-length: 100000\r\n\r\n"
        );
        let mut stream = raw::begin(host.http, request.as_bytes()).await?;
        let head = raw::until(&mut stream, "\r\n\r\n").await?;
        assert_eq!(raw::statuses(&head), [status], "{head}");
        assert!(head.contains("connection: close\r\n"), "{head}");
        raw::rest(&mut stream).await?;
    }
    Ok(())
}

/// A client that reads no answer before it has sent all gets its answer, too.
#[tokio::test]
async fn an_answer_is_not_lost_on_a_client_that_sends_all_first() -> Result<()> {
    const LONG: usize = 20 << 20;
    let host = host().await?;
    let head = format!("POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: {LONG}\r\n\r\n");
    let mut stream = raw::begin(host.http, head.as_bytes()).await?;
    stream.write_all(&vec![b'a'; LONG]).await?;
    let answer = raw::rest(&mut stream).await?;
    assert_eq!(raw::statuses(&answer), [404], "{answer}");
    assert!(answer.ends_with('}'), "{answer}");
    Ok(())
}
