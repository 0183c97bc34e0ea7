//! Orders that are placed, with every write on disk, over the same services in one native
//! process on the same store.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::clients::{PRODUCTS, Shelf};
use super::{Bench, figure, shop};
use crate::args::Client;
use crate::load::{Connection, Load, Outcome, Request};
use crate::report::{Report, say};
use crate::stoa::Stoa;

/// Counts the flushes of the host's store.
const FLUSHES: &str = "stoa_state_flush_seconds_count";

/// Places orders at both, in turns: of all products, and of one.
///
/// # Errors
/// The shop is built, but can't be deployed or filled; an order fails.
pub fn measure(bench: &Bench<'_>, program: &Path, report: &mut Report) -> Result<()> {
    if let Some(reason) = shop::unbuilt()? {
        report
            .skipped
            .push(format!("orders that are placed ({reason})"));
        return Ok(());
    }
    say("deploying the shop");
    let mut stoa = Stoa::start(bench.cores.on_server(program))?;
    shop::deploy(program, &stoa)?;
    let shelf = Shelf::fill(&mut stoa)?;
    let orders = (0..PRODUCTS).map(|number| shelf.order(number));
    let orders = orders.collect::<Result<Vec<_>>>()?;
    let (native, native_addr, _data) = bench.native_shop()?;
    let pids = [stoa.pid(), native.pid()];
    let (mut share, mut hot, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.args.rounds() {
        let theirs = bench
            .quiet
            .round(&pids, || place(bench, native_addr, &orders))?;
        let before = count(stoa.admin)?;
        let ours = bench
            .quiet
            .round(&pids, || place(bench, stoa.addr, &orders))?;
        flushes.push((count(stoa.admin)? - before) / ours.requests as f64);
        let one = bench
            .quiet
            .round(&pids, || place(bench, stoa.addr, &orders[..1]))?;
        say(&format!(
            "native {:.0}/s, p50 {} µs; stoa {:.0}/s, p50 {} µs, of one product {:.0}/s",
            theirs.rate(),
            theirs.p50_micros,
            ours.rate(),
            ours.p50_micros,
            one.rate()
        ));
        share.push(100.0 * ours.rate() / theirs.rate());
        hot.push(100.0 * one.rate() / ours.rate());
    }
    report.figures.extend([
        figure(
            "placing an order, of a native process",
            "%",
            Some("≥ 50"),
            share,
        )?,
        figure(
            "all orders of one product, of orders of all",
            "%",
            Some("≥ 30"),
            hot,
        )?,
        figure("flushes of the disk for each order", "", None, flushes)?,
    ]);
    Ok(())
}

fn place(bench: &Bench<'_>, addr: SocketAddr, orders: &[Request]) -> Result<Outcome> {
    let (request, more) = orders.split_first().context("there is an order")?;
    let load = Load {
        more,
        ..bench.load(addr, request, bench.args.duration())
    };
    load.run(Client::Own)?.flawless("placing orders")
}

/// Flushes so far.
fn count(admin: SocketAddr) -> Result<f64> {
    let reply = Connection::open(admin)?.call_ok(&Request::get("/metrics"))?;
    let text = String::from_utf8(reply.body).context("metrics are text")?;
    let line = text.lines().find_map(|line| line.strip_prefix(FLUSHES));
    let count = line.context("expected the flushes in the metrics")?;
    count.trim().parse().context("flushes are a number")
}
