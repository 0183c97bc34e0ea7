//! Guests that fail in functions: each failure costs its call and its instance.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use serde_json::{Value, json};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{ended_at_their_deadline, guests, hello, host, serving};

/// A service with a route to each fault, and short limits.
fn misbehaving() -> Service {
    let function = |name: &str| format!("test:misbehave/faults.{name}");
    Service::new("misbehave", guests::MISBEHAVE)
        .call("GET /well", &function("well"))
        .call("GET /calls", &function("calls"))
        .call("GET /trap", &function("trap"))
        .call("GET /spin", &function("spin"))
        .call("GET /grow/{mib}", &function("grow"))
        .call("GET /block/{ms}", &function("block"))
        .call("GET /huge/{mib}", &function("huge"))
        .call("GET /recurse", &function("recurse"))
        .call("GET /refuse/{how}", &function("refuse"))
        .call("GET /own/{how}", &function("refuse-own"))
        .set("limits.deadline", json!("1s"))
        .set("limits.memory", json!(32 << 20))
        // Here each call is to reach the guest.
        .set("breaker.enabled", json!(false))
        .set("retry.retries", json!(0))
}

/// The status and code of the host's answer, and that it tells no internals.
async fn fails(host: &HostProcess, path: &str, status: u16) -> Result<Value> {
    let problem = host.get(path).await?.problem(status)?;
    let text = problem.to_string();
    for internal in ["wasm", "panicked", "unreachable", "backtrace", ".rs"] {
        assert!(
            !text.contains(internal),
            "{path} tells of {internal}: {text}"
        );
    }
    assert_eq!(
        problem["trace_id"].as_str().map(str::len),
        Some(32),
        "{problem}"
    );
    Ok(problem)
}

#[tokio::test]
async fn a_trap_costs_its_call_and_its_instance() -> Result<()> {
    let host = serving(&[misbehaving().set("pool.max", json!(1))]).await?;
    let calls = async || host.get("/calls").await?.expect(200)?.json();
    assert_eq!(calls().await?, json!(1));
    assert_eq!(calls().await?, json!(2), "a warm instance is used again");
    fails(&host, "/trap", 502).await?;
    assert_eq!(
        calls().await?,
        json!(1),
        "the instance that trapped is gone"
    );
    fails(&host, "/recurse", 502).await?;
    assert_eq!(calls().await?, json!(1));
    Ok(())
}

#[tokio::test]
async fn a_busy_loop_is_stopped_at_its_deadline() -> Result<()> {
    let host = serving(&[misbehaving()]).await?;
    let begun = Instant::now();
    fails(&host, "/spin", 504).await?;
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "not before its deadline: {:?}",
        begun.elapsed()
    );
    host.get("/well").await?.expect(200)?;
    Ok(())
}

/// More busy guests than the machine has cores, and a neighbour that answers.
#[tokio::test]
async fn busy_guests_never_block_others() -> Result<()> {
    let busy = misbehaving().set("limits.deadline", json!("3s"));
    let host = serving(&[busy, hello()]).await?;
    let spins = try_join_all((0..16).map(|_| host.get("/spin")));
    let neighbour = async {
        for turn in 0..50 {
            host.get(&format!("/hello/{turn}")).await?.expect(200)?;
        }
        anyhow::Ok(Instant::now())
    };
    let begun = Instant::now();
    let (spins, served) = tokio::try_join!(spins, neighbour)?;
    assert!(
        served.duration_since(begun) < begun.elapsed(),
        "the neighbour waited for the busy guests to end"
    );
    ended_at_their_deadline(&spins)
}

#[tokio::test]
async fn a_guest_beyond_its_memory_fails_alone() -> Result<()> {
    let host = serving(&[misbehaving(), hello()]).await?;
    assert_eq!(
        host.get("/grow/8").await?.expect(200)?.json()?,
        json!("8 MiB")
    );
    fails(&host, "/grow/64", 502).await?;
    host.get("/well").await?.expect(200)?;
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_guest_that_waits_in_the_host_is_stopped_too() -> Result<()> {
    let host = serving(&[misbehaving().set("pool.max", json!(1))]).await?;
    assert_eq!(
        host.get("/block/50").await?.expect(200)?.json()?,
        json!("waited 50 ms")
    );
    let begun = Instant::now();
    fails(&host, "/block/60000", 504).await?;
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    host.get("/well").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_large_answer_comes_whole_or_fails_alone() -> Result<()> {
    let host = serving(&[misbehaving(), hello()]).await?;
    let answer = host.get("/huge/8").await?.expect(200)?;
    assert_eq!(answer.body.len(), (8 << 20) + 2);
    fails(&host, "/huge/512", 502).await?;
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn each_standard_error_has_its_status() -> Result<()> {
    let host = serving(&[misbehaving()]).await?;
    let cases = [
        ("not-found", 404),
        ("conflict", 409),
        ("precondition-failed", 412),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("too-many-requests", 429),
        ("unavailable", 503),
    ];
    for (case, status) in cases {
        let problem = host
            .get(&format!("/refuse/{case}"))
            .await?
            .problem(status)?;
        assert_eq!(problem["detail"], "refused as asked", "{problem}");
    }
    let problem = host.get("/refuse/invalid").await?.problem(422)?;
    assert_eq!(problem["errors"][0]["pointer"], "/how", "{problem}");
    assert_eq!(
        problem["errors"][0]["detail"], "refused as asked",
        "{problem}"
    );
    host.get("/refuse/nothing").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn an_own_error_has_the_routes_status_or_tells_nothing() -> Result<()> {
    let target = json!({ "call": "test:misbehave/faults.refuse-own" });
    let mapped = json!({ "target": target, "access": "public", "errors": { "out-of-stock": 409 } });
    let host = serving(&[misbehaving().route("GET /mapped/{how}", mapped)]).await?;
    let answer = host.get("/mapped/out-of-stock").await?;
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert!(
        answer.text().contains('3'),
        "the error's payload is the client's: {}",
        answer.text()
    );
    for path in ["/mapped/closed", "/own/out-of-stock"] {
        let problem = host.get(path).await?.problem(500)?;
        assert!(!problem.to_string().contains("stock"), "{problem}");
    }
    host.get("/mapped/open").await?.expect(200)?;
    Ok(())
}

/// A revision that fails each call harms nobody, and answers as soon as it can.
#[tokio::test]
async fn traps_at_full_load_leave_neighbours_alone() -> Result<()> {
    let host = host().await?;
    host.admin()?
        .deploy_all(&[misbehaving().set("pool.max", json!(4)), hello()])
        .await?;
    let traps = try_join_all((0..200).map(|_| host.get("/trap")));
    let pings = try_join_all((0..200).map(|_| host.get("/ping")));
    let (traps, pings) = tokio::try_join!(traps, pings)?;
    assert!(
        traps
            .iter()
            .all(|answer| [502, 503].contains(&answer.status.as_u16()))
    );
    assert!(pings.iter().all(|answer| answer.status == 200));
    host.get("/well").await?;
    Ok(())
}
