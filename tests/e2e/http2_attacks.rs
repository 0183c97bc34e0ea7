//! HTTP/2 frames that no client sends: each costs its sender the stream or the
//! connection, and nobody else anything.

use anyhow::{Context as _, Result};
use stoa_tests::client::Client;
use stoa_tests::frames::{
    ACK, END_HEADERS, END_STREAM, End, Frames, block, frame, get, headers, kind, number, request,
};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::io::AsyncWriteExt as _;

use crate::{guests, hello, host_with, rejections, serving};

const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

async fn well(host: &HostProcess) -> Result<()> {
    Client::http1(host.http).get("/ping").await?.expect(200)?;
    Client::http2(host.http).get("/ping").await?.expect(200)?;
    Ok(())
}

/// A host that counts what a client does for longer than the test takes, so that a
/// slow machine changes nothing.
async fn patient() -> Result<HostProcess> {
    let host = host_with("[gateway]\nheader_timeout = \"10m\"\n").await?;
    host.admin()?.deploy_one(&hello()).await?;
    Ok(host)
}

/// Streams of a client, in their order.
fn streams() -> impl Iterator<Item = u32> {
    (1..).step_by(2)
}

#[tokio::test]
async fn frames_of_our_own_are_understood() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let mut frames = Frames::open(host.http, &[]).await?;
    for stream in streams().take(20) {
        frames.send(&[get(stream, "/ping")]).await?;
        assert_eq!(frames.end(stream).await?, End::Status("200".to_owned()));
    }
    Ok(())
}

#[tokio::test]
async fn heads_that_http_1_could_read_otherwise_are_malformed() -> Result<()> {
    let host = serving(&[hello(), Service::new("raw", guests::ECHO_P2).http("/raw")]).await?;
    let with = |more: &[(&'static str, &'static str)]| {
        let mut fields = request("POST", "/raw").to_vec();
        fields.extend_from_slice(more);
        fields
    };
    let own = |fields: &[(&'static str, &'static str)]| fields.to_vec();
    for fields in [
        with(&[("connection", "close")]),
        with(&[("connection", "transfer-encoding")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("keep-alive", "timeout=5")]),
        with(&[("proxy-connection", "close")]),
        with(&[("upgrade", "h2c")]),
        with(&[("te", "gzip")]),
        with(&[("x-a", "b\r\ntransfer-encoding: chunked")]),
        with(&[("x-a", "b\0c")]),
        with(&[("x-a\r\nx-b", "c")]),
        with(&[("x-a: b", "c")]),
        with(&[("X-Upper", "case")]),
        with(&[("", "no name")]),
        with(&[(":path", "/late")]),
        with(&[("x-a", "b"), (":method", "GET")]),
        with(&[(":status", "200")]),
        with(&[(":made-up", "x")]),
        with(&[("content-length", "1"), ("content-length", "2")]),
        with(&[("content-length", "+0")]),
        with(&[("content-length", "5")]),
        with(&[("host", "b")]),
        own(&[(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
        own(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":path", ""),
            (":authority", "a"),
        ]),
        own(&[
            (":method", "GET HTTP/1.1"),
            (":scheme", "http"),
            (":path", "/raw"),
            (":authority", "a"),
        ]),
        own(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/raw HTTP/1.1\r\nx: y"),
            (":authority", "a"),
        ]),
        own(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/raw"),
            (":authority", "a b"),
        ]),
        own(&[(":scheme", "http"), (":path", "/raw"), (":authority", "a")]),
    ] {
        let mut frames = Frames::open(host.http, &[]).await?;
        frames.send(&[headers(1, END_STREAM, &fields)]).await?;
        let end = frames.end(1).await.with_context(|| format!("{fields:?}"))?;
        let refused = matches!(end, End::Reset(_) | End::GoAway(_) | End::Closed)
            || [End::Status("400".to_owned()), End::Status("404".to_owned())].contains(&end);
        assert!(refused, "{fields:?}: {end:?}");
        if end == End::Status("404".to_owned()) {
            assert!(fields.contains(&(":path", "")), "{fields:?}");
        }
    }
    well(&host).await
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_announced_is_malformed() -> Result<()> {
    let raw = Service::new("raw", guests::ECHO_P2).http("/raw");
    let host = serving(&[hello(), raw]).await?;
    for (length, body) in [("2", "abc"), ("4", "abc")] {
        let mut fields = request("POST", "/raw").to_vec();
        fields.push(("content-length", length));
        let mut frames = Frames::open(host.http, &[]).await?;
        let data = frame(kind::DATA, END_STREAM, 1, body.as_bytes());
        frames.send(&[headers(1, 0, &fields), data]).await?;
        loop {
            let next = frames.next().await?.context("closed")?;
            if next.kind == kind::RST_STREAM {
                break;
            }
            let whole = next.flags & END_STREAM != 0 && next.stream == 1;
            assert!(!whole, "{length} bytes of {body:?} were answered whole");
        }
    }
    well(&host).await
}

