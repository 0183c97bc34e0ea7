//! Retries of what may run twice, and deadlines that shrink along a chain.

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use serde_json::{Value, json};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, serving};

fn flaky() -> Service {
    Service::new("flaky", guests::FLAKY)
        .call("GET /turn", "test:flaky/turns.take")
        .call("POST /turn", "test:flaky/turns.take")
        .set("pool.max", json!(1))
        .set("breaker.enabled", json!(false))
}

async fn retries(host: &HostProcess, result: &str) -> Result<u64> {
    let line = format!("stoa_retries_total{{service=\"flaky\",result=\"{result}\"}} ");
    let metrics = host.admin()?.metrics().await?;
    let count = metrics.lines().find_map(|found| found.strip_prefix(&line));
    Ok(count.with_context(|| line.clone())?.parse()?)
}

#[tokio::test]
async fn a_get_is_tried_again_and_a_post_is_not() -> Result<()> {
    let host = serving(&[flaky()]).await?;
    for _ in 0..8 {
        host.get("/turn").await?.expect(200)?;
    }
    // Each instance serves one call well: seven of eight were the second try.
    assert_eq!(retries(&host, "succeeded").await?, 7);
    host.post("/turn", &Value::Null).await?.problem(502)?;
    host.post("/turn", &Value::Null).await?.expect(200)?;
    assert_eq!(retries(&host, "succeeded").await?, 7);
    Ok(())
}

#[tokio::test]
async fn retries_stay_within_their_budget() -> Result<()> {
    let host = serving(&[flaky()
        .set("retry.floor", json!(0))
        .set("retry.budget", json!(0.2))])
    .await?;
    let mut failed = 0;
    for _ in 0..100 {
        failed += u32::from(host.get("/turn").await?.status == 502);
    }
    let succeeded = retries(&host, "succeeded").await?;
    assert!(succeeded <= 30, "{succeeded} retries of 100 calls");
    assert_eq!(u64::from(failed), retries(&host, "over_budget").await?);
    assert!(failed > 0);
    Ok(())
}

/// What each hop says of the time that it has left.
async fn left(relay: &str, probe: &str) -> Result<(u64, u64)> {
    let relay = Service::new("relay", guests::RELAY)
        .call("GET /seen", "test:chain/relay.seen-twice")
        .set("limits.deadline", json!(relay));
    let probe = Service::new("probe", guests::PROBE).set("limits.deadline", json!(probe));
    let host = serving(&[relay, probe]).await?;
    let seen = host.get("/seen").await?.expect(200)?.json()?;
    let lines = seen.as_str().context("a text")?.lines();
    let remaining = lines.map(|line| {
        let field = line.split('|').nth(2).context("three fields")?;
        Ok(field.parse()?)
    });
    match remaining.collect::<Result<Vec<u64>>>()?[..] {
        [own, behind] => Ok((own, behind)),
        _ => anyhow::bail!("expected two lines, found {seen}"),
    }
}

#[tokio::test]
async fn deadlines_shrink_along_a_chain() -> Result<()> {
    let (long, short) = tokio::try_join!(left("9s", "30s"), left("30s", "4s"))?;
    assert!(
        long.0 <= 9000 && long.1 <= long.0,
        "the caller's holds: {long:?}"
    );
    assert!(
        short.0 > 4000 && short.1 <= 4000,
        "the callee's is shorter: {short:?}"
    );
    Ok(())
}

/// A call that is over is not tried again: the answer comes at the deadline.
#[tokio::test]
async fn a_deadline_is_no_reason_to_try_again() -> Result<()> {
    let slow = Service::new("flaky", guests::MISBEHAVE)
        .call("GET /block/{ms}", "test:misbehave/faults.block")
        .set("limits.deadline", json!("300ms"));
    let host = serving(&[slow]).await?;
    let all = try_join_all((0..4).map(|_| host.get("/block/60000"))).await?;
    for answer in all {
        answer.problem(504)?;
    }
    assert_eq!(retries(&host, "failed").await?, 0);
    Ok(())
}
