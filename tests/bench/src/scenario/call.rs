//! A typed call from one service to another, as its caller's clock sees it.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Bench, Host, figure, services};
use crate::load::{Connection, Request};
use crate::report::Figure;

/// Of one run; a run takes some tens of milliseconds.
const CALLS: u32 = 2_000;

/// Times orders between services.
///
/// # Errors
/// A call fails.
pub fn measure(bench: &Bench<'_>, host: &mut Host) -> Result<Vec<Figure>> {
    let mut connection = Connection::open(host.stoa.addr)?;
    let request = services::timing_request(CALLS);
    // The first run warms both pools.
    run(&mut connection, &request)?;
    let runs = (0..bench.args.rounds() * 2)
        .map(|_| run(&mut connection, &request))
        .collect::<Result<Vec<_>>>()?;
    let (medians, tails) = runs.into_iter().unzip();
    Ok(vec![
        figure("order between services, median", "µs", Some("≤ 5"), medians)?,
        figure("order between services, p99", "µs", None, tails)?,
    ])
}

/// Median and 99th percentile of a run, in microseconds.
fn run(connection: &mut Connection, request: &Request) -> Result<(f64, f64)> {
    let timing: Value =
        serde_json::from_slice(&connection.call_ok(request)?.body).context("reading the timing")?;
    let micros = |field: &str| {
        let nanos = timing[field]
            .as_f64()
            .with_context(|| format!("expected {field}, found {timing}"))?;
        anyhow::Ok(nanos / 1e3)
    };
    Ok((micros("median_ns")?, micros("p99_ns")?))
}
