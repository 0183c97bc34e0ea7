//! The first call to a service that has no instance, over that of a warm one.
//!
//! Two ways to have none, as they differ: a revision that just came, whose code
//! has hardly run, and one that had calls and was scaled to zero. Scaling to
//! `min = 0` drops idle instances at once; that the pool is empty is checked each
//! time. The first call comes over a connection that is warm.

use anyhow::{Context, Result, bail};

use super::{Bench, Host, figure, micros, services};
use crate::load::{Connection, Request};
use crate::report::Figure;
use crate::stats::Spread;
use crate::stoa::{Deploy, Stoa};

const SERVICE: &str = "from-zero";
const PATH: &str = "/from-zero";
/// First calls for each round.
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
    let (mut fresh, mut scaled) = (Vec::new(), Vec::new());
    for index in 0..bench.args.rounds() * STARTS {
        let (component, settings) = (&revisions[index % 2], services::greeting(PATH));
        host.stoa.deploy(&[Deploy {
            service: SERVICE,
            component,
            settings,
        }])?;
        for over in [&mut fresh, &mut scaled] {
            empty_pool(&mut host.stoa)?;
            over.push(first_over_warm(&mut connection)?);
        }
    }
    let goal = Some("≤ 200");
    Ok(vec![
        figure(
            "first call to a new revision, over a warm one",
            "µs",
            goal,
            fresh,
        )?,
        figure(
            "first call after a scale to zero, over a warm one",
            "µs",
            goal,
            scaled,
        )?,
    ])
}

fn empty_pool(stoa: &mut Stoa) -> Result<()> {
    stoa.scale_to_zero(SERVICE)?;
    let service = stoa.get(&format!("/v1/services/{SERVICE}"))?;
    let pool = &service["live"][0]["pool"];
    match (pool["idle"].as_u64(), pool["busy"].as_u64()) {
        (Some(0), Some(0)) => Ok(()),
        _ => bail!(
            "expected no instance of {SERVICE} after its scale to zero, found the pool {pool}"
        ),
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
