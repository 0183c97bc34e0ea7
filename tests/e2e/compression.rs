//! Compression of responses: what is compressed, how, and what is not.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result, bail};
use http::{Method, Request};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use stoa_tests::client::{Answer, Body, Client, PATIENCE, Protocol, empty, full, json_request};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::{guests, host_with, serving};

/// `POST /string` gives its JSON string back.
fn echo() -> Service {
    let off = json!({
        "target": { "call": "test:echo/values.echo-string" },
        "access": "public",
        "compression": "off",
    });
    Service::new("echo", guests::ECHO_TYPES)
        .call("POST /string", "test:echo/values.echo-string")
        .route("POST /off", off)
}

fn decoded(answer: &Answer) -> Result<String> {
    let mut text = String::new();
    let body = &answer.body[..];
    match answer.header("content-encoding")? {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_string(&mut text)?,
        "br" => brotli::Decompressor::new(body, 4096).read_to_string(&mut text)?,
        "zstd" => zstd::Decoder::new(body)?.read_to_string(&mut text)?,
        other => bail!("an unknown coding: {other}"),
    };
    Ok(text)
}

async fn echoed(host: &HostProcess, path: &str, size: usize, accept: &str) -> Result<Answer> {
    let mut request = json_request(Method::POST, path, &json!("ab".repeat(size / 2)))?;
    let accept = accept.parse()?;
    request.headers_mut().insert("accept-encoding", accept);
    Client::http1(host.http).send(request).await?.expect(200)
}

#[tokio::test]
async fn a_client_gets_the_coding_that_it_takes() -> Result<()> {
    let host = serving(&[echo()]).await?;
    for size in [2_000, 500_000] {
        for coding in ["gzip", "br", "zstd"] {
            let answer = echoed(&host, "/string", size, coding).await?;
            assert_eq!(answer.header("content-encoding")?, coding);
            assert_eq!(answer.header("vary")?, "accept-encoding");
            assert_eq!(answer.header("content-type")?, "application/json");
            assert!(answer.body.len() < size / 10, "{coding} of {size}");
            assert_eq!(decoded(&answer)?, json!("ab".repeat(size / 2)).to_string());
        }
    }
    let answer = echoed(&host, "/string", 2_000, "gzip;q=0.5, identity").await?;
    assert!(answer.header("content-encoding").is_err());
    assert_eq!(answer.header("vary")?, "accept-encoding");
    Ok(())
}

