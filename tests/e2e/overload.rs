//! More calls than a service can serve: who is served, who is refused, and how.

use anyhow::{Context as _, Result};
use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client, PATIENCE};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::time::timeout;

use crate::{guests, serving};

/// One instance, whose calls it counts, and a queue that is never too long.
fn patient() -> Service {
    let calls = "test:misbehave/faults.calls";
    let mut service = Service::new("faults", guests::MISBEHAVE)
        .call("GET /block/{ms}", "test:misbehave/faults.block")
        .set("pool.max", json!(1))
        .set("pool.queue_target", json!("1m"));
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
    assert_eq!(rejected(&host, "shed_low").await?, 1.0);
    assert_eq!(rejected(&host, "queue_full").await?, 1.0);
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

/// Many more callers than cores, and one whose calls matter.
#[tokio::test]
async fn overload_is_shed_from_the_lowest_priority_and_ends() -> Result<()> {
    let host = serving(&[burning()]).await?;
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
    assert_eq!(rejected(&host, "shed_low").await?, f64::from(shed));
    assert_eq!(rejected(&host, "shed_high").await?, 0.0);
    if std::thread::available_parallelism()?.get() <= 8 {
        let metrics = host.admin()?.metrics().await?;
        let series = "stoa_pool_concurrency_limit{service=\"burn\",revision=\"1\"} ";
        let limit = metrics.lines().find_map(|line| line.strip_prefix(series));
        let limit: f64 = limit.with_context(|| metrics.clone())?.parse()?;
        assert!(limit < 30.0, "more at a time only share the cores: {limit}");
    }
    // What was refused for the moment is served when the moment is over.
    for _ in 0..20 {
        host.get(&format!("/low/{SHORT}")).await?.expect(200)?;
    }
    Ok(())
}
