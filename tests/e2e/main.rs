//! End-to-end tests: the real binary, over real sockets, on port 0.
//!
//! One file a topic. Each test has a host of its own and waits on events, never
//! on time; [`stoa_tests`] holds what they share.

mod admin_api;
mod bindings;
mod blobs;
mod breaker;
mod browsers;
mod cached_writes;
mod caching;
mod cli;
mod client_certificates;
mod compression;
mod contracts;
mod cors;
mod crash;
mod deploy;
mod discovery;
mod downloads;
mod drain;
mod eureka;
mod fitting;
mod gateway;
mod guards;
mod http2_attacks;
mod idempotency;
mod identity;
mod keep;
mod leaving;
mod limits;
mod links;
mod live_config;
mod middleware;
mod misbehave;
mod misbehave_http;
mod neighbour;
mod outbound;
mod outbound_tls;
mod overload;
mod passthrough;
mod pools;
mod properties;
mod proxies;
mod queues;
mod rate;
mod refusals;
mod restart;
mod retries;
mod rollout;
mod sandbox;
mod schedules;
mod secrets;
mod security_headers;
mod shop;
mod smuggling;
mod state;
mod swap;
mod target_uri;
mod telemetry;
mod tls;
mod transcode;
mod unread_bodies;
mod uploads;
mod upstream_faults;
mod upstreams;
mod values;
mod websocket;

use anyhow::{Context as _, Result, ensure};
use stoa_tests::client::{Answer, PATIENCE};
use stoa_tests::process::{HostOptions, HostProcess};
use stoa_tests::service::Service;

/// A guest that no test uses is dead code, and does not compile.
#[deny(dead_code)]
mod guests {
    include!(stoa_tests::guests_file!());
}

/// The binary under test.
const STOA: &str = env!("CARGO_BIN_EXE_stoa");

/// A host with nothing on it.
async fn host() -> Result<HostProcess> {
    HostProcess::start(STOA, HostOptions::default()).await
}

/// A host with these settings in its file.
async fn host_with(config: &str) -> Result<HostProcess> {
    let options = HostOptions {
        config: Some(config.to_owned()),
        ..HostOptions::default()
    };
    HostProcess::start(STOA, options).await
}

/// A host on which these services are live.
async fn serving(services: &[Service]) -> Result<HostProcess> {
    let host = host().await?;
    host.admin()?.deploy_all(services).await?;
    Ok(host)
}

/// The service that most tests use: `GET /hello/{name}` and `GET /ping`.
fn hello() -> Service {
    Service::new("hello", guests::HELLO_FUNCTION)
        .call("GET /hello/{name}", "test:hello/greeter.greet")
        .call("GET /ping", "test:hello/greeter.ping")
}

/// How many requests and connections the host has refused for a reason, once they
/// are as many: a connection is counted after its end.
async fn rejections(host: &HostProcess, reason: &str, least: u64) -> Result<u64> {
    let admin = host.admin()?;
    let label = format!("stoa_rejected_total{{reason=\"{reason}\"}} ");
    let counted = async {
        loop {
            let metrics = admin.metrics().await?;
            let line = metrics.lines().find_map(|line| line.strip_prefix(&label));
            let count = line.map_or(Ok(0), str::parse)?;
            if count >= least {
                return anyhow::Ok(count);
            }
        }
    };
    let counted = tokio::time::timeout(PATIENCE, counted).await;
    counted.with_context(|| format!("not {least} refusals for {reason}"))?
}

/// Calls that compute without end: at least one did so up to its deadline, and the turn of
/// others may not have come.
fn ended_at_their_deadline(answers: &[Answer]) -> Result<()> {
    let mut stopped = 0;
    for answer in answers {
        if answer.status == 503 {
            answer.problem(503)?;
        } else {
            ensure!(
                answer.problem(504)?["code"] == "deadline",
                "{}",
                answer.text()
            );
            stopped += 1;
        }
    }
    ensure!(stopped > 0, "no call ran up to its deadline");
    Ok(())
}

/// Asks again and again until an answer is as wanted: each answer is an event, and
/// something else happens while they come.
async fn answered(
    mut ask: impl AsyncFnMut() -> Result<Answer>,
    wanted: impl Fn(&Answer) -> bool,
) -> Result<Answer> {
    let asked = async {
        loop {
            let answer = ask().await?;
            if wanted(&answer) {
                return anyhow::Ok(answer);
            }
        }
    };
    let asked = tokio::time::timeout(PATIENCE, asked).await;
    asked.context("no answer is as wanted")?
}
