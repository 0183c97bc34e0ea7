//! Batch services: they run on threads of their own, whatever the way in, and what
//! they compute is not felt by others.

use std::fs;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use http::Request;
use serde_json::json;
use stoa_tests::client::{Client, full};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::passthrough::ping_pong;
use crate::pools::until;
use crate::{ended_at_their_deadline, guests, hello, serving};

fn batch(service: Service) -> Service {
    service.set("class", json!("batch"))
}

/// What the host's threads of this name have used of the processor, in the
/// system's ticks, and how the system schedules them; see proc(5), `stat`.
fn threads(host: &HostProcess, name: &str) -> Result<(u64, Vec<u64>)> {
    let id = host.id().context("the host runs")?;
    let (mut ticks, mut policies) = (0, Vec::new());
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may end while it is looked at.
        let Ok(stat) = fs::read_to_string(thread?.path().join("stat")) else {
            continue;
        };
        let (head, tail) = stat.rsplit_once(") ").context("stat has a name")?;
        if !head.ends_with(&format!("({name}")) {
            continue;
        }
        let fields: Vec<_> = tail.split(' ').collect();
        ticks += fields[11].parse::<u64>()?;
        policies.push(fields[38].parse()?);
    }
    Ok((ticks, policies))
}

/// Far more batch calls than cores, none of which ends, and a neighbour.
#[tokio::test]
async fn a_batch_that_uses_all_cores_leaves_its_neighbour_alone() -> Result<()> {
    let spinning = Service::new("spinning", guests::MISBEHAVE)
        .call("GET /spin", "test:misbehave/faults.spin")
        .set("limits.deadline", json!("8s"));
    let host = serving(&[batch(spinning), hello()]).await?;
    let spins = try_join_all((0..8).map(|_| host.get("/spin")));
    let neighbour = async {
        // Threads of batch services run when no other wants to.
        until(&host, "spinning", |pool| pool["busy"] != 0).await?;
        let mut client = Client::http1(host.http);
        for turn in 0..60 {
            client.get(&format!("/hello/{turn}")).await?.expect(200)?;
        }
        host.admin()?.pool("spinning").await
    };
    let (spins, pool) = tokio::try_join!(spins, neighbour)?;
    assert_ne!(pool["busy"], 0, "they still compute when it has ended");
    ended_at_their_deadline(&spins)?;
    if cfg!(target_os = "linux") {
        const IDLE: u64 = 5;
        let (ticks, policies) = threads(&host, "stoa-batch")?;
        assert!(ticks > 0, "batch calls run on threads of their own");
        assert!(
            policies.iter().all(|policy| *policy == IDLE),
            "{policies:?}"
        );
        let (_, others) = threads(&host, "stoa-epoch")?;
        assert_eq!(others, [0], "what stops guests must not wait for them");
    }
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn services_of_both_classes_call_each_other() -> Result<()> {
    let left =
        Service::new("left", guests::CHAIN_LEFT).call("GET /bounce/{n}", "test:chain/left.bounce");
    let host = serving(&[left, batch(Service::new("right", guests::CHAIN_RIGHT))]).await?;
    for n in [0, 1, 2, 7] {
        let answer = host.get(&format!("/bounce/{n}")).await?.expect(200)?;
        assert_eq!(answer.json()?, json!(n));
    }
    for answer in try_join_all((0..16).map(|_| host.get("/bounce/4"))).await? {
        answer.expect(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_service_may_have_any_way_in() -> Result<()> {
    let two = Service::new("two", guests::ECHO_P2).http("/two");
    let three = Service::new("three", guests::ECHO_P3).http("/three");
    let timed = Service::new("timed", guests::TIMED)
        .call("GET /rest/{ms}", "test:timed/timer.rest")
        .set("pool.min", json!(1))
        .set("pool.max", json!(1))
        .set("pool.concurrency", json!(4));
    let host = serving(&[two, three, timed].map(batch)).await?;
    for path in ["/two", "/three"] {
        let request = Request::post(path).body(full("a body"))?;
        let answer = Client::http1(host.http).send(request).await?.expect(200)?;
        assert_eq!(answer.text(), "a body");
        ping_pong(&mut Client::http1(host.http), path).await?;
    }
    for answer in try_join_all((0..8).map(|_| host.get("/rest/20"))).await? {
        answer.expect(200)?;
    }
    Ok(())
}
