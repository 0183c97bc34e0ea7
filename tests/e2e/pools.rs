//! Pools: growth, queue, overload, reuse, live scale, scale to zero, concurrency.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use http::Method;
use serde_json::{Value, json};
use stoa_tests::client::PATIENCE;
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::time::timeout;

use crate::{guests, hello, serving};

fn faults() -> Service {
    Service::new("faults", guests::MISBEHAVE)
        .call("GET /calls", "test:misbehave/faults.calls")
        .call("GET /block/{ms}", "test:misbehave/faults.block")
}

/// Waits until the pool is as wanted; the host tells, no clock does.
pub async fn until(
    host: &HostProcess,
    service: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let admin = host.admin()?;
    let mut last = Value::Null;
    let seen = async {
        loop {
            last = admin.pool(service).await?;
            if wanted(&last) {
                return anyhow::Ok(());
            }
        }
    };
    timeout(PATIENCE, seen).await.ok().transpose()?;
    anyhow::ensure!(wanted(&last), "the pool stays as it is: {last}");
    Ok(last)
}

#[tokio::test]
async fn a_full_pool_queues() -> Result<()> {
    let host = serving(&[faults().set("pool.max", json!(2))]).await?;
    let calls = try_join_all((0..8).map(|_| host.get("/block/150")));
    let (calls, _) = tokio::try_join!(
        calls,
        until(&host, "faults", |pool| pool["busy"] == 2
            && pool["queued"] != 0)
    )?;
    assert!(
        calls.iter().all(|answer| answer.status == 200),
        "a call is never refused while there is room to wait"
    );
    let pool = host.admin()?.pool("faults").await?;
    assert_eq!(
        (&pool["busy"], &pool["queued"]),
        (&json!(0), &json!(0)),
        "{pool}"
    );
    Ok(())
}

