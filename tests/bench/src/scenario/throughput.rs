//! Servers under load: each in every round, its ratio to the native one of that
//! round.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Bench, Host, services};
use crate::args::Part;
use crate::child::{SERVING, Server};
use crate::cores::cpu_time;
use crate::load::{Outcome, Request};
use crate::report::{Report, ServerRow, say};
use crate::stats::Spread;

/// Below this share of its core, in per cent, something else kept a server waiting,
/// and its ratio says nothing about it.
const SATURATED: f64 = 85.0;

/// The native server that a target is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Native {
    Hello,
    Order,
}

/// A server, and what it is asked.
struct Target {
    name: &'static str,
    goal: Option<f64>,
    beside: Native,
    addr: SocketAddr,
    pid: u32,
    request: Request,
}

/// What one round found of a target.
struct Sample {
    outcome: Outcome,
    cpu: Duration,
}

/// Measures every server that was asked for.
///
/// # Errors
/// A server does not start, or a request fails.
pub fn measure(bench: &Bench<'_>, host: Option<&Host>, report: &mut Report) -> Result<()> {
    let others = others(bench, host);
    let wasmtime = wasmtime(bench, host, report)?;
    if others.is_empty() && wasmtime.is_empty() && !bench.wants(&[Part::Native]) {
        return Ok(());
    }
    let (native, addr) = bench.native()?;
    let asked = |beside| {
        others
            .iter()
            .chain(wasmtime.iter().map(|(_, it)| it))
            .any(|it| it.beside == beside)
    };
    let mut targets = Vec::new();
    for (beside, name, request) in [
        (Native::Hello, "native hyper: hello", Request::get("/")),
        (
            Native::Order,
            "native hyper + serde_json: order",
            services::order_request(),
        ),
    ] {
        if asked(beside) || bench.wants(&[Part::Native]) {
            targets.push(Target {
                name,
                goal: None,
                beside,
                addr,
                pid: native.pid(),
                request,
            });
        }
    }
    targets.extend(others);
    let (_running, peers): (Vec<Server>, Vec<Target>) = wasmtime.into_iter().unzip();
    targets.extend(peers);
    report.servers = rounds(bench, &targets)?;
    Ok(())
}

fn others(bench: &Bench<'_>, host: Option<&Host>) -> Vec<Target> {
    let Some(host) = host else { return Vec::new() };
    let hello = |path| Request::get(path);
    [
        (
            Part::WitHello,
            "Stoa: hello, HTTP→WIT",
            0.80,
            Native::Hello,
            hello(services::HELLO),
        ),
        (
            Part::P2Hello,
            "Stoa: hello, wasi:http 0.2",
            0.58,
            Native::Hello,
            hello(services::HELLO_P2),
        ),
        (
            Part::P3Hello,
            "Stoa: hello, wasi:http 0.3",
            0.40,
            Native::Hello,
            hello(services::HELLO_P3),
        ),
        (
            Part::Order,
            "Stoa: order, JSON→WIT",
            0.72,
            Native::Order,
            services::order_request(),
        ),
    ]
    .into_iter()
    .filter(|(part, ..)| bench.wants(&[*part]))
    .map(|(_, name, goal, beside, request)| Target {
        name,
        goal: Some(goal),
        beside,
        addr: host.stoa.addr,
        pid: host.stoa.pid(),
        request,
    })
    .collect()
}

