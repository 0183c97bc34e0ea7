//! Logs and metrics: what an operator sees.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use stoa_tests::raw;
use stoa_tests::service::Service;

use crate::{guests, hello, host, host_with, serving};

/// Each line that the host wrote as a log record; the two first ones are for people.
fn records(lines: &[String]) -> Result<Vec<Value>> {
    let said = |line: &&String| {
        !line.starts_with("Serving HTTP on ") && !line.starts_with("Admin API on ")
    };
    lines
        .iter()
        .filter(said)
        .map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}")))
        .collect()
}

#[tokio::test]
async fn every_line_of_the_log_is_an_ecs_record() -> Result<()> {
    let faults =
        Service::new("faults", guests::MISBEHAVE).call("GET /trap", "test:misbehave/faults.trap");
    let host = serving(&[hello(), faults]).await?;
    host.get("/trap").await?.expect(502)?;
    host.output()
        .wait_for(|line| line.contains("call failed"))
        .await?;
    let records = records(&host.output().lines())?;
    assert!(!records.is_empty());
    for record in &records {
        for key in ["@timestamp", "log.level", "message", "ecs.version"] {
            assert!(record[key].is_string(), "no {key} in {record}");
        }
    }
    let trap = records
        .iter()
        .find(|record| record["service.name"] == "faults" && record["log.level"] == "error");
    let trap = trap.with_context(|| format!("no record of the trap in {records:#?}"))?;
    assert_eq!(trap["trace.id"].as_str().map(str::len), Some(32), "{trap}");
    Ok(())
}

