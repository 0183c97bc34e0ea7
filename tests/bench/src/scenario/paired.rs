//! Two ways to answer, measured in turns, so that the machine's moods meet both.

use std::net::SocketAddr;

use anyhow::Result;

use super::Bench;
use crate::load::Request;

/// One of the two.
pub struct Side<'a> {
    /// What it is, for errors.
    pub name: &'a str,
    /// Where it answers.
    pub addr: SocketAddr,
    /// The process that answers.
    pub pid: u32,
    /// What it is asked.
    pub request: &'a Request,
}

/// The rate of `one` in per cent of the rate of `other`, of each round.
///
/// # Errors
/// A request fails.
pub fn paired(bench: &Bench<'_>, one: &Side<'_>, other: &Side<'_>) -> Result<Vec<f64>> {
    let pids = [one.pid, other.pid];
    (0..bench.args.rounds())
        .map(|_| {
            let rate = |side: &Side<'_>| {
                bench.quiet.round(&pids, || {
                    bench.warm_up(side.name, side.addr, side.request)?;
                    bench.measure(side.name, side.addr, side.request)
                })
            };
            let (theirs, ours) = (rate(other)?.rate(), rate(one)?.rate());
            Ok(100.0 * ours / theirs)
        })
        .collect()
}