#[tokio::test]
async fn short_bodies_and_routes_that_say_so_stay_as_they_are() -> Result<()> {
    let host = serving(&[echo()]).await?;
    for (path, size) in [("/string", 100), ("/off", 5_000)] {
        let answer = echoed(&host, path, size, "gzip, br, zstd").await?;
        assert!(answer.header("content-encoding").is_err(), "{path}");
        assert!(answer.header("vary").is_err(), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_may_compress_nothing() -> Result<()> {
    let host = host_with("[gateway]\ncompression = \"off\"\n").await?;
    host.admin()?.deploy_all(&[echo()]).await?;
    let answer = echoed(&host, "/string", 5_000, "gzip").await?;
    assert!(answer.header("content-encoding").is_err());
    Ok(())
}

/// The echo of `wasi:http` names no type of content, so its body is left alone,
/// in each protocol and to the byte.
#[tokio::test]
async fn what_has_no_type_is_left_alone() -> Result<()> {
    let host = serving(&[Service::new("raw", guests::ECHO_P3).http("/raw")]).await?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let request = Request::post("/raw").header("accept-encoding", "gzip");
        let request = request.body(full("ab".repeat(5_000)))?;
        let answer = Client::new(host.http, protocol).send(request).await?;
        assert!(answer.header("content-encoding").is_err());
        assert_eq!(answer.body.len(), 10_000);
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_its_component_writes_bit_by_bit_is_sent_on_at_each_pause() -> Result<()> {
    let host = serving(&[Service::new("typed", guests::ECHO_P3).http("/typed")]).await?;
    let (chunks, received) = mpsc::channel::<&'static str>(1);
    let stream = futures::stream::unfold(received, async |mut received| {
        let chunk = received.recv().await?;
        Some((Ok::<_, std::io::Error>(Frame::data(chunk.into())), received))
    });
    let body: Body = StreamBody::new(Box::pin(stream)).boxed();
    let request = Request::post("/typed")
        .header("accept-encoding", "gzip")
        .header("content-type", "text/plain");
    let mut client = Client::http1(host.http);
    chunks.send("one ").await?;
    let response = timeout(PATIENCE, client.stream(request.body(body)?)).await??;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut body = response.into_body();
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    for (said, next) in [("one ", Some("two ")), ("one two ", None)] {
        while decoder.get_ref() != said.as_bytes() {
            let frame = timeout(PATIENCE, body.frame()).await?;
            let frame = frame.context("the body ended early")??;
            let data = frame.into_data().unwrap_or_default();
            std::io::Write::write_all(&mut decoder, &data)?;
            std::io::Write::flush(&mut decoder)?;
        }
        if let Some(next) = next {
            chunks.send(next).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_head_says_what_a_get_would() -> Result<()> {
    let counted = Service::new("counted", guests::COUNTED_P2).http("/counted");
    let host = serving(&[crate::hello(), counted]).await?;
    let (function, short) = (format!("/hello/{}", "ab".repeat(1000)), "/ping".to_owned());
    let component = "/counted?length=5000&content-type=text/plain".to_owned();
    for path in [function, short, component] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            for accept in ["gzip", "identity"] {
                let mut client = Client::new(host.http, protocol);
                let asks = |method| Request::builder().method(method).uri(&path);
                let asks = |method| asks(method).header("accept-encoding", accept).body(empty());
                let got = client.send(asks(Method::GET)?).await?.expect(200)?;
                let head = client.send(asks(Method::HEAD)?).await?.expect(200)?;
                assert!(head.body.is_empty());
                for name in ["content-encoding", "etag", "vary", "content-type"] {
                    assert_eq!(
                        head.header(name).ok(),
                        got.header(name).ok(),
                        "{path} {accept}"
                    );
                }
                if let Ok(length) = head.header("content-length") {
                    assert_eq!(length, got.body.len().to_string(), "{path} {accept}");
                }
                // The connection is still good.
                client.send(asks(Method::GET)?).await?.expect(200)?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_304_has_the_tag_of_the_answer_that_it_is_for() -> Result<()> {
    let host = serving(&[crate::hello()]).await?;
    let path = format!("/hello/{}", "ab".repeat(1000));
    for accept in ["gzip", "identity"] {
        for method in [Method::GET, Method::HEAD] {
            let asks = || {
                let asks = Request::builder().method(&method).uri(&path);
                asks.header("accept-encoding", accept)
            };
            let mut client = Client::http1(host.http);
            let another = asks().header("if-none-match", "\"another\"");
            let whole = client.send(another.body(empty())?).await?.expect(200)?;
            let tag = whole.header("etag")?;
            assert_eq!(tag.ends_with("-gzip\""), accept == "gzip", "{tag}");
            let known = asks().header("if-none-match", tag).body(empty())?;
            let short = client.send(known).await?.expect(304)?;
            assert_eq!(short.header("etag")?, tag);
            assert_eq!(short.header("vary")?, whole.header("vary")?);
            assert!(short.header("content-encoding").is_err());
        }
    }
    Ok(())
}

fn encoded(coding: &str, text: &[u8]) -> Result<Vec<u8>> {
    Ok(match coding {
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
            encoder.write_all(text)?;
            encoder.into_inner()
        }
        "zstd" => zstd::encode_all(text, 3)?,
        _ => {
            let level = flate2::Compression::fast();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(text)?;
            encoder.finish()?
        }
    })
}

async fn sent(host: &HostProcess, path: &str, coding: &str, body: Vec<u8>) -> Result<Answer> {
    // A new key for each.
    let key = hex::encode(Sha256::digest(&body));
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("content-encoding", coding)
        .header("idempotency-key", key);
    Client::http1(host.http)
        .send(request.body(full(body))?)
        .await
}

#[tokio::test]
async fn a_compressed_request_is_read_within_its_limit() -> Result<()> {
    let keyed = json!({
        "target": { "call": "test:echo/values.echo-string" },
        "access": "public",
        "idempotency": { "key": "required" },
    });
    let raw = Service::new("raw", guests::ECHO_P2).http("/raw");
    let limited = echo().route("POST /keyed", keyed);
    let host = serving(&[limited.set("limits.body", json!(10_000)), raw]).await?;
    let fits = json!("ab".repeat(4_900)).to_string();
    let bomb = json!("ab".repeat(5_000)).to_string();
    for coding in ["gzip", "br", "zstd"] {
        for path in ["/string", "/keyed"] {
            let answer = sent(&host, path, coding, encoded(coding, fits.as_bytes())?);
            assert_eq!(answer.await?.expect(200)?.text(), fits, "{coding}");
            let refused = sent(&host, path, coding, encoded(coding, bomb.as_bytes())?);
            let problem = refused.await?.problem(413)?;
            assert_eq!(problem["code"], "body_too_large", "{coding}");
        }
        let problem = sent(&host, "/string", coding, b"\"plain\"".to_vec()).await?;
        assert_eq!(problem.problem(400)?["code"], "malformed_encoding");
    }
    let strange = sent(&host, "/string", "compress", b"\"a\"".to_vec()).await?;
    strange.problem(415)?;
    assert_eq!(strange.header("accept-encoding")?, "gzip, br, zstd");
    // A component that reads the request itself gets the body as it was sent.
    let body = encoded("gzip", b"as it is")?;
    let whole = sent(&host, "/raw", "gzip", body.clone())
        .await?
        .expect(200)?;
    assert_eq!(whole.body, body);
    let untyped = Request::post("/string").body(full("\"a\""))?;
    let untyped = Client::http1(host.http).send(untyped).await?;
    let problem = untyped.problem(415)?;
    assert_eq!(untyped.header("accept")?, "application/json");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("send JSON"), "{detail}");
    Ok(())
}
