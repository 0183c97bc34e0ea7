//! A queue: calls that are kept and delivered, over the store's own grouped writes; and how
//! long a call of an idle queue takes to its subscriber once it is on disk.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Bench, figure, millis};
use crate::args::Client;
use crate::guests::Guests;
use crate::load::{Connection, Request};
use crate::report::{Report, say};
use crate::stoa::{Deploy, Stoa};

/// Calls of an idle queue for each round.
const SINGLE: usize = 40;

/// Measures both.
///
/// # Errors
/// Something did not work.
pub fn measure(bench: &Bench<'_>, program: &Path, report: &mut Report) -> Result<()> {
    let guests = Guests::load(bench.args.guests.as_deref())?;
    let mut stoa = Stoa::start(bench.cores.on_server(program))?;
    stoa.upload(&guests.listener)?;
    stoa.deploy(&[Deploy {
        service: "listener",
        component: &guests.listener,
        settings: settings(),
    }])?;
    let (native, native_addr, _data) = bench.native_shop()?;
    let pids = [stoa.pid(), native.pid()];
    let publish = Request::json("POST", "/notes", b"7".to_vec());
    let write = Request::json("POST", "/writes", b"7".to_vec());
    let mut connection = Connection::open(stoa.addr)?;
    let (mut share, mut late) = (Vec::new(), Vec::new());
    for _ in 0..bench.args.rounds() {
        let theirs = bench.quiet.round(&pids, || {
            bench
                .load(native_addr, &write, bench.args.duration())
                .run(Client::Own)?
                .flawless("writing")
        })?;
        let before = noted(&mut connection)?;
        let begun = Instant::now();
        let kept = bench.quiet.round(&pids, || {
            bench
                .load(stoa.addr, &publish, bench.args.duration())
                .run(Client::Own)?
                .flawless("publishing")
        })?;
        // Of a round that was taken again, all came.
        while depth(&mut stoa)? > 0 {}
        let delivered = noted(&mut connection)? - before;
        let rate = delivered / begun.elapsed().as_secs_f64();
        say(&format!(
            "writes {:.0}/s; publishing {:.0}/s, published and delivered {rate:.0}/s",
            theirs.rate(),
            kept.rate()
        ));
        share.push(100.0 * rate / theirs.rate());
        for _ in 0..SINGLE {
            let before = noted(&mut connection)?;
            connection.call_ok(&publish)?;
            let kept = Instant::now();
            while noted(&mut connection)? <= before {}
            late.push(millis(kept.elapsed()));
        }
    }
    report.figures.extend([
        figure(
            "calls kept and delivered by a queue, of the store's own writes",
            "%",
            Some("≥ 60"),
            share,
        )?,
        figure(
            "an idle queue: from the disk to the subscriber",
            "ms",
            Some("≤ 2"),
            late,
        )?,
    ]);
    Ok(())
}

fn settings() -> Value {
    let route = |method: &str, path: &str, target: Value| json!({"method": method, "path": path, "target": target, "access": "public"});
    json!({
        "routes": [
            route("POST", "/notes", json!({"queue": "stoa:bench/events.note"})),
            route("GET", "/noted", json!({"call": "stoa:bench/counter.noted"})),
        ],
        "queues": {"stoa:bench/events": {}},
        // It counts in its memory.
        "pool": {"max": 1},
    })
}

/// Calls that the listener got.
fn noted(connection: &mut Connection) -> Result<f64> {
    let reply = connection.call_ok(&Request::get("/noted"))?;
    let number: Value = serde_json::from_slice(&reply.body).context("reading a number")?;
    number.as_f64().context("expected a number")
}

/// Calls that the queue still has.
fn depth(stoa: &mut Stoa) -> Result<u64> {
    let queue = stoa.get("/v1/queues/stoa%3Abench%2Fevents")?;
    match queue["messages"].as_u64() {
        Some(messages) => Ok(messages),
        None => bail!("expected the queue's messages, found {queue}"),
    }
}
