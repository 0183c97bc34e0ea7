//! Breakers: what only fails is cut off, and comes back when it is well.

use anyhow::{Context as _, Result, bail};
use futures::future::try_join_all;
use http::Method;
use serde_json::{Value, json};
use stoa_tests::client::PATIENCE;
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::time::{Instant, interval};

use crate::{guests, hello, serving};

fn faulty() -> Service {
    let function = |name: &str| format!("test:misbehave/faults.{name}");
    Service::new("faulty", guests::MISBEHAVE)
        .call("GET /well", &function("well"))
        .call("GET /trap", &function("trap"))
        .call("GET /block/{ms}", &function("block"))
        .set("retry.retries", json!(0))
        // Back soon, so that the tests need not wait.
        .set("breaker.open_min", json!("100ms"))
        .set("breaker.ramp", json!("0s"))
}

/// Asks until the answer has this status.
pub async fn until(host: &HostProcess, path: &str, status: u16) -> Result<()> {
    let (begun, mut turns) = (
        Instant::now(),
        interval(std::time::Duration::from_millis(20)),
    );
    while host.get(path).await?.status != status {
        if begun.elapsed() > PATIENCE {
            bail!("{path} never got {status}");
        }
        turns.tick().await;
    }
    Ok(())
}

async fn breakers(host: &HostProcess, service: &str) -> Result<Vec<Value>> {
    let path = format!("/v1/services/{service}/breaker");
    let list = host.admin()?.get(&path).await?.expect(200)?.json()?;
    Ok(list.as_array().cloned().unwrap_or_default())
}

