//! Clients that leave before they have their answer.
//!
//! What spins does so for an hour, so that an instance that is free again is one whose
//! call was ended.

mod behind;
mod shared;

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::{Value, json};
use stoa_tests::client::{Client, PATIENCE, Protocol, empty};
use stoa_tests::frames::{END_STREAM, Frames, headers, kind, number, request};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use stoa_tests::tls::{Authority, Dialer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::pools::until;
use crate::{answered, guests, host_with, rejections, serving, tls};

/// RFC 9113, section 7.
const CANCEL: u32 = 8;

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// It closes its connection.
    Close,
    /// It closes it with a part of its next request unread.
    CloseBehindMore,
    /// It resets it.
    Reset,
    /// It takes its request back, and keeps its HTTP/2 connection.
    TakeBack,
}

const WAYS: [Way; 4] = [Way::Close, Way::CloseBehindMore, Way::Reset, Way::TakeBack];

/// A client that waits for an answer.
enum Waiting {
    Http1(TcpStream),
    Http2(Frames),
}

impl Waiting {
    async fn begin(host: &HostProcess, way: Way, method: &str, path: &str) -> Result<Self> {
        if let Way::TakeBack = way {
            let mut frames = Frames::open(host.http, &[]).await?;
            let head = headers(1, END_STREAM, &request(method, path));
            frames.send(&[head]).await?;
            return Ok(Self::Http2(frames));
        }
        let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        let stream = raw::begin(host.http, head.as_bytes()).await?;
        Ok(Self::Http1(stream))
    }

    /// What is left of it.
    async fn leave(self, way: Way) -> Result<Option<Frames>> {
        match self {
            Self::Http2(mut frames) => {
                frames.send(&[number(kind::RST_STREAM, 1, CANCEL)]).await?;
                return Ok(Some(frames));
            }
            Self::Http1(mut stream) => match way {
                Way::CloseBehindMore => stream.write_all(b"GET /we").await?,
                Way::Reset => stream.set_zero_linger()?,
                Way::Close | Way::TakeBack => {}
            },
        }
        Ok(None)
    }
}

/// One instance, which counts its calls: `/calls` tells of a new one by a 1.
fn faults() -> Service {
    let route = |function: &str, on_disconnect: &str| {
        let target = json!({ "call": format!("test:misbehave/faults.{function}") });
        json!({ "target": target, "access": "public", "on_disconnect": on_disconnect })
    };
    let mut kept = route("block", "finish");
    kept["idempotency"] = json!({ "key": "required" });
    Service::new("faults", guests::MISBEHAVE)
        .call("GET /calls", "test:misbehave/faults.calls")
        .call("POST /calls", "test:misbehave/faults.calls")
        .call("GET /spin", "test:misbehave/faults.spin")
        .call("GET /block/{ms}", "test:misbehave/faults.block")
        .call("POST /block/{ms}", "test:misbehave/faults.block")
        .route("POST /cancel", route("spin", "cancel"))
        .route("GET /finish/{ms}", route("block", "finish"))
        .route("POST /kept/{ms}", kept)
        .set("pool.max", json!(1))
        .set("limits.deadline", json!("1h"))
}

/// A host whose connections have no beat while a test runs: what it notices of a client,
/// it is told.
async fn told(more: &str) -> Result<HostProcess> {
    let host = host_with(&format!("[gateway]\nheader_timeout = \"4h\"\n{more}")).await?;
    let rule = json!({
        "target": { "call": "test:misbehave/faults.spin" },
        "access": "public",
        "cache": { "max_age": "1h" },
    });
    let keyed = json!({
        "target": { "call": "test:misbehave/faults.spin" },
        "access": "public",
        "on_disconnect": "cancel",
        "idempotency": { "key": "optional" },
    });
    let faults = faults()
        .route("GET /cached", rule)
        .route("POST /keyed", keyed);
    host.admin()?.deploy_one(&faults).await?;
    Ok(host)
}

/// What the instance counts: 1 if it is new.
async fn calls(host: &HostProcess) -> Result<Value> {
    host.get("/calls").await?.expect(200)?.json()
}

