//! Swaps under load: what they cost the requests, and that none fails.
//!
//! Both revisions are compiled before, so that the swap is what is measured. The
//! load is the own client's always, as it can go on until the last swap is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Bench, Host, figure, millis, services};
use crate::args::Client;
use crate::guests::Component;
use crate::load::{Load, Outcome, Request};
use crate::report::{Figure, say};
use crate::stoa::{Deploy, Stoa};

const SWAPS: u32 = 20;
const PATH: &str = "/swapped";

/// Swaps revisions of a service while it is under load.
///
/// # Errors
/// A swap is refused, or a request fails.
pub fn measure(bench: &Bench<'_>, host: &mut Host) -> Result<Vec<Figure>> {
    let revisions = [
        host.guests.hello.never_seen(),
        host.guests.hello.never_seen(),
    ];
    for revision in &revisions {
        host.stoa.upload(revision)?;
        swap(&mut host.stoa, revision)?;
    }
    let pid = host.stoa.pid();
    let (mut kept, mut failed, mut times) = (Vec::new(), 0, Vec::new());
    for index in 1..=bench.args.rounds() {
        let round = bench
            .quiet
            .round(&[pid], || round(bench, &mut host.stoa, &revisions, index))?;
        failed += round.failures;
        kept.push(round.kept);
        times.extend(round.swaps);
    }
    Ok(vec![
        figure(
            "swap under load: requests/s kept during 20 swaps",
            "%",
            None,
            kept,
        )?,
        figure(
            "swap under load: failed requests",
            "",
            Some("0"),
            vec![failed as f64],
        )?,
        figure(
            "swap under load: one swap, with the old revision's drain",
            "ms",
            None,
            times,
        )?,
    ])
}

/// What one round found.
struct Round {
    /// Rate with swaps, in per cent of that without.
    kept: f64,
    failures: u64,
    /// Milliseconds of each swap.
    swaps: Vec<f64>,
}

fn round(
    bench: &Bench<'_>,
    stoa: &mut Stoa,
    revisions: &[Component; 2],
    index: usize,
) -> Result<Round> {
    let request = Request::get(PATH);
    bench.warm_up("load without a swap", stoa.addr, &request)?;
    let still = bench
        .load(stoa.addr, &request, bench.args.duration())
        .run(Client::Own)?;
    let still = still.flawless("load without a swap")?;
    let (moving, swaps) = under_load(bench, stoa, revisions)?;
    let moving = moving.flawless("load with swaps")?;
    say(&format!(
        "round {index}: {SWAPS} swaps: {:.0}/s, without {:.0}/s",
        moving.rate(),
        still.rate()
    ));
    let kept = 100.0 * moving.rate() / still.rate();
    Ok(Round {
        kept,
        failures: moving.failures,
        swaps: swaps.into_iter().map(millis).collect(),
    })
}

/// The swaps come evenly over the load's time, which lasts until the last one ended.
fn under_load(
    bench: &Bench<'_>,
    stoa: &mut Stoa,
    revisions: &[Component; 2],
) -> Result<(Outcome, Vec<Duration>)> {
    let hold = AtomicBool::new(true);
    let request = Request::get(PATH);
    let load = Load {
        hold: Some(&hold),
        ..bench.load(stoa.addr, &request, bench.args.duration())
    };
    let pause = bench.args.duration() / (SWAPS + 1);
    thread::scope(|scope| {
        let load = scope.spawn(|| load.run(Client::Own));
        let start = Instant::now();
        let swaps = (0..SWAPS).map(|index| {
            thread::sleep((pause * (index + 1)).saturating_sub(start.elapsed()));
            swap(stoa, &revisions[index as usize % 2])
        });
        let swaps = swaps.collect::<Result<Vec<_>>>();
        hold.store(false, Ordering::Relaxed);
        let outcome = load
            .join()
            .ok()
            .context("the load's thread ended early")??;
        Ok((outcome, swaps?))
    })
}

/// Deploys an uploaded revision; gives the time until the old one has drained.
fn swap(stoa: &mut Stoa, component: &Component) -> Result<Duration> {
    let settings = services::greeting(PATH);
    let start = Instant::now();
    stoa.deploy(&[Deploy {
        service: "swapped",
        component,
        settings,
    }])?;
    Ok(start.elapsed())
}
