//! Requests that two readers could end at different places. Each is refused, and
//! what hides behind it is never answered.

use anyhow::{Context as _, Result};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::{guests, hello, rejections, serving};

/// Heads and bodies after `POST /raw HTTP/1.1`, and the section of RFC 9112 (or of
/// RFC 9110, marked so) that lets them be refused.
const AMBIGUOUS: [(&str, &str); 44] = [
    (
        "6.3 length and encoding",
        "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.3 encoding and length",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.3 encoding and no length",
        "transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.3 two lengths",
        "content-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
    ),
    (
        "6.3 one length twice",
        "content-length: 4\r\ncontent-length: 4\r\n\r\nabcd",
    ),
    ("6.3 a list of lengths", "content-length: 4, 4\r\n\r\nabcd"),
    (
        "6.3 a list of different lengths",
        "content-length: 4, 5\r\n\r\nabcde",
    ),
    ("6.2 a length with a plus", "content-length: +4\r\n\r\nabcd"),
    ("6.2 a length below zero", "content-length: -4\r\n\r\nabcd"),
    (
        "6.2 a length in hexadecimal",
        "content-length: 0x4\r\n\r\nabcd",
    ),
    (
        "6.2 a length with a point",
        "content-length: 4.0\r\n\r\nabcd",
    ),
    (
        "6.2 a length with a space within",
        "content-length: 4 4\r\n\r\nabcd",
    ),
    ("6.2 no length at all", "content-length:\r\n\r\nabcd"),
    (
        "6.2 a length beyond all numbers",
        "content-length: 18446744073709551620\r\n\r\nabcd",
    ),
    (
        "6.1 identity after chunked",
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 identity before chunked",
        "transfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 gzip before chunked",
        "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 another encoding",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 chunked in quotes",
        "transfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 chunked twice",
        "transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 two lines of encodings",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 no encoding at all",
        "transfer-encoding:\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 a vertical tab",
        "transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "6.1 a parameter",
        "transfer-encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
    ),
    (
        "5.1 a space before the colon",
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "5.1 a space before the colon of a length",
        "content-length : 4\r\n\r\nabcd",
    ),
    (
        "5.1 a tab before the colon",
        "content-length\t: 4\r\n\r\nabcd",
    ),
    (
        "5.1 a space before the name",
        " content-length: 4\r\n\r\nabcd",
    ),
    ("5.1 no colon", "content-length 4\r\n\r\nabcd"),
    ("5.1 no name", ": 4\r\n\r\nabcd"),
    (
        "5.2 a folded encoding",
        "transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "5.2 a folded field",
        "x-long: one\r\n two\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "2.2 a lone LF after a field",
        "x-a: b\ncontent-length: 4\r\n\r\nabcd",
    ),
    (
        "2.2 a lone LF at the head's end",
        "content-length: 4\r\n\nabcd",
    ),
    ("2.2 only lone LFs", "content-length: 4\n\nabcd"),
    (
        "2.2 a lone CR within a field",
        "x-a: b\rtransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n",
    ),
    ("2.2 CR CR LF", "x-a: b\r\r\ncontent-length: 0\r\n\r\n"),
    (
        "9110 5.5 a NUL in a value",
        "x-a: b\0\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "9110 5.1 a NUL in a name",
        "x-\0a: b\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "7.1 a chunk's size with a sign",
        "transfer-encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "7.1 a chunk's size with 0x",
        "transfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "7.1 a chunk's size beyond all numbers",
        "transfer-encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "7.1 a chunk longer than its size",
        "transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    ),
    (
        "7.1.1 a lone LF after a chunk's extension",
        "transfer-encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n",
    ),
];

const HIDDEN: &str = "GET /ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// A host with a function, and with a component that gets requests as they are.
async fn host() -> Result<HostProcess> {
    let echo = Service::new("echo", guests::ECHO_TYPES)
        .call("POST /string", "test:echo/values.echo-string");
    serving(&[
        hello(),
        echo,
        Service::new("raw", guests::ECHO_P2).http("/raw"),
        Service::new("stream", guests::ECHO_P3).http("/stream"),
    ])
    .await
}

/// What comes back for a request and another in its wake, sent at once or in two parts.
async fn wake(host: &HostProcess, request: &str, cut: usize) -> Result<Vec<u16>> {
    let whole = format!("{request}{HIDDEN}");
    let (first, second) = whole.as_bytes().split_at(cut);
    let mut stream = TcpStream::connect(host.http).await?;
    stream.set_nodelay(true)?;
    stream.write_all(first).await?;
    tokio::task::yield_now().await;
    // A host that has refused the first part may have closed the connection.
    let _ = stream.write_all(second).await;
    let received = raw::rest(&mut stream).await?;
    assert!(
        !received.contains("pong"),
        "{request:?} lets a request in: {received:?}"
    );
    Ok(raw::statuses(&received))
}

#[tokio::test]
async fn what_is_ambiguous_is_refused() -> Result<()> {
    let host = host().await?;
    for (what, rest) in AMBIGUOUS {
        for path in ["/string", "/raw"] {
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n");
            let request = format!("{head}{rest}");
            let found = wake(&host, &request, request.len()).await.context(what)?;
            // The faults of a body may show when its service answers already.
            let in_body = what.starts_with("7.1") && path == "/raw";
            assert!(
                found == [400] || in_body && found.len() <= 1,
                "{what} at {path}: {found:?}"
            );
        }
    }
    assert!(rejections(&host, "malformed", 50).await? >= 50);
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn what_is_ambiguous_is_refused_in_parts_of_any_size() -> Result<()> {
    let host = host().await?;
    for (what, rest) in AMBIGUOUS.iter().step_by(7) {
        let request =
            format!("POST /string HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{rest}");
        for cut in (1..request.len()).step_by(11) {
            let found = wake(&host, &request, cut).await.context(*what)?;
            assert!(
                found.len() <= 1 && !found.contains(&200),
                "{what}, cut at {cut}: {found:?}"
            );
        }
    }
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn first_lines_are_read_strictly() -> Result<()> {
    let host = host().await?;
    let length = "content-length: 0\r\n\r\n";
    for request in [
        "\nPOST /raw HTTP/1.1\r\nhost: a\r\n",
        "POST /raw HTTP/1.1\nhost: a\r\n",
        "POST  /raw HTTP/1.1\r\nhost: a\r\n",
        "POST /raw  HTTP/1.1\r\nhost: a\r\n",
        "POST /raw HTTP/1.1 \r\nhost: a\r\n",
        " POST /raw HTTP/1.1\r\nhost: a\r\n",
        "POST /raw\r\nhost: a\r\n",
        "POST /raw HTTP/1.10\r\nhost: a\r\n",
        "POST /raw HTTP/2.0\r\nhost: a\r\n",
        "POST /raw http/1.1\r\nhost: a\r\n",
        "POST /ra\0w HTTP/1.1\r\nhost: a\r\n",
        "POST /raw\tHTTP/1.1\r\nhost: a\r\n",
        "POST /ra\rw HTTP/1.1\r\nhost: a\r\n",
        "PO(ST /raw HTTP/1.1\r\nhost: a\r\n",
        "POST http://b/raw HTTP/1.1\r\nhost: a\r\n",
        "POST http://a:81/raw HTTP/1.1\r\nhost: a\r\n",
        "POST http://x@a/raw HTTP/1.1\r\nhost: a\r\n",
        "POST /raw HTTP/1.1\r\nhost: a\r\nhost: b\r\n",
        "POST /raw HTTP/1.1\r\nhost: a\r\nhost: a\r\n",
        "POST /raw HTTP/1.1\r\nhost: a b\r\n",
        "POST /raw HTTP/1.1\r\nhost: a/b\r\n",
        "POST /raw HTTP/1.1\r\n",
    ] {
        let request = format!("{request}{length}");
        let received = raw::exchange(host.http, format!("{request}{HIDDEN}").as_bytes()).await?;
        let found = raw::statuses(&received);
        // A head that was understood, and whose request was refused, lets the
        // connection go on: nothing hides in it.
        assert!(
            found == [400] || found == [400, 200] || found.is_empty(),
            "{request:?}: {received:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn http_1_0_has_no_encodings_and_no_second_request() -> Result<()> {
    let host = host().await?;
    let request = "POST /raw HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert!(!wake(&host, request, request.len()).await?.contains(&200));
    let request = "GET /hello/Ada HTTP/1.0\r\nhost: a\r\n\r\n";
    assert!(wake(&host, request, request.len()).await?.len() <= 1);
    Ok(())
}

#[tokio::test]
async fn what_is_clear_is_served_in_parts_of_any_size() -> Result<()> {
    let host = host().await?;
    let requests = "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n\
        POST /string HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n\"a\\n\"\
        \r\nPOST /raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n\
        3;ext=\"x\"\r\na\nb\r\n02 \r\n\r\n\r\n0\r\nx-trailer: y\r\n\r\n\
        POST http://a/string HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n\"b\"";
    let whole = format!("{requests}{HIDDEN}");
    for size in [1, 7, 64, whole.len()] {
        let mut stream = TcpStream::connect(host.http).await?;
        stream.set_nodelay(true)?;
        for part in whole.as_bytes().chunks(size) {
            stream.write_all(part).await?;
        }
        let received = raw::rest(&mut stream).await?;
        let served = received.matches("HTTP/1.1 200 OK").count();
        assert_eq!(served, 5, "in parts of {size}: {received:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_told_why() -> Result<()> {
    let host = host().await?;
    let long = format!(
        "GET /ping HTTP/1.1\r\nhost: a\r\nx: {}",
        "y".repeat(200_000)
    );
    let many = format!(
        "GET /ping HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "x: y\r\n".repeat(500)
    );
    for (request, status, code) in [
        ("GET /ping HTTP/1.1\r\nhost a\r\n\r\n", 400, "malformed"),
        ("GET /ping HTTP/1.1\nhost: a\n\n", 400, "malformed"),
        (long.as_str(), 431, "head_too_large"),
        (many.as_str(), 431, "head_too_large"),
    ] {
        let received = raw::exchange(host.http, request.as_bytes()).await?;
        let (head, body) = received.split_once("\r\n\r\n").context(received.clone())?;
        assert_eq!(raw::statuses(head), [status], "{received}");
        for header in [
            "content-type: application/problem+json",
            "x-content-type-options: nosniff",
            "x-request-id: ",
            "connection: close",
            &format!("content-length: {}", body.len()),
        ] {
            let header = format!("\r\n{header}");
            assert!(head.contains(&header), "{header} in {head}");
        }
        let problem: serde_json::Value = serde_json::from_str(body)?;
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["detail"].is_string(), "{problem}");
    }
    assert_eq!(rejections(&host, "head_too_large", 2).await?, 2);
    Ok(())
}

/// What a response says is its service's, also where it looks like hyper's own words.
#[tokio::test]
async fn a_body_that_looks_like_a_refusal_is_passed_on() -> Result<()> {
    let host = host().await?;
    let looks = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    // Without chunks the body stands alone on the wire.
    let head = format!(
        "POST /stream HTTP/1.0\r\nhost: a\r\ncontent-length: {}\r\n\r\nfirst",
        "first".len() + 2 * looks.len()
    );
    let mut stream = raw::begin(host.http, head.as_bytes()).await?;
    let mut received = raw::until(&mut stream, "first").await?;
    for _ in 0..2 {
        stream.write_all(looks.as_bytes()).await?;
        received += &raw::until(&mut stream, looks).await?;
    }
    received += &raw::rest(&mut stream).await?;
    let (_, body) = received.split_once("\r\n\r\n").context(received.clone())?;
    assert_eq!(body, format!("first{looks}{looks}"));
    Ok(())
}
