//! Request bodies that break off, come too slowly or are too long: the client's
//! fault, on every kind of route, and never held against the service.

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use http::{Method, Request};
use serde_json::json;
use stoa_tests::client::{Client, PATIENCE, full};
use stoa_tests::frames::{END_HEADERS, END_STREAM, Frames, frame, headers, kind, request};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use tokio::io::AsyncWriteExt as _;

use crate::{guests, host_with, rejections};

/// One route of each kind: to a function, to a handler of either version, to an
/// upstream.
const ROUTES: [&str; 4] = ["/call", "/two", "/three", "/legacy/x"];

/// More than it takes to open a breaker.
const MANY: u64 = 10;

/// What a body may have on every route, in bytes.
const LIMIT: u64 = 1000;

struct Stage {
    host: HostProcess,
    /// Behind `/legacy/*`.
    _origin: Origin,
}

/// All routes of [`ROUTES`], with this deadline, on a host with these settings.
async fn stage(config: &str, deadline: &str) -> Result<Stage> {
    staged(config, deadline, Behaviour::Echo).await
}

async fn staged(config: &str, deadline: &str, behaviour: Behaviour) -> Result<Stage> {
    let origin = Origin::start("one", behaviour).await?;
    let host = host_with(config).await?;
    let admin = host.admin()?;
    let limited = |service: Service| {
        service
            .set("limits.body", json!(LIMIT))
            .set("limits.deadline", json!(deadline))
    };
    let services = [
        Service::new("call", guests::ECHO_TYPES).call("POST /call", "test:echo/values.echo-string"),
        Service::new("two", guests::ECHO_P2).http("/two"),
        Service::new("three", guests::ECHO_P3).http("/three"),
        Service::new("bad", guests::MISBEHAVE_P2).http("/bad/*"),
    ];
    admin.deploy_all(&services.map(limited)).await?;
    let legacy = json!({
        "targets": [origin.url()],
        "routes": [{ "path": "/legacy/*", "target": "http", "access": "public" }],
        "limits": { "deadline": deadline, "connect": "1s", "body": LIMIT },
    });
    let declared = admin.json(Method::PUT, "/v1/upstreams/legacy", &legacy);
    declared.await?.expect(200)?;
    Ok(Stage {
        host,
        _origin: origin,
    })
}

impl Stage {
    /// An honest request gets its answer: no breaker stands in its way.
    async fn is_well(&self, path: &str) -> Result<()> {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(full("\"a\""))?;
        let answer = Client::http1(self.host.http).send(request).await?;
        answer.expect(200).with_context(|| path.to_owned())?;
        Ok(())
    }

    /// So many clients that left were noticed: by their bodies, or before their calls
    /// had begun.
    async fn noticed(&self, left: u64) -> Result<()> {
        let admin = self.host.admin()?;
        let noticed = async {
            loop {
                let metrics = admin.metrics().await?;
                let lines = metrics.lines().filter(|line| {
                    line.starts_with("stoa_rejected_total{reason=\"broken_body\"}")
                        || (line.starts_with("http_server_request_duration_seconds_count")
                            && line.contains("\"499\""))
                });
                let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
                if counts.sum::<u64>() >= left {
                    return anyhow::Ok(());
                }
            }
        };
        let noticed = tokio::time::timeout(PATIENCE, noticed).await;
        noticed.with_context(|| format!("{left} clients have left, and fewer are counted"))?
    }

    async fn all_are_well(&self) -> Result<()> {
        for path in ROUTES {
            self.is_well(path).await?;
        }
        Ok(())
    }
}

/// A request's head, up to the headers that say how long its body is.
fn post(path: &str, rest: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{rest}")
}

fn chunked(path: &str, body: &str) -> String {
    post(path, &format!("transfer-encoding: chunked\r\n\r\n{body}"))
}

#[tokio::test]
async fn clients_that_leave_in_mid_upload_open_no_breaker() -> Result<()> {
    let stage = stage("", "30s").await?;
    let mut left = 0;
    for path in ROUTES {
        for begun in [
            post(path, "content-length: 50\r\n\r\n\"ab"),
            chunked(path, "3\r\n\"ab\r\n"),
        ] {
            for _ in 0..MANY {
                drop(raw::begin(stage.host.http, begun.as_bytes()).await?);
                left += 1;
                stage.noticed(left).await?;
            }
            stage.is_well(path).await?;
        }
    }
    stage.all_are_well().await
}

