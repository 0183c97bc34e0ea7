//! Components that serve `wasi:http` themselves: 0.2, 0.3, and beside functions.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::json;
use stoa_tests::client::{Body, Client, PATIENCE, Protocol, empty, full};
use stoa_tests::raw;
use stoa_tests::service::Service;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::{guests, host_with, serving};

#[tokio::test]
async fn both_versions_of_wasi_http_answer() -> Result<()> {
    let two = Service::new("two", guests::HELLO_P2).http("/two");
    let three = Service::new("three", guests::HELLO_P3).http("/three");
    let host = serving(&[two, three]).await?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::new(host.http, protocol);
        for path in ["/two", "/three"] {
            for _ in 0..20 {
                let answer = client.get(path).await?.expect(200)?;
                assert_eq!(answer.text(), "Hello, world!");
                assert_eq!(answer.header("content-length")?, "13");
                assert_eq!(answer.header("content-type")?, "text/plain");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_component_has_two_ways_in() -> Result<()> {
    let both = Service::new("both", guests::BOTH)
        .call("GET /function/{name}", "test:hello/greeter.greet")
        .http("/http/*");
    let host = serving(&[both]).await?;
    assert_eq!(
        host.get("/function/Ada").await?.json()?,
        json!("Hello by function, Ada!")
    );
    assert_eq!(
        host.get("/http/any/path").await?.text(),
        "Hello by wasi:http!"
    );
    Ok(())
}

#[tokio::test]
async fn a_handler_sees_the_request_as_it_came() -> Result<()> {
    let host = serving(&[Service::new("echo", guests::ECHO_P2).http("/echo/*")]).await?;
    let request = Request::patch("/echo/a%2Fb?x=1&y=%20")
        .header("host", "shop.example")
        .body(full("body"))?;
    let answer = Client::http1(host.http).send(request).await?.expect(200)?;
    assert_eq!(answer.header("x-method")?, "PATCH");
    assert_eq!(answer.header("x-path")?, "/echo/a%2Fb?x=1&y=%20");
    assert_eq!(answer.header("x-authority")?, "shop.example");
    assert_eq!(answer.text(), "body");

    let request = Request::builder()
        .method("PROPFIND")
        .uri("/echo/own")
        .body(empty())?;
    let answer = Client::http1(host.http).send(request).await?.expect(200)?;
    assert_eq!(answer.header("x-method")?, "PROPFIND");
    Ok(())
}

/// Each chunk must come back before the next one is sent: a host that gathers
/// a body at either side would never answer.
#[tokio::test]
async fn bodies_stream_both_ways() -> Result<()> {
    let two = Service::new("two", guests::ECHO_P2).http("/two");
    let three = Service::new("three", guests::ECHO_P3).http("/three");
    let host = serving(&[two, three]).await?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for path in ["/two", "/three"] {
            let mut client = Client::new(host.http, protocol);
            ping_pong(&mut client, path)
                .await
                .with_context(|| format!("{path} by {protocol:?}"))?;
        }
    }
    Ok(())
}

/// Each chunk must come back before the next one is sent.
pub async fn ping_pong(client: &mut Client, path: &str) -> Result<()> {
    let (chunks, body) = channel();
    let begun = async {
        chunks.send(Bytes::from_static(b"chunk 0")).await?;
        client.stream(Request::post(path).body(body)?).await
    };
    let mut response = timeout(PATIENCE, begun)
        .await
        .context("no response before the body's end")??;
    ensure!(response.status() == 200, "{}", response.status());
    ensure!(read(response.body_mut(), 7).await? == "chunk 0");
    for turn in 1..10 {
        let chunk = format!("chunk {turn}");
        chunks.send(Bytes::from(chunk.clone())).await?;
        ensure!(read(response.body_mut(), chunk.len()).await? == chunk);
    }
    drop(chunks);
    let end = timeout(PATIENCE, response.body_mut().frame())
        .await
        .context("the body does not end")?;
    ensure!(
        end.is_none_or(
            |frame| frame.is_ok_and(|frame| frame.data_ref().is_none_or(Bytes::is_empty))
        )
    );
    Ok(())
}

#[tokio::test]
async fn large_bodies_come_back_whole() -> Result<()> {
    let limit = json!(32 << 20);
    let two = Service::new("two", guests::ECHO_P2)
        .http("/two")
        .set("limits.body", limit.clone());
    let three = Service::new("three", guests::ECHO_P3)
        .http("/three")
        .set("limits.body", limit);
    let host = serving(&[two, three]).await?;
    let bytes: Bytes = (0..8 << 20)
        .map(|n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for path in ["/two", "/three"] {
            let request = Request::post(path).body(full(bytes.clone()))?;
            let answer = Client::new(host.http, protocol)
                .send(request)
                .await?
                .expect(200)?;
            assert!(
                answer.body == bytes,
                "{path} by {protocol:?}: {} of {} bytes",
                answer.body.len(),
                bytes.len()
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn trailers_over_http1_must_be_announced() -> Result<()> {
    let sums = Service::new("sums", guests::TRAILERS_P3).http("/sums/*");
    let host = host_with("[log]\nlevel = \"debug\"\n").await?;
    host.admin()?.deploy_one(&sums).await?;
    let ask = async |path: &str| {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te, close\r\n\r\n"
        );
        raw::exchange(host.http, head.as_bytes()).await
    };
    let announced = ask("/sums/announced").await?;
    assert!(
        announced.ends_with("\r\n0\r\nx-sum: 7\r\n\r\n"),
        "{announced}"
    );
    for _ in 0..2 {
        let lost = ask("/sums/lost").await?;
        assert!(lost.ends_with("\r\n0\r\n\r\n"), "{lost}");
    }
    let told = |line: &str| line.contains("are lost over HTTP/1.1") && line.contains("\"sums\"");
    host.output().wait_for(told).await?;
    let lines = host.output().lines();
    assert_eq!(lines.iter().filter(|line| told(line)).count(), 1);
    let answer = Client::http2(host.http)
        .stream(Request::get("/sums/any").body(empty())?)
        .await?;
    let whole = timeout(PATIENCE, answer.into_body().collect()).await??;
    let sum = whole.trailers().and_then(|trailers| trailers.get("x-sum"));
    assert_eq!(sum.context("HTTP/2 has them")?, "7");
    Ok(())
}

/// Anybody could fill the log with it.
#[tokio::test]
async fn a_body_that_breaks_off_writes_no_warning() -> Result<()> {
    let sums = Service::new("sums", guests::TRAILERS_P3).http("/sums/*");
    let two = Service::new("two", guests::ECHO_P2).http("/two");
    let host = host_with("[log]\nlevel = \"debug\"\n").await?;
    host.admin()?.deploy_all(&[sums, two]).await?;
    for path in ["/two", "/sums/any"] {
        let broken = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nno length\r\n"
        );
        raw::exchange(host.http, broken.as_bytes()).await?;
    }
    let noted = host
        .output()
        .wait_for(|line| line.contains("a body broke off"))
        .await?;
    for label in ["\"service.name\":\"sums\"", "\"trace.id\":\""] {
        assert!(noted.contains(label), "{noted}");
    }
    for level in ["warn", "error"] {
        let label = format!("\"log.level\":\"{level}\"");
        let lines = host.output().lines();
        let loud: Vec<_> = lines.iter().filter(|line| line.contains(&label)).collect();
        assert!(loud.is_empty(), "{loud:?}");
    }
    Ok(())
}

/// A body that a test writes piece by piece.
fn channel() -> (mpsc::Sender<Bytes>, Body) {
    let (chunks, mut received) = mpsc::channel::<Bytes>(1);
    let stream = futures::stream::poll_fn(move |context| {
        received
            .poll_recv(context)
            .map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    });
    (chunks, StreamBody::new(stream).boxed())
}

async fn read(body: &mut Incoming, length: usize) -> Result<String> {
    let mut text = Vec::new();
    while text.len() < length {
        let frame = timeout(PATIENCE, body.frame())
            .await
            .with_context(|| format!("only {text:?} came"))?;
        let frame = frame.context("the body ended early")??;
        text.extend(frame.into_data().unwrap_or_default());
    }
    Ok(String::from_utf8(text)?)
}