#[tokio::test]
async fn requests_taken_back_at_once_end_the_connection() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let mut frames = Frames::open(host.http, &[]).await?;
    let burst: Vec<_> = streams()
        .take(2000)
        .flat_map(|stream| [get(stream, "/ping"), number(kind::RST_STREAM, stream, 8)])
        .collect();
    frames.send(&burst).await?;
    assert_ne!(frames.ends().await?, End::Status("200".to_owned()));
    well(&host).await
}

/// Each request is begun before it is taken back, which h2 alone would let pass.
#[tokio::test]
async fn requests_taken_back_one_by_one_end_the_connection() -> Result<()> {
    let host = patient().await?;
    let mut frames = Frames::open(host.http, &[]).await?;
    for stream in streams().take(2000) {
        let open = frames.send(&[get(stream, "/ping")]).await?;
        let open = open && frames.send(&[number(kind::RST_STREAM, stream, 8)]).await?;
        if !open {
            break;
        }
        tokio::task::yield_now().await;
    }
    frames.ends().await?;
    well(&host).await
}

#[tokio::test]
async fn streams_that_the_host_must_reset_end_the_connection() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let mut frames = Frames::open(host.http, &[]).await?;
    // A window beyond its greatest makes the host reset the stream.
    let burst: Vec<_> = streams()
        .take(1000)
        .flat_map(|stream| {
            [
                headers(stream, 0, &request("POST", "/ping")),
                number(kind::WINDOW_UPDATE, stream, 0x7fff_ffff),
            ]
        })
        .collect();
    frames.send(&burst).await?;
    let end = frames.ends().await?;
    assert!(
        matches!(end, End::GoAway(ENHANCE_YOUR_CALM) | End::Closed),
        "{end:?}"
    );
    assert!(rejections(&host, "http2_flood", 1).await? >= 1);
    well(&host).await
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() -> Result<()> {
    let host = serving(&[hello()]).await?;
    for part in [&block(&[("x-a", "b")])[..], &[]] {
        let mut frames = Frames::open(host.http, &[]).await?;
        let begin = frame(
            kind::HEADERS,
            END_STREAM,
            1,
            &block(&request("GET", "/ping")),
        );
        let more = vec![frame(kind::CONTINUATION, 0, 1, part); 1000];
        frames.send(&[begin]).await?;
        frames.send(&more).await?;
        let end = frames.ends().await?;
        assert!(matches!(end, End::GoAway(_) | End::Closed), "{end:?}");
    }
    assert!(rejections(&host, "http2_flood", 2).await? >= 2);
    well(&host).await
}

#[tokio::test]
async fn a_head_has_as_many_fields_as_over_http_1() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let mut frames = Frames::open(host.http, &[]).await?;
    for (stream, fields, status) in [(1, 96, "200"), (3, 101, "another")] {
        let mut head = request("GET", "/ping").to_vec();
        head.extend(vec![("x-a", "b"); fields]);
        frames.send(&[headers(stream, END_STREAM, &head)]).await?;
        assert_eq!(frames.end(stream).await?, End::Status(status.to_owned()));
    }
    assert_eq!(rejections(&host, "head_too_large", 1).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_head_that_is_too_large_is_not_kept() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let mut frames = Frames::open(host.http, &[]).await?;
    let long = "x".repeat(10_000);
    let part = block(&[("x-long", &long)]);
    let mut sent = vec![frame(
        kind::HEADERS,
        END_STREAM,
        1,
        &block(&request("GET", "/ping")),
    )];
    sent.extend(vec![frame(kind::CONTINUATION, 0, 1, &part); 8]);
    sent.push(frame(kind::CONTINUATION, END_HEADERS, 1, &part));
    frames.send(&sent).await?;
    let end = frames.end(1).await?;
    assert_ne!(end, End::Status("200".to_owned()));
    well(&host).await
}