#[tokio::test]
async fn clients_that_half_close_in_mid_upload_open_no_breaker() -> Result<()> {
    let stage = stage("", "30s").await?;
    for path in ROUTES {
        let begun = post(path, "content-length: 50\r\n\r\n\"ab");
        for _ in 0..MANY {
            let mut stream = raw::begin(stage.host.http, begun.as_bytes()).await?;
            stream.shutdown().await?;
            raw::rest(&mut stream).await?;
        }
        stage.is_well(path).await?;
    }
    stage.all_are_well().await
}

#[tokio::test]
async fn bodies_over_the_limit_open_no_breaker() -> Result<()> {
    let stage = stage("", "30s").await?;
    let chunk = format!("3e9\r\n{}\r\n", "a".repeat(1001));
    for (counted, path) in ROUTES.into_iter().enumerate() {
        for _ in 0..MANY {
            let sent = chunked(path, &chunk);
            let received = raw::exchange(stage.host.http, sent.as_bytes()).await?;
            // A handler that is streamed to may have answered.
            if !["/two", "/three"].contains(&path) {
                assert_eq!(raw::statuses(&received), [413], "{path}: {received:?}");
                assert!(received.contains("body_too_large"), "{received:?}");
            }
        }
        stage.is_well(path).await?;
        let all = MANY * (counted as u64 + 1);
        let told = rejections(&stage.host, "body_too_large", all).await?;
        assert_eq!(told, all, "{path}");
    }
    Ok(())
}