/// `wasmtime serve` with the same components, where it is installed.
fn wasmtime(
    bench: &Bench<'_>,
    host: Option<&Host>,
    report: &mut Report,
) -> Result<Vec<(Server, Target)>> {
    let Some(host) = host.filter(|_| bench.wants(&[Part::Wasmtime])) else {
        return Ok(Vec::new());
    };
    if std::process::Command::new("wasmtime")
        .arg("--version")
        .output()
        .is_err()
    {
        report
            .skipped
            .push("wasmtime serve (not on PATH)".to_owned());
        return Ok(Vec::new());
    }
    let reuse = ["--max-instance-reuse-count", "128"];
    [
        (
            "wasmtime serve: hello, wasi:http 0.2",
            "bench_hello_p2.wasm",
            &[][..],
        ),
        (
            "wasmtime serve, reuse 128: hello, wasi:http 0.2",
            "bench_hello_p2.wasm",
            &reuse[..],
        ),
        (
            "wasmtime serve: hello, wasi:http 0.3",
            "bench_hello_p3.wasm",
            &[][..],
        ),
    ]
    .into_iter()
    .map(|(name, file, options)| {
        let mut command = bench.cores.on_server("wasmtime");
        command
            .args([
                "serve",
                "-Scli",
                "-Wcomponent-model-async",
                "--addr",
                "127.0.0.1:0",
            ])
            .args(options);
        command.arg(host.guests.directory.join(file));
        let server = Server::start(name, command)?;
        let addr = server.address(SERVING)?;
        let (pid, request) = (server.pid(), Request::get("/"));
        Ok((
            server,
            Target {
                name,
                goal: None,
                beside: Native::Hello,
                addr,
                pid,
                request,
            },
        ))
    })
    .collect()
}

fn rounds(bench: &Bench<'_>, targets: &[Target]) -> Result<Vec<ServerRow>> {
    let pids: Vec<u32> = targets
        .iter()
        .map(|target| target.pid)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut samples: Vec<Vec<Sample>> = targets.iter().map(|_| Vec::new()).collect();
    for round in 1..=bench.args.rounds() {
        for (target, samples) in targets.iter().zip(&mut samples) {
            // Each by itself: what disturbs one server for a moment is lost in a
            // round's average, and moves the ratios of all others.
            samples.push(bench.quiet.round(&pids, || sample(bench, round, target))?);
        }
    }
    targets
        .iter()
        .zip(&samples)
        .map(|(target, found)| row(target, found, baseline(targets, &samples, target)?))
        .collect()
}

fn sample(bench: &Bench<'_>, round: usize, target: &Target) -> Result<Sample> {
    bench.warm_up(target.name, target.addr, &target.request)?;
    let before = cpu_time(target.pid)?;
    let outcome = bench.measure(target.name, target.addr, &target.request)?;
    let cpu = cpu_time(target.pid)?.saturating_sub(before);
    let share = 100.0 * cpu.as_secs_f64() / outcome.seconds;
    let (name, rate) = (target.name, outcome.rate());
    say(&format!(
        "round {round}: {name}: {rate:.0}/s, {share:.0} % of its core"
    ));
    if share < SATURATED {
        say("note: that server was not the limit: the client or the machine was");
    }
    Ok(Sample { outcome, cpu })
}

/// The native samples that a target's are divided by.
fn baseline<'a>(
    targets: &[Target],
    samples: &'a [Vec<Sample>],
    target: &Target,
) -> Result<&'a [Sample]> {
    let native = targets
        .iter()
        .position(|it| it.beside == target.beside)
        .context("a native server comes first")?;
    Ok(&samples[native])
}

fn row(target: &Target, found: &[Sample], native: &[Sample]) -> Result<ServerRow> {
    let spread = |of: &dyn Fn(&Sample) -> f64| {
        Spread::of(found.iter().map(of).collect())
            .context("every target has a sample of each round")
    };
    let ratios = found
        .iter()
        .zip(native)
        .map(|(ours, theirs)| ours.outcome.rate() / theirs.outcome.rate());
    Ok(ServerRow {
        name: target.name.to_owned(),
        ratio: Spread::of(ratios.collect()).context("every target has a sample of each round")?,
        goal: target.goal,
        rate: spread(&|it| it.outcome.rate())?,
        p50_micros: spread(&|it| f64::from(it.outcome.p50_micros))?,
        p99_micros: spread(&|it| f64::from(it.outcome.p99_micros))?,
        cpu_micros: spread(&|it| it.cpu.as_secs_f64() * 1e6 / it.outcome.requests as f64)?,
    })
}