async fn is_freed(host: &HostProcess, service: &str) -> Result<()> {
    let gone = |pool: &Value| pool["busy"] == 0 && pool["idle"] == 0;
    until(host, service, gone).await?;
    Ok(())
}

#[tokio::test]
async fn a_call_ends_whose_client_has_left() -> Result<()> {
    let host = serving(&[faults()]).await?;
    for (method, path) in [("GET", "/spin"), ("HEAD", "/spin"), ("POST", "/cancel")] {
        for way in WAYS {
            let what = || format!("{method} {path}: {way:?}");
            let client = Waiting::begin(&host, way, method, path).await?;
            until(&host, "faults", |pool| pool["busy"] == 1).await?;
            let _rest = client.leave(way).await?;
            is_freed(&host, "faults").await.with_context(what)?;
            // Its service is blamed for none of them.
            assert_eq!(calls(&host).await.with_context(what)?, 1, "{}", what());
        }
    }
    let count = |metrics: &str| {
        let mut lines = metrics.lines();
        lines.any(|line| {
            line.starts_with("http_server_request_duration_seconds_count")
                && line.contains("\"/spin\"")
                && line.contains("\"499\"")
        })
    };
    let metrics = host.admin()?.metrics().await?;
    assert!(count(&metrics), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_may_matter_goes_on() -> Result<()> {
    let host = serving(&[faults()]).await?;
    assert_eq!(calls(&host).await?, 1);
    let mut counted = 1;
    for (method, path) in [("POST", "/block/200"), ("GET", "/finish/200")] {
        for way in WAYS {
            let client = Waiting::begin(&host, way, method, path).await?;
            until(&host, "faults", |pool| pool["busy"] == 1).await?;
            let _rest = client.leave(way).await?;
            counted += 1;
            assert_eq!(calls(&host).await?, counted, "{method} {path}: {way:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn who_closes_only_half_gets_the_answer_of_a_call_that_goes_on() -> Result<()> {
    let host = serving(&[faults()]).await?;
    for (method, path) in [("POST", "/block/200"), ("GET", "/finish/200")] {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        let mut stream = raw::begin(host.http, head.as_bytes()).await?;
        until(&host, "faults", |pool| pool["busy"] == 1).await?;
        stream.shutdown().await?;
        let answer = raw::rest(&mut stream).await?;
        assert_eq!(raw::statuses(&answer), [200], "{method}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_waits_is_not_begun_for_a_client_that_has_left() -> Result<()> {
    let host = serving(&[faults()]).await?;
    for (method, path) in [("GET", "/calls"), ("POST", "/calls")] {
        for way in WAYS {
            let holder = Waiting::begin(&host, Way::Close, "GET", "/spin").await?;
            until(&host, "faults", |pool| pool["busy"] == 1).await?;
            let client = Waiting::begin(&host, way, method, path).await?;
            until(&host, "faults", |pool| pool["queued"] == 1).await?;
            let _rest = client.leave(way).await?;
            until(&host, "faults", |pool| pool["queued"] == 0).await?;
            holder.leave(Way::Close).await?;
            assert_eq!(calls(&host).await?, 1, "{method}: {way:?}");
            // The next round begins with a new instance.
            let last = Waiting::begin(&host, Way::Close, "GET", "/spin").await?;
            until(&host, "faults", |pool| pool["busy"] == 1).await?;
            last.leave(Way::Close).await?;
            is_freed(&host, "faults").await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_client_with_a_key_left_is_there_when_it_asks_again() -> Result<()> {
    let host = serving(&[faults()]).await?;
    let fields = |path| {
        let mut fields = request("POST", path).to_vec();
        fields.push(("idempotency-key", "of-http2"));
        fields
    };
    let mut frames = Frames::open(host.http, &[]).await?;
    let head = headers(1, END_STREAM, &fields("/kept/200"));
    frames.send(&[head]).await?;
    until(&host, "faults", |pool| pool["busy"] == 1).await?;
    frames.send(&[number(kind::RST_STREAM, 1, CANCEL)]).await?;
    let head = "POST /kept/200 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nidempotency-key: of-http1\r\n\r\n";
    until(&host, "faults", |pool| pool["busy"] == 0).await?;
    let stream = raw::begin(host.http, head.as_bytes()).await?;
    until(&host, "faults", |pool| pool["busy"] == 1).await?;
    drop(stream);
    for key in ["of-http2", "of-http1"] {
        let ask = async || {
            let request = http::Request::post("/kept/200").header("idempotency-key", key);
            let mut client = Client::http1(host.http);
            client.send(request.body(empty())?).await
        };
        let answer = answered(ask, |answer| answer.status == 200).await?;
        assert_eq!(answer.header("idempotency-replayed")?, "true", "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn a_chain_of_calls_ends_with_its_client() -> Result<()> {
    let left = Service::new("left", guests::CHAIN_LEFT)
        .call("GET /bounce/{n}", "test:chain/left.bounce")
        .set("limits.deadline", json!("1h"));
    let right = Service::new("right", guests::CHAIN_RIGHT).set("limits.deadline", json!("1h"));
    let host = serving(&[left, right]).await?;
    for way in WAYS {
        let client = Waiting::begin(&host, way, "GET", "/bounce/1000001").await?;
        until(&host, "right", |pool| pool["busy"] == 1).await?;
        let _rest = client.leave(way).await?;
        is_freed(&host, "right").await?;
        is_freed(&host, "left").await?;
    }
    Ok(())
}

#[tokio::test]
async fn handlers_end_with_their_clients() -> Result<()> {
    let service = |name: &str, guest, concurrency| {
        Service::new(name, guest)
            .http(&format!("/{name}/*"))
            .set("pool.max", json!(1))
            .set("pool.concurrency", json!(concurrency))
            .set("limits.deadline", json!("1h"))
    };
    let services = [
        service("two", guests::MISBEHAVE_P2, 1),
        service("three", guests::MISBEHAVE_P3, 1),
        service("shared", guests::MISBEHAVE_P3, 4),
    ];
    let host = serving(&services).await?;
    for name in ["three", "shared"] {
        for way in WAYS {
            let client = Waiting::begin(&host, way, "GET", &format!("/{name}/spin")).await?;
            until(&host, name, |pool| pool["busy"] == 1).await?;
            let _rest = client.leave(way).await?;
            until(&host, name, |pool| pool["busy"] == 0).await?;
            host.get(&format!("/{name}/well")).await?.expect(200)?;
        }
    }
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::new(host.http, protocol);
        let asked = http::Request::get("/two/spin-in-body").body(empty())?;
        // Its head is here, and the guest at work on the rest.
        let response = client.stream(asked).await?;
        until(&host, "two", |pool| pool["busy"] == 1).await?;
        drop((response, client));
        is_freed(&host, "two").await?;
        host.get("/two/well").await?.expect(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn over_tls_a_call_ends_with_its_client_too() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    let host = tls::host(folder.path(), &authority, "").await?;
    host.admin()?.deploy_one(&faults()).await?;
    let dialer = Dialer::new("localhost", &authority)?;
    for polite in [true, false] {
        let mut stream = dialer.dial(host.https().await?, &["http/1.1"]).await?;
        let head = b"GET /spin HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(head).await?;
        until(&host, "faults", |pool| pool["busy"] == 1).await?;
        if polite {
            stream.shutdown().await?;
        }
        drop(stream);
        is_freed(&host, "faults").await?;
    }
    Ok(())
}

/// Four such requests held both cores of a machine for the deadline's time.
#[tokio::test]
async fn sockets_that_are_closed_hold_no_core() -> Result<()> {
    let many = faults()
        .set("pool.max", json!(8))
        .set("limits.concurrency", json!("off"));
    let host = serving(&[many]).await?;
    for _ in 0..4 {
        let mut clients = Vec::new();
        for way in WAYS {
            clients.push((way, Waiting::begin(&host, way, "GET", "/spin").await?));
        }
        until(&host, "faults", |pool| pool["busy"] == clients.len()).await?;
        for (way, client) in clients {
            client.leave(way).await?;
        }
        is_freed(&host, "faults").await?;
    }
    Ok(())
}
