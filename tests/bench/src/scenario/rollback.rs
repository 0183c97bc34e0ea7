//! Back to the revision before, and its first answer.

use std::time::Instant;

use anyhow::Result;

use super::{Bench, Host, figure, millis, services};
use crate::load::{Connection, Request};
use crate::report::Figure;
use crate::stoa::{Deploy, Stoa};

const SERVICE: &str = "rolled-back";
const PATH: &str = "/rolled-back";
/// Rollbacks for each round.
const TIMES: usize = 10;

/// Times rollbacks between two revisions.
///
/// # Errors
/// A deployment, a rollback or a call fails.
pub fn measure(bench: &Bench<'_>, host: &mut Host) -> Result<Vec<Figure>> {
    let mut revisions = [0; 2];
    for revision in &mut revisions {
        let component = host.guests.hello.never_seen();
        host.stoa.upload(&component)?;
        let deploy = Deploy {
            service: SERVICE,
            component: &component,
            settings: services::greeting(PATH),
        };
        *revision = Stoa::revision(&host.stoa.deploy(&[deploy])?, SERVICE)?;
    }
    let mut connection = Connection::open(host.stoa.addr)?;
    let mut times = Vec::new();
    for index in 0..bench.args.rounds() * TIMES {
        let start = Instant::now();
        host.stoa.rollback(SERVICE, revisions[index % 2])?;
        times.push(millis(start.elapsed()));
        connection.call_ok(&Request::get(PATH))?;
    }
    Ok(vec![figure(
        "rollback, by the admin API",
        "ms",
        Some("≤ 10"),
        times,
    )?])
}