#[tokio::test]
async fn the_log_tells_the_trace_of_what_is_refused_and_of_what_fails_its_call() -> Result<()> {
    let reader = Service::new("reader", guests::MISBEHAVE_P2)
        .http("/*")
        .set("limits.body", json!(8));
    let host = host_with("[log]\nlevel = \"debug\"\n").await?;
    host.admin()?.deploy_one(&reader).await?;
    let long = "POST /read-or-trap HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\
         connection: close\r\n\r\n10\r\nlonger than that\r\n0\r\n\r\n";
    for (asks, said) in [
        (
            "GET /%zz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "request refused",
        ),
        (long, "a request failed its call"),
    ] {
        let answer = raw::exchange(host.http, asks.as_bytes()).await?;
        let (_, problem) = answer.split_once("\r\n\r\n").context("no body")?;
        let problem: Value = serde_json::from_str(problem).context(answer.clone())?;
        let line = host.output().wait_for(|line| line.contains(said)).await?;
        let record: Value = serde_json::from_str(&line)?;
        assert_eq!(record["trace.id"], problem["trace_id"], "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_component_says_is_in_the_same_stream() -> Result<()> {
    let state = Service::new("state", guests::STATE).call("POST /say", "test:state/counter.say");
    let host = serving(&[state]).await?;
    host.post("/say", &json!("one thing")).await?.expect(204)?;
    for (stream, level) in [("stdout", None), ("stderr", None), ("log", Some("warn"))] {
        let text = format!("{stream} says one thing");
        let line = host.output().wait_for(|line| line.contains(&text)).await?;
        let record: Value = serde_json::from_str(&line)?;
        assert_eq!(record["service.name"], "state", "{record}");
        assert_eq!(record["service.version"], "1", "{record}");
        assert_eq!(record["message"], json!(text), "{record}");
        if let Some(level) = level {
            assert_eq!(record["log.level"], level, "{record}");
        }
    }
    Ok(())
}

/// The samples of a metric whose labels contain all of these.
fn samples<'a>(metrics: &'a str, name: &str, labels: &[&str]) -> Vec<&'a str> {
    let named = metrics.lines().filter(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    named
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .collect()
}

/// The sum of those samples.
fn sum(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    samples(metrics, name, labels)
        .iter()
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() -> Result<()> {
    let host = serving(&[hello()]).await?;
    for turn in 0..7 {
        host.get(&format!("/hello/number-{turn}"))
            .await?
            .expect(200)?;
    }
    host.get("/no/such/thing").await?.expect(404)?;
    let metrics = host.admin()?.metrics().await?;
    let labels = ["/hello/{name}", "\"GET\"", "\"200\"", "\"hello\""];
    assert_eq!(
        sum(
            &metrics,
            "http_server_request_duration_seconds_count",
            &labels
        ),
        7.0,
        "{metrics}"
    );
    assert!(
        sum(
            &metrics,
            "http_server_request_duration_seconds_count",
            &["\"404\""]
        ) >= 1.0,
        "{metrics}"
    );
    assert!(
        !metrics.contains("number-3") && !metrics.contains("/no/such"),
        "labels are bounded: {metrics}"
    );
    assert_eq!(
        sum(&metrics, "http_server_active_requests", &[]),
        0.0,
        "{metrics}"
    );
    Ok(())
}

#[tokio::test]
async fn pools_links_and_deployments_are_measured() -> Result<()> {
    let provider = Service::new("provider", guests::PROVIDER_V1).set("pool.min", json!(1));
    let consumer = Service::new("consumer", guests::CONSUMER)
        .call("GET /line/{question}", "test:versioned/report.line");
    let host = serving(&[provider, consumer]).await?;
    host.get("/line/How").await?.expect(200)?;
    let metrics = host.admin()?.metrics().await?;
    assert!(
        sum(&metrics, "stoa_pool_instances", &["\"provider\""]) >= 1.0,
        "{metrics}"
    );
    assert!(
        !samples(&metrics, "stoa_pool_queue_depth", &[]).is_empty(),
        "{metrics}"
    );
    assert!(
        sum(&metrics, "stoa_instantiate_seconds_count", &[]) >= 2.0,
        "{metrics}"
    );
    assert!(
        sum(
            &metrics,
            "stoa_call_duration_seconds_count",
            &["consumer", "provider"]
        ) >= 1.0,
        "{metrics}"
    );
    assert!(
        sum(&metrics, "stoa_deploy_swaps_total", &[]) >= 1.0,
        "{metrics}"
    );
    assert!(
        sum(&metrics, "stoa_deploy_step_seconds_count", &["\"compile\""]) >= 2.0,
        "{metrics}"
    );
    Ok(())
}

#[tokio::test]
async fn what_the_host_sheds_is_counted() -> Result<()> {
    let tight = Service::new("faults", guests::MISBEHAVE)
        .call("GET /block/{ms}", "test:misbehave/faults.block")
        .set("pool.max", json!(1))
        .set("pool.queue", json!(1));
    let host = serving(&[tight]).await?;
    let calls = futures::future::try_join_all((0..8).map(|_| host.get("/block/300"))).await?;
    let shed = calls.iter().filter(|answer| answer.status == 503).count();
    assert!(shed > 0);
    let metrics = host.admin()?.metrics().await?;
    assert_eq!(
        sum(&metrics, "stoa_rejected_total", &[]),
        shed as f64,
        "{metrics}"
    );
    Ok(())
}

/// A deployment is written down.
#[tokio::test]
async fn flushes_of_the_disk_are_timed() -> Result<()> {
    let host = host().await?;
    let flushes = async || {
        let metrics = host.admin()?.metrics().await?;
        anyhow::Ok(sum(&metrics, "stoa_state_flush_seconds_count", &[]))
    };
    let before = flushes().await?;
    host.admin()?.deploy_one(&hello()).await?;
    let after = flushes().await?;
    assert!(after > before, "{before} flushes, then {after}");
    Ok(())
}

#[tokio::test]
async fn metrics_are_well_formed() -> Result<()> {
    let host = serving(&[hello()]).await?;
    host.get("/ping").await?.expect(200)?;
    let metrics = host.admin()?.metrics().await?;
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').with_context(|| line.to_owned())?;
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(
            name.starts_with(|first: char| first.is_ascii_alphabetic()),
            "{line}"
        );
    }
    Ok(())
}
