//! A service that computes, with three times the calls that it can serve: how much
//! of its peak it still serves, and how fast for those that it takes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Bench, Host, figure, services};
use crate::args::Client;
use crate::load::{Connection, Load, Paced, Request};
use crate::report::{Figure, say};
use crate::stoa::{Deploy, Stoa};

/// What a call computes for: more than a tick of the host's epoch, so that guests
/// take turns, and less than anybody notices.
const CALL: Duration = Duration::from_millis(5);
/// Clients that each wait for their answer; one of these numbers makes the peak.
const CLIENTS: [u16; 3] = [1, 2, 4];
/// More than the host lets wait, those of ten seconds, so that none of the load stands
/// outside; and fewer than one address may have.
const CONNECTIONS: u16 = 2200;
/// How long it takes until more wait than can be served in time.
const SETTLE: Duration = Duration::from_secs(8);
/// For so long may a call wait in overload, by default.
const TARGET: Duration = Duration::from_millis(500);

/// Measures the peak, then more than that.
///
/// # Errors
/// A request fails otherwise than by being refused.
pub fn measure(bench: &Bench<'_>, host: &mut Host) -> Result<Vec<Figure>> {
    host.stoa.upload(&host.guests.burn)?;
    host.stoa.deploy(&[Deploy {
        service: "burn",
        component: &host.guests.burn,
        settings: services::burning("/burn"),
    }])?;
    let request = calibrated(&host.stoa, "/burn", CALL)?;
    let (mut goodput, mut slower) = (Vec::new(), Vec::new());
    for index in 1..=bench.args.rounds() {
        let round = bench.quiet.round(&[host.stoa.pid()], || {
            round(bench, &host.stoa, &request, index)
        })?;
        goodput.push(round.goodput);
        slower.push(round.slower);
    }
    Ok(vec![
        figure(
            "three times the load: calls served, of the peak",
            "%",
            Some("≥ 85"),
            goodput,
        )?,
        figure(
            "three times the load: p99 of those served − 500 ms, ÷ p99 without load",
            "",
            Some("≤ 5"),
            slower,
        )?,
    ])
}

/// A request for so much work that one call computes for about `time`.
pub fn calibrated(stoa: &Stoa, path: &str, time: Duration) -> Result<Request> {
    const SAMPLE: u32 = 20_000;
    let request = |thousands: u32| Request::get(&format!("{path}?thousands={thousands}"));
    let mut connection = Connection::open(stoa.addr)?;
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        connection.call_ok(&request(SAMPLE))?;
        fastest = fastest.min(start.elapsed());
    }
    let thousands = f64::from(SAMPLE) * time.as_secs_f64() / fastest.as_secs_f64();
    ensure!(thousands >= 1.0, "expected a call to take some time");
    Ok(request(thousands as u32))
}

/// What one round found.
struct Round {
    /// Calls served under overload, in per cent of the peak.
    goodput: f64,
    /// What p99 of the calls served under overload has beyond the wait that the host
    /// allows, in relation to one without load.
    slower: f64,
}

fn round(bench: &Bench<'_>, stoa: &Stoa, request: &Request, index: usize) -> Result<Round> {
    let (mut peak, mut unloaded) = (0.0_f64, 0.0);
    for connections in CLIENTS {
        let load = Load {
            connections,
            ..bench.load(stoa.addr, request, bench.args.duration())
        };
        let outcome = load.run(Client::Own)?.flawless("load up to the peak")?;
        peak = peak.max(outcome.rate());
        if connections == 1 {
            unloaded = f64::from(outcome.p99_micros);
        }
    }
    let paced = |duration| Paced {
        addr: stoa.addr,
        request,
        rate: 3.0 * peak,
        connections: CONNECTIONS,
        duration,
    };
    paced(SETTLE).run()?;
    let served = paced(bench.args.duration()).run()?;
    say(&format!(
        "round {index}: peak {peak:.0}/s, p99 {:.1} ms without load; at three times the load {:.0}/s, p99 {:.1} ms, \
         {} refused, {} sent late",
        unloaded / 1e3,
        served.rate(),
        served.p99_micros() / 1e3,
        served.refused,
        served.late
    ));
    Ok(Round {
        goodput: 100.0 * served.rate() / peak,
        slower: (served.p99_micros() - TARGET.as_micros() as f64).max(0.0) / unloaded,
    })
}
