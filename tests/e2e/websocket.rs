//! WebSockets: through to upstreams, guarded and counted, ended at a drain.

use anyhow::{Context as _, Result};
use http::{Method, Request};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use stoa_tests::client::{Client, PATIENCE, empty};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{guests, hello, host, host_with, rejections};

/// The close frame of a host that goes away.
const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];

/// A handshake; the key and its answer are those of RFC 6455 section 1.3.
fn handshake(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: shop.example\r\nconnection: keep-alive, Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: chat\r\n{more}\r\n"
    )
}

/// Declares `/chat/*` to be served by an origin.
async fn declare(host: &HostProcess, origin: &Origin, limits: Value, route: Value) -> Result<()> {
    let mut all = json!({ "path": "/chat/*", "target": "http", "access": "public" });
    if let (Some(all), Some(route)) = (all.as_object_mut(), route.as_object()) {
        all.extend(route.clone());
    }
    let settings = json!({ "targets": [origin.url()], "routes": [all], "limits": limits });
    let admin = host.admin()?;
    let declared = admin.json(Method::PUT, "/v1/upstreams/chat", &settings);
    declared.await?.expect(200)?;
    Ok(())
}

async fn serving(limits: Value) -> Result<(HostProcess, Origin)> {
    let origin = Origin::start("one", Behaviour::WebSocket).await?;
    let host = host().await?;
    declare(&host, &origin, limits, json!({})).await?;
    Ok((host, origin))
}

/// Opens a WebSocket; gives the head of the answer too.
async fn open(host: &HostProcess) -> Result<(TcpStream, String)> {
    let asks = handshake("/chat/room", "");
    let mut stream = raw::begin(host.http, asks.as_bytes()).await?;
    let head = raw::until(&mut stream, "\r\n\r\n").await?;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    Ok((stream, head.to_ascii_lowercase()))
}

async fn read(stream: &mut TcpStream, bytes: usize) -> Result<Vec<u8>> {
    let mut read = vec![0; bytes];
    let come = timeout(PATIENCE, stream.read_exact(&mut read)).await;
    come.context("it does not come")??;
    Ok(read)
}

/// Returns once the upstream has so many requests and WebSockets under way.
async fn under_way(host: &HostProcess, count: u64) -> Result<()> {
    let admin = host.admin()?;
    let seen = async {
        loop {
            let detail = admin.get("/v1/upstreams/chat").await?.expect(200)?.json()?;
            if detail["instances"][0]["in_flight"] == count {
                return anyhow::Ok(());
            }
        }
    };
    let seen = timeout(PATIENCE, seen).await;
    seen.with_context(|| format!("never {count} under way"))?
}