#[tokio::test]
async fn floods_of_control_frames_end_the_connection() -> Result<()> {
    let host = patient().await?;
    for (what, one) in [
        ("ping", frame(kind::PING, 0, 0, &[7; 8])),
        ("settings", frame(kind::SETTINGS, 0, 0, &[])),
        ("priority", frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 16])),
        ("unknown", frame(0xfa, 0, 0, &[])),
        ("pong", frame(kind::PING, ACK, 0, &[7; 8])),
    ] {
        let mut frames = Frames::open(host.http, &[]).await?;
        frames.send(&vec![one; 2000]).await?;
        let end = frames.ends().await.with_context(|| what.to_owned())?;
        assert!(
            matches!(end, End::GoAway(_) | End::Closed),
            "{what}: {end:?}"
        );
    }
    assert!(rejections(&host, "http2_control", 5).await? >= 5);
    well(&host).await
}

#[tokio::test]
async fn empty_frames_and_windows_of_nothing_end_the_connection() -> Result<()> {
    let raw = Service::new("raw", guests::ECHO_P2).http("/raw");
    let host = serving(&[hello(), raw]).await?;
    let mut frames = Frames::open(host.http, &[]).await?;
    frames
        .send(&[headers(1, 0, &request("POST", "/raw"))])
        .await?;
    frames
        .send(&vec![frame(kind::DATA, 0, 1, &[]); 5000])
        .await?;
    let end = frames.ends().await?;
    assert!(matches!(end, End::GoAway(_) | End::Closed), "{end:?}");
    assert!(rejections(&host, "http2_flood", 1).await? >= 1);

    let mut frames = Frames::open(host.http, &[]).await?;
    frames.send(&[number(kind::WINDOW_UPDATE, 0, 0)]).await?;
    assert_eq!(frames.ends().await?, End::GoAway(PROTOCOL_ERROR));
    assert!(rejections(&host, "malformed", 1).await? >= 1);
    well(&host).await
}

#[tokio::test]
async fn a_window_that_stays_closed_does_not_hold_a_response_for_ever() -> Result<()> {
    let endless = Service::new("two", guests::MISBEHAVE_P2)
        .http("/two/*")
        .set("pool.max", serde_json::json!(1));
    let host =
        host_with("[gateway]\nheader_timeout = \"400ms\"\nwrite_timeout = \"800ms\"\n").await?;
    host.admin()?.deploy_all(&[hello(), endless]).await?;
    // SETTINGS_INITIAL_WINDOW_SIZE
    for window in [0, 1000] {
        let mut frames = Frames::open(host.http, &[(4, window)]).await?;
        frames.send(&[get(1, "/two/endless")]).await?;
        while frames.next().await?.is_some() {}
    }
    assert!(rejections(&host, "slow_read", 2).await? >= 2);
    // There is one instance: whoever held it has let it go.
    host.get("/two/well").await?.expect(200)?;
    well(&host).await
}

#[tokio::test]
async fn what_begins_like_http_2_and_is_not_ends() -> Result<()> {
    let host = serving(&[hello()]).await?;
    for rest in [
        &b"PRI * HTTP/2.0\r\n\r\nGET /ping HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /ping HTTP/1.1\r\nhost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\nhost: a\r\n\r\nGET /ping HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(host.http).await?;
        stream.write_all(rest).await?;
        let received = stoa_tests::raw::rest(&mut stream).await?;
        assert!(!received.contains("pong"), "{received:?}");
    }
    well(&host).await
}