async fn force(host: &HostProcess, service: &str, body: Value) -> Result<()> {
    let path = format!("/v1/services/{service}/breaker");
    let admin = host.admin()?;
    admin.json(Method::PUT, &path, &body).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn traps_open_it_and_a_probe_closes_it() -> Result<()> {
    let slow = faulty().set("breaker.open_min", json!("30s"));
    let host = serving(&[slow, hello()]).await?;
    for _ in 0..5 {
        host.get("/trap").await?.problem(502)?;
    }
    let answer = host.get("/well").await?;
    assert_eq!(answer.problem(503)?["code"], "breaker_open");
    let retry: u64 = answer.header("retry-after")?.parse()?;
    assert!((29..=46).contains(&retry), "{retry}");
    host.get("/ping").await?.expect(200)?;

    let shown = breakers(&host, "faulty").await?;
    assert_eq!(shown[0]["state"], "open", "{shown:?}");
    assert_eq!(shown[0]["link"], "gateway");
    let reason = shown[0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("5 of 5 calls failed"), "{reason}");
    let metrics = host.admin()?.metrics().await?;
    for line in [
        "stoa_breaker_state{service=\"faulty\",revision=\"1\",link=\"gateway\"} 2",
        "stoa_breaker_transitions_total{service=\"faulty\",revision=\"1\",link=\"gateway\",to=\"open\"} 1",
        "stoa_rejected_total{reason=\"breaker_open\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }

    let quick = serving(&[faulty()]).await?;
    for _ in 0..5 {
        quick.get("/trap").await?.problem(502)?;
    }
    until(&quick, "/well", 200).await?;
    assert_eq!(breakers(&quick, "faulty").await?[0]["state"], "closed");
    Ok(())
}

/// The number of a refused revision comes again, and the settings of the next one count.
#[tokio::test]
async fn a_refused_deployment_leaves_no_breaker_behind() -> Result<()> {
    let host = serving(&[faulty(), hello()]).await?;
    let conflict = faulty().call("GET /ping", "test:misbehave/faults.well");
    let faults = host.admin()?.refused(&conflict).await?;
    assert_eq!(faults[0].code, "route_conflict", "{faults:?}");
    let unguarded = faulty().set("breaker.enabled", json!(false));
    host.admin()?.deploy_one(&unguarded).await?;
    for _ in 0..20 {
        host.get("/trap").await?.problem(502)?;
    }
    host.get("/well").await?.expect(200)?;
    Ok(())
}

/// A revision that only traps runs a few calls, then one a while.
#[tokio::test]
async fn a_storm_of_traps_does_not_reach_the_guest() -> Result<()> {
    let host = serving(&[faulty().set("breaker.open_min", json!("30s")), hello()]).await?;
    let mut ran = 0;
    for _ in 0..20 {
        for answer in try_join_all((0..50).map(|_| host.get("/trap"))).await? {
            ran += u32::from(answer.status == 502);
        }
    }
    // Those that were under way when the fifth failed end as they would have.
    assert!((5..=50).contains(&ran), "{ran} of 1000 calls ran");
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn shedding_does_not_open_it() -> Result<()> {
    let small = faulty()
        .set("pool.max", json!(1))
        .set("pool.queue", json!(0));
    let host = serving(&[small]).await?;
    let all = try_join_all((0..20).map(|_| host.get("/block/300"))).await?;
    let shed = all.iter().filter(|answer| answer.status == 503);
    assert!(shed.count() >= 7, "{all:?}");
    host.get("/well").await?.expect(200)?;
    assert_eq!(breakers(&host, "faulty").await?[0]["state"], "closed");
    Ok(())
}

#[tokio::test]
async fn an_operator_holds_it_and_a_restart_keeps_that() -> Result<()> {
    let host = serving(&[faulty()]).await?;
    let ran = host.cli(&["breaker", "faulty", "open"]).await?;
    assert!(ran.expect(0)?.contains("open (forced)"), "{ran:?}");
    host.get("/well").await?.problem(503)?;

    let host = host.crash_and_restart().await?;
    host.get("/well").await?.problem(503)?;
    host.admin()?.deploy_one(&faulty()).await?;
    host.get("/well").await?.problem(503)?;
    force(&host, "faulty", json!({ "state": "closed" })).await?;
    for _ in 0..20 {
        host.get("/trap").await?.problem(502)?;
    }
    force(&host, "faulty", json!({ "state": "auto" })).await?;
    host.get("/well").await?.expect(200)?;

    // Undeployed, nobody holds it, before a restart and after.
    force(&host, "faulty", json!({ "state": "open" })).await?;
    host.cli(&["undeploy", "faulty"]).await?.expect(0)?;
    host.admin()?.deploy_one(&faulty()).await?;
    host.get("/well").await?.expect(200)?;
    let host = host.crash_and_restart().await?;
    host.get("/well").await?.expect(200)?;

    let admin = host.admin()?;
    let unknown = json!({ "state": "open", "link": "nobody" });
    let path = "/v1/services/faulty/breaker";
    admin.json(Method::PUT, path, &unknown).await?.expect(409)?;
    Ok(())
}

/// A link is known before a call comes over it, and shown while it is held.
#[tokio::test]
async fn a_link_can_be_held_before_it_is_used() -> Result<()> {
    let left = Service::new("left", guests::CHAIN_LEFT)
        .call("GET /bounce/{n}", "test:chain/left.bounce")
        .set("retry.retries", json!(0));
    let host = serving(&[left, Service::new("right", guests::CHAIN_RIGHT)]).await?;
    let held = ["breaker", "right", "open", "--link", "left"];
    host.cli(&held).await?.expect(0)?;
    let of_left = async |host: &HostProcess| {
        let breakers = breakers(host, "right").await?;
        let mut of_left = breakers.into_iter().filter(|one| one["link"] == "left");
        of_left.next().context("the link is not shown")
    };
    assert_eq!(of_left(&host).await?["forced"], json!(true));
    let host = host.crash_and_restart().await?;
    assert_eq!(of_left(&host).await?["state"], json!("open"));
    host.get("/bounce/1").await?.problem(503)?;

    let stranger = host
        .cli(&["breaker", "right", "open", "--link", "nobody"])
        .await?;
    stranger.expect(1)?;
    let text = &stranger.stderr;
    assert!(text.contains("one of gateway, left"), "{text}");
    assert_eq!(text.matches("nobody").count(), 1, "{text}");
    Ok(())
}

/// What is cut off is the link to the provider; the consumer is not to blame.
#[tokio::test]
async fn a_dependency_that_is_cut_off_does_not_cut_off_who_needs_it() -> Result<()> {
    let left = Service::new("left", guests::CHAIN_LEFT)
        .call("GET /bounce/{n}", "test:chain/left.bounce")
        .set("retry.retries", json!(0));
    let right = Service::new("right", guests::CHAIN_RIGHT);
    let host = serving(&[left, right]).await?;
    host.get("/bounce/1").await?.expect(200)?;
    force(&host, "right", json!({ "state": "open", "link": "left" })).await?;
    for _ in 0..10 {
        // Nothing has failed: the same request may work later.
        let answer = host.get("/bounce/1").await?;
        let problem = answer.problem(503)?;
        assert_eq!(problem["code"], "dependency", "{problem}");
        answer.header("retry-after")?;
    }
    host.get("/bounce/0").await?.expect(200)?;
    force(&host, "right", json!({ "state": "auto" })).await?;
    host.get("/bounce/1").await?.expect(200)?;
    Ok(())
}