#[tokio::test]
async fn bytes_go_both_ways_and_it_counts_until_its_end() -> Result<()> {
    let (host, origin) = serving(json!({})).await?;
    let (mut stream, head) = open(&host).await?;
    for header in [
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
        "sec-websocket-protocol: chat\r\n",
        "x-request-id: ",
    ] {
        assert!(head.contains(header), "expected {header:?} in {head}");
    }
    assert!(!head.contains("content-length"), "{head}");
    let seen = origin.last().to_ascii_lowercase();
    for header in [
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n",
        "host: shop.example\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
    ] {
        assert!(seen.contains(header), "expected {header:?} in {seen}");
    }
    under_way(&host, 1).await?;
    // What would be refused as HTTP.
    let odd = b"\x82\x0bGET / \nHTTP HTTP/1.1 400 x\r\n\r\n\0";
    stream.write_all(odd).await?;
    assert_eq!(read(&mut stream, odd.len()).await?, odd);
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| at as u8).collect();
    let (mut reader, mut writer) = stream.split();
    let sends = writer.write_all(&large);
    let mut back = vec![0; large.len()];
    let (sent, came) = tokio::join!(sends, timeout(PATIENCE, reader.read_exact(&mut back)));
    sent?;
    came.context("it does not come back")??;
    assert!(back == large, "what comes back is what was sent");
    stream.shutdown().await?;
    assert_eq!(raw::rest(&mut stream).await?, "");
    under_way(&host, 0).await?;
    let metrics = host.admin()?.metrics().await?;
    let counted = "http_server_request_duration_seconds_count{method=\"GET\",route=\"/chat/*\",status=\"101\"";
    assert!(metrics.contains(counted), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn what_an_upstream_declines_is_passed_on() -> Result<()> {
    let declined =
        "HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 14\r\ncontent-length: 0\r\n\r\n";
    for (answer, status) in [
        (declined, "426"),
        // Of another protocol, and with another key's answer.
        ("HTTP/1.1 101 x\r\nupgrade: h2c\r\n\r\n", "502"),
        (
            "HTTP/1.1 101 x\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n",
            "502",
        ),
    ] {
        let origin = Origin::start("one", Behaviour::Raw(answer.to_owned())).await?;
        let host = host().await?;
        declare(&host, &origin, json!({}), json!({})).await?;
        let asks = handshake("/chat/room", "");
        let mut stream = raw::begin(host.http, asks.as_bytes()).await?;
        let head = raw::until(&mut stream, "\r\n\r\n").await?;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
    Ok(())
}

#[tokio::test]
async fn other_protocols_are_not_begun() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = host().await?;
    declare(&host, &origin, json!({}), json!({})).await?;
    for asks in [
        "GET /chat/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n",
        "GET /chat/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\nupgrade: websocket\r\n\r\n",
        "POST /chat/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n",
    ] {
        let answer = raw::exchange(host.http, asks.as_bytes()).await?;
        assert_eq!(raw::statuses(&answer)[..1], [200], "{answer}");
        let seen = origin.last().to_ascii_lowercase();
        assert!(!seen.contains("upgrade:"), "{seen}");
    }
    Ok(())
}

#[tokio::test]
async fn a_component_says_that_it_can_not() -> Result<()> {
    let host = host().await?;
    let raw_http = Service::new("raw", guests::HELLO_P2).http("/raw");
    host.admin()?.deploy_all(&[hello(), raw_http]).await?;
    for path in ["/ping", "/raw"] {
        let mut client = Client::http1(host.http);
        let asks = Request::get(path)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .body(empty())?;
        let problem = client.send(asks).await?.problem(501)?;
        assert_eq!(problem["code"], "no_websocket");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(
            detail.contains("components can't speak WebSocket"),
            "{detail}"
        );
        client.get(path).await?.expect(200)?;
    }
    rejections(&host, "protocol", 2).await?;
    Ok(())
}

#[tokio::test]
async fn access_and_origins_are_checked_before() -> Result<()> {
    let origin = Origin::start("one", Behaviour::WebSocket).await?;
    let host = host().await?;
    let cors = json!({ "own": { "origins": ["https://app.example"] } });
    let route = json!({ "access": "authenticated", "cors": cors });
    declare(&host, &origin, json!({}), route).await?;
    let token = format!("authorization: Bearer {}\r\n", host.admin()?.token);
    let from = |page: &str| format!("{token}origin: {page}\r\n");
    for (more, status) in [
        (String::new(), "401"),
        (from("https://evil.example"), "403"),
        (from("https://app.example"), "101"),
        (from("http://shop.example"), "101"),
        (token.clone(), "101"),
    ] {
        let before = origin.requests();
        let asks = handshake("/chat/room", &more);
        let mut stream = raw::begin(host.http, asks.as_bytes()).await?;
        let head = raw::until(&mut stream, "\r\n\r\n").await?;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{more}: {head}"
        );
        let asked = origin.requests() - before;
        assert_eq!(asked, usize::from(status == "101"), "{more}");
        assert!(!origin.last().contains("Bearer"), "{}", origin.last());
    }
    Ok(())
}

#[tokio::test]
async fn it_takes_the_place_of_a_request_and_of_a_connection() -> Result<()> {
    let origin = Origin::start("one", Behaviour::WebSocket).await?;
    let host = host_with("[gateway]\nmax_connections_per_address = 2\n").await?;
    declare(&host, &origin, json!({ "connections": 1 }), json!({})).await?;
    let (stream, _) = open(&host).await?;
    let mut second = Client::http1(host.http);
    let problem = second.get("/chat/room").await?.problem(503)?;
    assert_eq!(problem["code"], "overloaded");
    let refused = raw::exchange(host.http, b"GET /chat/room HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(refused.unwrap_or_default(), "", "a third connection");
    drop(stream);
    under_way(&host, 0).await?;
    let (_again, _) = open(&host).await?;
    Ok(())
}

#[tokio::test]
async fn a_drain_says_so_between_two_frames() -> Result<()> {
    let (mut host, _origin) = serving(json!({})).await?;
    let (mut stream, _) = open(&host).await?;
    stream.write_all(b"\x81\x05hel").await?;
    assert_eq!(read(&mut stream, 5).await?, b"\x81\x05hel");
    host.terminate().await?;
    let draining = |line: &str| line.contains("draining");
    host.output().wait_for(draining).await?;
    stream.write_all(b"lo").await?;
    assert_eq!(read(&mut stream, 2).await?, b"lo", "a frame is not cut");
    assert_eq!(read(&mut stream, 4).await?, GOING_AWAY);
    // The client's answer, after which both ends close.
    stream.write_all(b"\x88\x82mask\x6e\x88").await?;
    stream.shutdown().await?;
    assert_eq!(raw::rest(&mut stream).await?, "");
    assert_eq!(host.wait().await?.code(), Some(0));
    let cut = |line: &String| line.contains("cut off");
    assert!(!host.output().lines().iter().any(cut), "nothing was left");
    Ok(())
}

#[tokio::test]
async fn one_of_an_instance_that_leaves_is_ended() -> Result<()> {
    let (host, _origin) = serving(json!({ "deadline": "1s" })).await?;
    let (mut stream, _) = open(&host).await?;
    host.cli(&["undeploy", "chat"]).await?.expect(0)?;
    assert_eq!(read(&mut stream, 4).await?, GOING_AWAY);
    // Who does not answer is cut off after the deadline of a request.
    assert_eq!(raw::rest(&mut stream).await?, "");
    Ok(())
}

#[tokio::test]
async fn one_of_an_upstream_that_is_drained_is_ended() -> Result<()> {
    let (host, _origin) = serving(json!({ "deadline": "1s" })).await?;
    let (mut stream, _) = open(&host).await?;
    // It waits for the WebSocket, which is cut off: its client does not answer.
    host.cli(&["drain", "chat"]).await?.expect(0)?;
    assert_eq!(read(&mut stream, 4).await?, GOING_AWAY);
    assert_eq!(raw::rest(&mut stream).await?, "");
    under_way(&host, 0).await?;
    host.cli(&["drain", "chat", "--undo"]).await?.expect(0)?;
    let (mut stream, _) = open(&host).await?;
    stream.write_all(b"\x81\x05hello").await?;
    assert_eq!(read(&mut stream, 7).await?, b"\x81\x05hello");
    Ok(())
}

#[tokio::test]
async fn who_leaves_before_the_answer_ends_its_request() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Silent).await?;
    let host = host().await?;
    declare(&host, &origin, json!({ "deadline": "10m" }), json!({})).await?;
    let asks = handshake("/chat/room", "");
    let stream = raw::begin(host.http, asks.as_bytes()).await?;
    under_way(&host, 1).await?;
    drop(stream);
    under_way(&host, 0).await
}