/// Chunks and trailers that are none: no two readers may see different ends.
#[tokio::test]
async fn what_is_no_chunk_is_a_broken_body_on_every_route() -> Result<()> {
    let stage = stage("", "30s").await?;
    let mut told = 0;
    let trailers: String = (0..2000).map(|n| format!("t{n}: b\r\n")).collect();
    for broken in [
        "zz\r\na\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "1\na\n0\n\n",
        "\r\na\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\na\r\n",
        "0\r\nbad header\r\n\r\n",
        &format!("0\r\n{trailers}\r\n"),
        &format!("1;{}\r\na\r\n0\r\n\r\n", "a".repeat(70_000)),
    ] {
        for path in ROUTES {
            let received = raw::exchange(stage.host.http, chunked(path, broken).as_bytes()).await?;
            let what = format!(
                "{path}, {:?}: {received:?}",
                &broken[..broken.len().min(20)]
            );
            let statuses = raw::statuses(&received);
            // A handler may answer before its body ends, and 0.3 whatever its end is.
            if path == "/three" {
                assert!(!received.contains("trap"), "{what}");
            } else if path == "/two" && statuses == [200] {
                assert!(!received.ends_with("\r\n0\r\n\r\n"), "{what}");
            } else {
                assert_eq!(statuses, [400], "{what}");
                assert!(received.contains("\"code\":\"broken_body\""), "{what}");
            }
            told += 1;
            assert_eq!(
                rejections(&stage.host, "broken_body", told).await?,
                told,
                "{what}"
            );
        }
    }
    stage.all_are_well().await?;
    let metrics = stage.host.admin()?.metrics().await?;
    for reason in ["trap", "bad_gateway", "input"] {
        assert!(
            !metrics.contains(&format!("reason=\"{reason}\"")),
            "{metrics}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn slow_bodies_open_no_breaker() -> Result<()> {
    let stage = stage("[gateway]\nbody_timeout = \"300ms\"\n", "30s").await?;
    all_too_slow(&stage, MANY).await
}

/// A body that is still on its way at its call's deadline keeps the service waiting.
#[tokio::test]
async fn bodies_that_take_all_of_a_calls_time_open_no_breaker() -> Result<()> {
    let stage = stage("", "500ms").await?;
    all_too_slow(&stage, MANY).await
}

/// So many clients on each route stall in the middle of their bodies.
async fn all_too_slow(stage: &Stage, many: u64) -> Result<()> {
    let mut told = 0;
    for path in ROUTES {
        let begun = post(path, "content-length: 50\r\n\r\n\"ab");
        let stalled = (0..many).map(|_| raw::exchange(stage.host.http, begun.as_bytes()));
        for received in try_join_all(stalled).await? {
            // A handler that echoes has answered; its answer must not look complete.
            if ["/two", "/three"].contains(&path) {
                assert!(!received.contains("trap"), "{path}: {received:?}");
            } else {
                assert_eq!(raw::statuses(&received), [408], "{path}: {received:?}");
                assert!(received.contains("body_too_slow"), "{received:?}");
            }
        }
        told += many;
        assert_eq!(
            rejections(&stage.host, "slow_body", told).await?,
            told,
            "{path}"
        );
        stage.is_well(path).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_http_2_body_of_another_length_opens_no_breaker() -> Result<()> {
    let stage = stage("", "30s").await?;
    for path in ROUTES {
        let mut frames = Frames::open(stage.host.http, &[]).await?;
        let streams = (1..).step_by(2);
        for stream in streams.take(usize::try_from(MANY)?) {
            let mut fields = request("POST", path).to_vec();
            fields.extend([
                ("content-type", "application/json"),
                ("content-length", "10"),
            ]);
            frames
                .send(&[
                    headers(stream, END_HEADERS, &fields),
                    frame(kind::DATA, END_STREAM, stream, b"abc"),
                ])
                .await?;
            frames.end(stream).await?;
        }
        stage.is_well(path).await?;
    }
    stage.all_are_well().await
}

/// A handler that reads before it answers has said nothing yet.
#[tokio::test]
async fn a_client_learns_its_fault_from_a_handler_that_reads_first() -> Result<()> {
    let stage = stage("[gateway]\nbody_timeout = \"300ms\"\n", "30s").await?;
    let path = "/bad/read-or-trap";
    let long = format!("1\r\na\r\n3e9\r\n{}\r\n", "a".repeat(1001));
    let ext = format!("1;{}\r\na\r\n0\r\n\r\n", "a".repeat(70_000));
    for (sent, status, code) in [
        (chunked(path, "1\r\na\r\n"), 408, "body_too_slow"),
        (chunked(path, "1\r\na\r\nzz\r\n"), 400, "broken_body"),
        (chunked(path, &ext), 400, "broken_body"),
        (chunked(path, &long), 413, "body_too_large"),
    ] {
        for _ in 0..MANY {
            let received = raw::exchange(stage.host.http, sent.as_bytes()).await?;
            assert_eq!(raw::statuses(&received), [status], "{received:?}");
            assert!(received.contains(code), "{received:?}");
        }
        stage.is_well(path).await?;
    }
    Ok(())
}

/// A handler may also say 500 of a body that it can't read.
#[tokio::test]
async fn an_error_that_answers_a_broken_body_opens_no_breaker() -> Result<()> {
    let stage = stage("", "30s").await?;
    let path = "/bad/read-or-500";
    for _ in 0..MANY {
        let sent = chunked(path, "1\r\na\r\nzz\r\n");
        let received = raw::exchange(stage.host.http, sent.as_bytes()).await?;
        assert_eq!(raw::statuses(&received), [500], "{received:?}");
    }
    assert_eq!(rejections(&stage.host, "broken_body", MANY).await?, MANY);
    stage.is_well(path).await
}

/// Whatever its client does, a component that traps of its own accord is to blame.
#[tokio::test]
async fn an_unfinished_upload_hides_no_trap() -> Result<()> {
    let stage = stage("", "30s").await?;
    for _ in 0..MANY {
        let begun = post("/bad/trap-before", "content-length: 50\r\n\r\n\"ab");
        let mut stream = raw::begin(stage.host.http, begun.as_bytes()).await?;
        let head = raw::until(&mut stream, "\r\n\r\n").await?;
        assert!(
            [vec![502], vec![503]].contains(&raw::statuses(&head)),
            "{head}"
        );
    }
    let problem = stage.host.get("/bad/well").await?.problem(503)?;
    assert_eq!(problem["code"], "breaker_open");
    Ok(())
}

/// Nor an upstream that leaves while it is sent to.
#[tokio::test]
async fn an_unfinished_upload_hides_no_dead_upstream() -> Result<()> {
    let stage = staged("", "30s", Behaviour::Leave).await?;
    for _ in 0..MANY {
        let begun = post("/legacy/x", "content-length: 50\r\n\r\n\"ab");
        let mut stream = raw::begin(stage.host.http, begun.as_bytes()).await?;
        let head = raw::until(&mut stream, "\r\n\r\n").await?;
        assert!(
            [vec![502], vec![503]].contains(&raw::statuses(&head)),
            "{head}"
        );
    }
    let problem = stage.host.get("/legacy/x").await?.problem(503)?;
    assert_eq!(problem["code"], "breaker_open");
    Ok(())
}

/// RFC 9112, 3.2: only HTTP/1.1 asks for a host.
#[tokio::test]
async fn http_1_0_needs_no_host() -> Result<()> {
    let stage = stage("", "30s").await?;
    for path in ["/two", "/three", "/legacy/x"] {
        let asked = format!("GET {path} HTTP/1.0\r\n\r\n");
        let received = raw::exchange(stage.host.http, asked.as_bytes()).await?;
        assert!(received.starts_with("HTTP/1.0 200"), "{path}: {received:?}");
        let told = received.contains("x-authority: localhost\r\n");
        assert_eq!(told, path == "/two", "{received:?}");
    }
    Ok(())
}