#[tokio::test]
async fn overload_is_shed_with_a_time_to_come_back() -> Result<()> {
    let tight = faults()
        .set("pool.max", json!(1))
        .set("pool.queue", json!(2));
    let host = serving(&[tight]).await?;
    let calls = try_join_all((0..12).map(|_| host.get("/block/400"))).await?;
    let mut by_status = BTreeMap::new();
    for answer in &calls {
        *by_status.entry(answer.status.as_u16()).or_insert(0) += 1;
        if answer.status == 503 {
            let problem = answer.problem(503)?;
            assert!(problem["code"].is_string(), "{problem}");
            assert!(answer.header("retry-after")?.parse::<u64>()? >= 1);
        }
    }
    assert_eq!(
        by_status.keys().collect::<Vec<_>>(),
        [&200, &503],
        "{by_status:?}"
    );
    assert!(
        by_status[&200] >= 3,
        "one that runs and two that wait are served: {by_status:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_call_waits_no_longer_than_its_queue_allows() -> Result<()> {
    let impatient = faults()
        .set("pool.max", json!(1))
        .set("pool.queue_deadline", json!("200ms"));
    let host = serving(&[impatient]).await?;
    let long = host.get("/block/3000");
    let late = async {
        until(&host, "faults", |pool| pool["busy"] == 1).await?;
        let begun = std::time::Instant::now();
        let answer = host.get("/calls").await?;
        anyhow::Ok((answer, begun.elapsed()))
    };
    let (long, (late, waited)) = tokio::try_join!(long, late)?;
    long.expect(200)?;
    late.problem(503)?;
    assert!(
        waited >= Duration::from_millis(150) && waited < Duration::from_millis(2500),
        "{waited:?}"
    );
    Ok(())
}

#[tokio::test]
async fn an_instance_serves_as_many_calls_as_it_may() -> Result<()> {
    for (reuse, expected) in [
        (json!(1), [1, 1, 1, 1]),
        (json!(3), [1, 2, 3, 1]),
        (Value::Null, [1, 2, 3, 4]),
    ] {
        let host = serving(&[faults()
            .set("pool.max", json!(1))
            .set("pool.reuse", reuse.clone())])
        .await?;
        for expected in expected {
            assert_eq!(
                host.get("/calls").await?.expect(200)?.json()?,
                json!(expected),
                "reuse = {reuse}"
            );
        }
    }
    Ok(())
}

/// A component as another toolchain makes it: of what made it, only that can be seen.
fn of_another_toolchain(component: &[u8]) -> Vec<u8> {
    const RUST: &[u8] = b"wit-bindgen-rust";
    let mut bytes = component.to_vec();
    for at in 0..bytes.len().saturating_sub(RUST.len()) {
        if bytes[at..].starts_with(RUST) {
            bytes[at..at + RUST.len()].copy_from_slice(b"some-other-tools");
        }
    }
    bytes
}

#[tokio::test]
async fn a_handler_is_reused_where_that_is_sound() -> Result<()> {
    let rust = Service::new("counted", guests::COUNTED_P2).http("/count");
    let other = Service::of_bytes("counted", of_another_toolchain(&rust.component)).http("/count");
    assert_ne!(rust.component, other.component);
    for (counted, reuse, expected, why) in [
        (rust, Value::Null, [1, 2, 3, 4], "made by"),
        (other.clone(), Value::Null, [1, 1, 1, 1], "some-other-tools"),
        (other, json!(3), [1, 2, 3, 1], "`pool.reuse` says so"),
    ] {
        let counted = counted
            .set("pool.max", json!(1))
            .set("pool.reuse", reuse.clone());
        let host = serving(&[counted]).await?;
        for expected in expected {
            let answer = host.get("/count").await?.expect(200)?;
            assert_eq!(answer.text().trim(), expected.to_string(), "{why}");
        }
        let detail = host.admin()?.get("/v1/services/counted").await?.json()?;
        let told = detail["live"][0]["reuse"]["reason"].as_str();
        assert!(told.is_some_and(|told| told.contains(why)), "{detail}");
    }
    Ok(())
}

#[tokio::test]
async fn the_last_idle_instance_is_taken_first() -> Result<()> {
    let host = serving(&[faults().set("pool.min", json!(4))]).await?;
    for expected in 1..=6 {
        assert_eq!(
            host.get("/calls").await?.expect(200)?.json()?,
            json!(expected),
            "one warm instance serves them all"
        );
    }
    Ok(())
}

#[tokio::test]
async fn scale_takes_effect_at_once() -> Result<()> {
    let host = serving(&[faults()]).await?;
    let admin = host.admin()?;
    let scale = async |body: Value| {
        admin
            .json(Method::PUT, "/v1/services/faults/scale", &body)
            .await
    };
    assert_eq!(admin.pool("faults").await?["min"], 0);
    scale(json!({ "min": 3, "max": 4 })).await?.expect(200)?;
    until(&host, "faults", |pool| {
        pool["idle"] == 3 && pool["max"] == 4
    })
    .await?;
    let calls = try_join_all((0..6).map(|_| host.get("/block/200")));
    let (calls, _) = tokio::try_join!(
        calls,
        until(&host, "faults", |pool| pool["busy"] == 4
            && pool["queued"] == 2)
    )?;
    assert!(calls.iter().all(|answer| answer.status == 200));
    scale(json!({ "min": 0, "max": 1 })).await?.expect(200)?;
    until(&host, "faults", |pool| {
        pool["idle"].as_u64() <= Some(1) && pool["max"] == 1
    })
    .await?;
    host.get("/calls").await?.expect(200)?;
    // What is left out stays.
    scale(json!({ "min": 1 })).await?.expect(200)?;
    until(&host, "faults", |pool| pool["min"] == 1 && pool["max"] == 1).await?;
    for bad in [
        json!({ "min": 3, "max": 2 }),
        json!({ "max": 0 }),
        json!({ "max": u32::MAX }),
        json!({ "mx": 1 }),
    ] {
        let answer = scale(bad.clone()).await?;
        assert!(
            answer.status.is_client_error(),
            "{bad} got {}",
            answer.status
        );
    }
    let answer = admin
        .json(
            Method::PUT,
            "/v1/services/nobody/scale",
            &json!({ "min": 1 }),
        )
        .await?;
    answer.problem(404)?;
    Ok(())
}

/// No instance is kept for it; many first calls at once are served all the same.
#[tokio::test]
async fn a_service_at_zero_answers_its_first_calls() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let pool = host.admin()?.pool("hello").await?;
    assert_eq!(pool["min"], 0, "{pool}");
    // The one that proved that the revision starts may still be there.
    assert!(pool["idle"].as_u64() <= Some(1), "{pool}");
    let first = try_join_all((0..20).map(|turn| async move {
        stoa_tests::client::get(host.http, &format!("/hello/{turn}")).await
    }));
    for answer in first.await? {
        answer.expect(200)?;
    }
    Ok(())
}

/// Async contracts share an instance up to `concurrency`, and not beyond.
#[tokio::test]
async fn an_async_contract_shares_its_instance() -> Result<()> {
    for concurrency in [1, 8] {
        let timed = Service::new("timed", guests::TIMED)
            .call("GET /rest/{ms}", "test:timed/timer.rest")
            .set("pool.max", json!(1))
            .set("pool.concurrency", json!(concurrency));
        let host = serving(&[timed]).await?;
        let calls = try_join_all((0..16).map(|_| host.get("/rest/100"))).await?;
        let most: Vec<_> = calls
            .into_iter()
            .map(|answer| answer.expect(200)?.json())
            .collect::<Result<_>>()?;
        let most = most
            .iter()
            .filter_map(Value::as_u64)
            .max()
            .context("expected numbers")?;
        assert_eq!(most, concurrency, "calls at the same time in one instance");
    }
    Ok(())
}

/// So do `wasi:http` 0.3 handlers; a trap then ends all of its instance's calls
/// and no other's.
#[tokio::test]
async fn handlers_share_their_instance() -> Result<()> {
    let raw = Service::new("raw", guests::HELLO_P3)
        .http("/raw")
        .set("pool.max", json!(1))
        .set("pool.concurrency", json!(16));
    let host = serving(&[raw]).await?;
    for _ in 0..10 {
        for answer in try_join_all((0..16).map(|_| host.get("/raw"))).await? {
            assert_eq!(answer.expect(200)?.text(), "Hello, world!");
        }
    }
    Ok(())
}
