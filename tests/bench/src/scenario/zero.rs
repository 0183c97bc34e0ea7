//! The first call to a service that has no instance, over that of a warm one.
//!
//! A new revision with `min = 0` has an empty pool. Its first call comes over a
//! connection that is warm, so that only the instance is what is new.

use anyhow::{Context, Result, bail};

use super::{Bench, Host, figure, micros, services};
use crate::guests::Component;
use crate::load::{Connection, Request};
use crate::report::Figure;
use crate::stats::Spread;
use crate::stoa::{Deploy, Stoa};

const PATH: &str = "/from-zero";
/// New revisions for each round.
const STARTS: usize = 10;
/// Warm calls that a first call is compared with.
const WARM_CALLS: usize = 20;

/// Times first calls.
///
/// # Errors
/// A deployment or a call fails, or the pool is not empty.
pub fn measure(bench: &Bench<'_>, host: &mut Host) -> Result<Vec<Figure>> {
    let revisions = [
        host.guests.hello.never_seen(),
        host.guests.hello.never_seen(),
    ];
    for revision in &revisions {
        host.stoa.upload(revision)?;
    }
    let mut connection = Connection::open(host.stoa.addr)?;
    let mut over = Vec::new();
    for index in 0..bench.args.rounds() * STARTS {
        empty_pool(&mut host.stoa, &revisions[index % 2])?;
        over.push(first_over_warm(&mut connection)?);
    }
    Ok(vec![figure(
        "first call from zero, over a warm one",
        "µs",
        Some("≤ 200"),
        over,
    )?])
}

fn empty_pool(stoa: &mut Stoa, component: &Component) -> Result<()> {
    let mut settings = services::greeting(PATH);
    settings["pool"] = serde_json::json!({"min": 0});
    stoa.deploy(&[Deploy {
        service: "from-zero",
        component,
        settings,
    }])?;
    let service = stoa.get("/v1/services/from-zero")?;
    let pool = &service["live"][0]["pool"];
    match (pool["idle"].as_u64(), pool["busy"].as_u64()) {
        (Some(0), Some(0)) => Ok(()),
        _ => {
            bail!("expected a new revision with min = 0 to have no instance, found the pool {pool}")
        }
    }
}

/// Microseconds that the first call takes longer than the median of warm ones.
fn first_over_warm(connection: &mut Connection) -> Result<f64> {
    // Another service's call warms the connection and its task.
    for _ in 0..WARM_CALLS {
        connection.call_ok(&Request::get(services::HELLO))?;
    }
    let request = Request::get(PATH);
    let first = micros(connection.call_ok(&request)?.took);
    let warm = (0..WARM_CALLS)
        .map(|_| Ok(micros(connection.call_ok(&request)?.took)))
        .collect::<Result<Vec<_>>>()?;
    let warm = Spread::of(warm).context("warm calls were made")?;
    Ok(first - warm.median)
}