#[tokio::test]
async fn a_new_declaration_ends_none() -> Result<()> {
    let (host, origin) = serving(json!({})).await?;
    let (mut stream, _) = open(&host).await?;
    declare(&host, &origin, json!({ "body": 7 }), json!({})).await?;
    stream.write_all(b"\x81\x05hello").await?;
    assert_eq!(read(&mut stream, 7).await?, b"\x81\x05hello");
    under_way(&host, 1).await?;
    Ok(())
}

#[tokio::test]
async fn one_that_carries_nothing_is_ended() -> Result<()> {
    let (host, _origin) = serving(json!({ "websocket_idle": "200ms" })).await?;
    let (mut stream, _) = open(&host).await?;
    assert_eq!(raw::rest(&mut stream).await?, "");
    under_way(&host, 0).await?;
    Ok(())
}

#[tokio::test]
async fn it_is_a_stream_over_http2() -> Result<()> {
    let (host, origin) = serving(json!({})).await?;
    host.admin()?.deploy_one(&hello()).await?;
    let io = TokioIo::new(TcpStream::connect(host.http).await?);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
    let connection = tokio::spawn(connection);
    // The host's settings are there once something is answered.
    let address = host.http;
    let plain = Request::get(format!("http://{address}/ping")).body(empty())?;
    assert_eq!(sender.send_request(plain).await?.status(), 200);
    let ask = |path: &str, protocol: &'static str| {
        Request::connect(format!("http://{address}{path}"))
            .extension(Protocol::from_static(protocol))
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "chat")
            .body(empty())
    };
    let answer = sender.send_request(ask("/ping", "websocket")?).await?;
    assert_eq!(answer.status(), 501, "of a component");
    let answer = sender
        .send_request(ask("/chat/room", "connect-udp")?)
        .await?;
    assert_eq!(answer.status(), 501);
    let mut answer = sender.send_request(ask("/chat/room", "websocket")?).await?;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    let seen = origin.last().to_ascii_lowercase();
    assert!(seen.starts_with("get /chat/room http/1.1\r\n"), "{seen}");
    assert!(seen.contains("sec-websocket-key: "), "{seen}");
    let mut stream = TokioIo::new(hyper::upgrade::on(&mut answer).await?);
    stream.write_all(b"\x81\x05hello").await?;
    let mut back = [0; 7];
    timeout(PATIENCE, stream.read_exact(&mut back)).await??;
    assert_eq!(&back, b"\x81\x05hello");
    host.terminate().await?;
    let mut close = [0; 4];
    timeout(PATIENCE, stream.read_exact(&mut close)).await??;
    assert_eq!(close, GOING_AWAY);
    stream.shutdown().await?;
    drop(stream);
    timeout(PATIENCE, connection).await???;
    Ok(())
}

#[tokio::test]
async fn an_answer_without_one_does_not_open_a_stream_over_http2() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = host().await?;
    declare(&host, &origin, json!({}), json!({})).await?;
    let io = TokioIo::new(TcpStream::connect(host.http).await?);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
    let _connection = tokio::spawn(connection);
    let address = host.http;
    let plain = Request::get(format!("http://{address}/chat/x")).body(empty())?;
    assert_eq!(sender.send_request(plain).await?.status(), 200);
    let ask = Request::connect(format!("http://{address}/chat/x"))
        .extension(Protocol::from_static("websocket"))
        .body(empty())?;
    assert_eq!(sender.send_request(ask).await?.status(), 502);
    Ok(())
}
