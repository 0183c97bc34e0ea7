//! `kill -9` in the middle of writes and deployments: what was acknowledged is there.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use anyhow::{Result, ensure};
use http::Method;
use serde_json::{Value, json};
use stoa_tests::client::{Client, PATIENCE, json_request};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{guests, serving};

const ROUNDS: u64 = 12;
const WRITERS: u64 = 8;

/// A service that keeps what it is told.
pub fn state() -> Service {
    Service::new("state", guests::STATE)
        .call("PUT /keys/{key}", "test:state/counter.set")
        .call("GET /keys/{key}", "test:state/counter.get")
        .call("GET /keys", "test:state/counter.keys")
        .call("POST /increments/{key}", "test:state/counter.increment")
        .call("POST /swaps/{key}", "test:state/counter.swap")
}

/// What the host acknowledged to one writer before it was killed.
#[derive(Default)]
struct Acknowledged {
    keys: BTreeSet<String>,
    increments: i64,
    swaps: u64,
}

/// Writes until the host is gone; tells of each write that was acknowledged.
async fn write(address: SocketAddr, name: String, told: watch::Sender<u64>) -> Acknowledged {
    let (mut client, mut acknowledged) = (Client::http1(address), Acknowledged::default());
    for turn in 0.. {
        let key = format!("{name}-{turn}");
        let path = format!("/keys/{key}");
        let set = json_request(Method::PUT, &path, &json!(key)).expect("the path is valid");
        let Ok(204) = client.send(set).await.map(|answer| answer.status.as_u16()) else {
            break;
        };
        acknowledged.keys.insert(key);
        let Ok(200) = status(&mut client, "/increments/shared").await else {
            break;
        };
        acknowledged.increments += 1;
        let Ok(200) = status(&mut client, "/swaps/swapped").await else {
            break;
        };
        acknowledged.swaps += 1;
        told.send_modify(|count| *count += 1);
    }
    acknowledged
}

async fn status(client: &mut Client, path: &str) -> Result<u16> {
    Ok(client.post(path, &Value::Null).await?.status.as_u16())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive() -> Result<()> {
    let mut host = serving(&[state()]).await?;
    let mut all = Acknowledged::default();
    for round in 0..ROUNDS {
        let told = watch::Sender::new(0);
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write(
                host.http,
                format!("r{round}-w{writer}"),
                told.clone(),
            ));
        }
        // Another moment in each round; all writers have a write under way.
        let enough = WRITERS + 7 * round;
        timeout(
            PATIENCE,
            told.subscribe().wait_for(|count| *count >= enough),
        )
        .await??;
        host.kill_9().await?;
        while let Some(acknowledged) = writers.join_next().await {
            let acknowledged = acknowledged?;
            all.keys.extend(acknowledged.keys);
            all.increments += acknowledged.increments;
            all.swaps += acknowledged.swaps;
        }
        host = host.restart().await?;
        all_there(&host, &all, round).await?;
    }
    Ok(())
}

/// Each acknowledged key has its value; counters may be ahead by the writes that
/// were done and not yet acknowledged, one for each writer and round.
async fn all_there(host: &HostProcess, all: &Acknowledged, round: u64) -> Result<()> {
    let found = host.get("/keys").await?.expect(200)?.json()?;
    let found: BTreeSet<String> = serde_json::from_value(found)?;
    let lost: Vec<_> = all.keys.difference(&found).collect();
    ensure!(
        lost.is_empty(),
        "round {round} lost {} of {} keys: {:?}",
        lost.len(),
        all.keys.len(),
        &lost[..lost.len().min(5)]
    );
    let mut client = Client::http1(host.http);
    for key in all.keys.iter().rev().take(50) {
        ensure!(
            client
                .get(&format!("/keys/{key}"))
                .await?
                .expect(200)?
                .json()?
                == json!(key),
            "{key} has another value"
        );
    }
    let unknown = WRITERS * (round + 1);
    let increments = client
        .post("/increments/shared", &Value::Null)
        .await?
        .expect(200)?
        .json()?
        .as_i64()
        .unwrap_or_default();
    let least = all.increments + 1;
    ensure!(
        (least..=least + (unknown + round) as i64).contains(&increments),
        "round {round}: {increments} increments, {least} acknowledged"
    );
    let swaps = client
        .post("/swaps/swapped", &Value::Null)
        .await?
        .expect(200)?
        .json()?
        .as_u64()
        .unwrap_or_default();
    let least = all.swaps + 1;
    ensure!(
        (least..=least + unknown + round).contains(&swaps),
        "round {round}: {swaps} swaps, {least} acknowledged"
    );
    Ok(())
}

/// The host dies at each event of a deployment in turn. After the restart the
/// service answers: as the new revision if that was acknowledged, else as the
/// old or the new one, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_deployments_survive() -> Result<()> {
    let version = |file| {
        let service = Service::new("provider", file).set("pool.min", json!(1));
        service.call("GET /version", "test:versioned/answers.version")
    };
    let versions = [version(guests::PROVIDER_V1), version(guests::PROVIDER_V2)];
    let names = [json!("v1"), json!("v2")];
    let mut host = serving(&versions[..1]).await?;
    let (mut live, mut which, mut last) = (1, 0, false);
    for events in 0.. {
        if last {
            break;
        }
        let next = 1 - which;
        let mut progress = host.admin()?.begin(&versions[next..=next]).await?;
        let mut acknowledged = false;
        for _ in 0..events {
            match progress.next().await? {
                Some(event) => acknowledged |= event["event"] == "done",
                None => last = true,
            }
        }
        host = host.crash_and_restart().await?;
        let now = host.admin()?.live("provider").await?;
        let after = format!("killed after {events} events, acknowledged: {acknowledged}");
        ensure!(now.len() == 1, "{after}: {now:?}");
        let number = now.keys().next().copied().unwrap_or_default();
        ensure!(
            number > live || (number == live && !acknowledged),
            "{after}: {number} after {live}"
        );
        which = if number > live { next } else { which };
        live = number;
        let answer = host.get("/version").await?.expect(200)?.json()?;
        ensure!(
            answer == names[which],
            "{after}: revision {number} answers {answer}"
        );
    }
    ensure!(last, "expected to see a whole deployment");
    Ok(())
}
