//! More calls than a service can serve: who is served, who is refused, and how.

use anyhow::{Context as _, Result};
use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client, PATIENCE};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::time::timeout;

use crate::{guests, serving};

/// One instance, whose calls it counts.
fn patient() -> Service {
    let calls = "test:misbehave/faults.calls";
    let mut service = Service::new("faults", guests::MISBEHAVE)
        .call("GET /block/{ms}", "test:misbehave/faults.block")
        .set("pool.max", json!(1));
    for priority in ["low", "normal", "high"] {
        service = service.route(
            &format!("GET /{priority}"),
            json!({ "target": { "call": calls }, "access": "public", "priority": priority }),
        );
    }
    service
}

async fn pool(host: &HostProcess, service: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
    let admin = host.admin()?;
    let seen = async {
        while !wanted(&admin.pool(service).await?) {}
        anyhow::Ok(())
    };
    timeout(PATIENCE, seen)
        .await
        .context("the pool stays as it is")?
}

/// The number of refusals for a reason.
async fn rejected(host: &HostProcess, reason: &str) -> Result<f64> {
    let metrics = host.admin()?.metrics().await?;
    let series = format!("stoa_rejected_total{{reason=\"{reason}\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&series));
    Ok(value.map_or(Ok(0.0), str::parse)?)
}

/// A refusal says that it is for the moment, and when to come again.
fn refused(answer: &Answer) -> Result<()> {
    let problem = answer.problem(503)?;
    assert_eq!(problem["code"], "overloaded", "{problem}");
    assert!(answer.header("retry-after")?.parse::<u64>()? >= 1);
    Ok(())
}

#[tokio::test]
async fn what_matters_more_is_served_first() -> Result<()> {
    let host = serving(&[patient()]).await?;
    let first = host.get("/block/1500");
    let queued = async {
        pool(&host, "faults", |pool| pool["busy"] == 1).await?;
        let each = ["low", "normal", "high"].map(|priority| {
            try_join_all((0..3).map(|_| {
                let (host, path) = (&host, format!("/{priority}"));
                async move { anyhow::Ok(host.get(&path).await?.expect(200)?.json()?.as_u64()) }
            }))
        });
        let served = try_join_all(each);
        let (served, ()) =
            tokio::try_join!(served, pool(&host, "faults", |pool| pool["queued"] == 9))?;
        anyhow::Ok(served)
    };
    let (first, served) = tokio::try_join!(first, queued)?;
    first.expect(200)?;
    for (served, mut expected) in served.into_iter().zip([[7, 8, 9], [4, 5, 6], [1, 2, 3]]) {
        let mut served: Vec<_> = served.into_iter().flatten().collect();
        served.sort_unstable();
        expected.sort_unstable();
        assert_eq!(served, expected);
    }
    Ok(())
}

#[tokio::test]
async fn a_full_queue_makes_place_for_what_matters_more() -> Result<()> {
    let host = serving(&[patient().set("pool.queue", json!(2))]).await?;
    let first = host.get("/block/3000");
    let rest = async {
        pool(&host, "faults", |pool| pool["busy"] == 1).await?;
        let lows = join_all([host.get("/low"), host.get("/low")]);
        let others = async {
            pool(&host, "faults", |pool| pool["queued"] == 2).await?;
            let (normal, full) = tokio::join!(host.get("/normal"), async {
                // The normal one has taken the place of a low one by now, or takes it next.
                host.get("/low").await
            });
            anyhow::Ok((normal?, full?))
        };
        let (lows, others) = tokio::join!(lows, others);
        let (normal, full) = others?;
        anyhow::Ok((lows.into_iter().collect::<Result<Vec<_>>>()?, normal, full))
    };
    let (first, (mut lows, normal, last)) = tokio::try_join!(first, rest)?;
    first.expect(200)?;
    normal.expect(200)?;
    lows.push(last);
    let shed: Vec<_> = lows.iter().filter(|answer| answer.status != 200).collect();
    assert_eq!(shed.len(), 2, "one place of two is left for three");
    shed.into_iter().try_for_each(refused)?;
    assert_eq!(rejected(&host, "queue_full").await?, 2.0);
    Ok(())
}

/// Turns, in thousands, of a call that takes some milliseconds.
const SHORT: u32 = 10_000;

fn burning() -> Service {
    let burn = "test:burn/work.burn";
    let low = json!({ "target": { "call": burn }, "access": "public", "priority": "low" });
    let high = json!({ "target": { "call": burn }, "access": "public", "priority": "high" });
    Service::new("burn", guests::BURN)
        .route("GET /low/{thousands}", low)
        .route("GET /high/{thousands}", high)
}

/// The cores are busy with the first few; the others wait for their turn.
#[tokio::test]
async fn nobody_is_refused_who_can_be_served_in_time() -> Result<()> {
    let host = serving(&[burning()]).await?;
    let clients = (0..64).map(|_| async {
        let mut client = Client::http1(host.http);
        for _ in 0..6 {
            client.get(&format!("/low/{SHORT}")).await?.expect(200)?;
        }
        anyhow::Ok(())
    });
    try_join_all(clients).await?;
    let metrics = host.admin()?.metrics().await?;
    let series = "stoa_pool_concurrency_limit{service=\"burn\",revision=\"1\"} ";
    let limit = metrics.lines().find_map(|line| line.strip_prefix(series));
    let limit: usize = limit.with_context(|| metrics.clone())?.parse()?;
    let cores = std::thread::available_parallelism()?.get();
    assert!((cores + 1..=2 * cores).contains(&limit), "{limit}");
    Ok(())
}

/// A call that waits for the host needs no core: as many are under way as the pool has
/// room for.
#[tokio::test]
async fn who_waits_for_the_host_keeps_nobody_waiting() -> Result<()> {
    let blocking = Service::new("faults", guests::MISBEHAVE)
        .call("GET /block/{ms}", "test:misbehave/faults.block");
    let host = serving(&[blocking]).await?;
    let calls = try_join_all((0..64).map(|_| host.get("/block/2000")));
    let all = pool(&host, "faults", |pool| pool["busy"] == 64);
    let (calls, ()) = tokio::try_join!(calls, all)?;
    for call in calls {
        call.expect(200)?;
    }
    Ok(())
}

/// Refused, what its caller has done so far would be for nothing.
#[tokio::test]
async fn a_call_from_inside_another_is_never_refused_for_load() -> Result<()> {
    let tight = patient()
        .set("pool.queue", json!(1))
        .set("pool.queue_deadline", json!("20ms"));
    let target = json!({ "call": "test:sandbox/outgoing.fetch" });
    let caller = Service::new("caller", guests::OUTGOING)
        .route(
            "POST /fetch",
            json!({ "target": target, "access": "public" }),
        )
        .set("grants.http", json!(["http://faults.svc"]));
    let host = serving(&[tight, caller]).await?;
    let body = json!({ "authority": "faults.svc", "path": "/block/60" });
    for answer in try_join_all((0..12).map(|_| host.post("/fetch", &body))).await? {
        assert_eq!(answer.expect(200)?.json()?, json!(200));
    }
    let [linking, linked] = ["left", "right"];
    let linking =
        Service::new(linking, guests::CHAIN_LEFT).call("GET /bounce/{n}", "test:chain/left.bounce");
    let linked = Service::new(linked, guests::CHAIN_RIGHT)
        .set("pool.max", json!(1))
        .set("pool.queue", json!(0))
        .set("limits.concurrency", json!(1));
    host.admin()?.deploy_all(&[linking, linked]).await?;
    for answer in try_join_all((0..64).map(|_| host.get("/bounce/1"))).await? {
        answer.expect(200)?;
    }
    Ok(())
}

/// Many more callers than may wait, and one whose calls matter.
#[tokio::test]
async fn overload_is_shed_from_the_lowest_priority_and_ends() -> Result<()> {
    let host = serving(&[burning().set("pool.queue", json!(16))]).await?;
    let high = async {
        let mut client = Client::http1(host.http);
        for _ in 0..100 {
            client.get(&format!("/high/{SHORT}")).await?.expect(200)?;
        }
        anyhow::Ok(())
    };
    let (ended, end) = tokio::sync::watch::channel(false);
    let low = (0..48).map(|_| {
        let end = end.clone();
        let address = host.http;
        async move {
            let mut client = Client::http1(address);
            let (mut served, mut shed) = (0_u32, 0_u32);
            while !*end.borrow() {
                let answer = client.get(&format!("/low/{SHORT}")).await?;
                if answer.status == 200 {
                    served += 1;
                } else {
                    refused(&answer)?;
                    shed += 1;
                }
            }
            anyhow::Ok((served, shed))
        }
    });
    let high = async {
        let served = high.await;
        ended.send_replace(true);
        served
    };
    let (low, ()) = tokio::try_join!(try_join_all(low), high)?;
    let (served, shed) = low
        .into_iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(served > 0, "low is served where there is room");
    assert!(shed > 0, "nobody was refused: {served} served");
    let counted = rejected(&host, "shed_low").await? + rejected(&host, "queue_full").await?;
    assert_eq!(counted, f64::from(shed));
    // What was refused for the moment is served when the moment is over.
    for _ in 0..20 {
        host.get(&format!("/low/{SHORT}")).await?.expect(200)?;
    }
    Ok(())
}

/// A call that had to wait until hardly any time was left says nothing of the service.
#[tokio::test]
async fn who_began_late_opens_no_breaker() -> Result<()> {
    let host = serving(&[patient().set("limits.deadline", json!("4s"))]).await?;
    for _ in 0..3 {
        let calls = try_join_all((0..4).map(|_| host.get("/block/1200"))).await?;
        let mut statuses: Vec<_> = calls.iter().map(|call| call.status.as_u16()).collect();
        statuses.sort_unstable();
        statuses.dedup();
        assert_eq!(statuses, [200, 504]);
    }
    Ok(())
}
