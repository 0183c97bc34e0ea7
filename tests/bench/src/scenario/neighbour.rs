//! A light service alone, and beside a batch service that uses all cores.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::overload::calibrated;
use super::{Bench, figure, services};
use crate::guests::Guests;
use crate::load::{Connection, Paced, Request};
use crate::report::{Report, say};
use crate::stoa::{Deploy, Stoa};

/// Requests a second to the light service: far from what it can serve.
const RATE: f64 = 500.0;
const CONNECTIONS: u16 = 16;
/// What one batch call computes for.
const BATCH_CALL: Duration = Duration::from_millis(200);
/// Batch calls under way: more than cores.
const BATCH_CALLS: usize = 8;
const LIGHT: &str = "/light";

/// Measures both on a host of its own, with all cores.
///
/// # Errors
/// A request fails.
pub fn measure(bench: &Bench<'_>, program: &Path, report: &mut Report) -> Result<()> {
    let guests = Guests::load(bench.args.guests.as_deref())?;
    let mut stoa = Stoa::start(bench.cores.anywhere(program))?;
    stoa.upload(&guests.hello)?;
    stoa.upload(&guests.burn)?;
    let mut batch = services::burning("/batch");
    batch["class"] = json!("batch");
    stoa.deploy(&[
        Deploy {
            service: "light",
            component: &guests.hello,
            settings: services::greeting(LIGHT),
        },
        Deploy {
            service: "batch",
            component: &guests.burn,
            settings: batch,
        },
    ])?;
    let work = calibrated(&stoa, "/batch", BATCH_CALL)?;
    let mut slower = Vec::new();
    for index in 1..=bench.args.rounds() {
        let (alone, beside) = bench
            .quiet
            .round(&[stoa.pid()], || round(bench, &stoa, &work))?;
        say(&format!(
            "round {index}: light service: p99 {alone:.0} µs alone, {beside:.0} µs beside a batch"
        ));
        slower.push(beside / alone);
    }
    let name = "light service beside a batch on all cores: p99 ÷ p99 alone";
    let figure = figure(name, "", Some("≤ 3"), slower)?;
    report.figures.push(figure);
    Ok(())
}

fn round(bench: &Bench<'_>, stoa: &Stoa, work: &Request) -> Result<(f64, f64)> {
    let request = Request::get(LIGHT);
    let light = Paced {
        addr: stoa.addr,
        request: &request,
        rate: RATE,
        connections: CONNECTIONS,
        duration: bench.args.duration(),
    };
    let alone = light.run()?.p99_micros();
    let (addr, stop) = (stoa.addr, AtomicBool::new(false));
    let beside = thread::scope(|scope| {
        let batch: Vec<_> = (0..BATCH_CALLS)
            .map(|_| scope.spawn(|| keep_busy(addr, work, &stop)))
            .collect();
        let light = light.run();
        stop.store(true, Ordering::Relaxed);
        for lane in batch {
            lane.join().ok().context("a batch client ended early")??;
        }
        light
    })?;
    Ok((alone, beside.p99_micros()))
}

fn keep_busy(addr: SocketAddr, work: &Request, stop: &AtomicBool) -> Result<()> {
    let mut connection = Connection::open(addr)?;
    while !stop.load(Ordering::Relaxed) {
        connection.call_ok(work)?;
    }
    Ok(())
}
