//! The scenarios and their order. Each file is one; what they share stands here.

mod call;
mod catalog;
mod chain;
mod clients;
mod compare;
mod deploy;
mod idle;
mod neighbour;
mod overload;
mod oversell;
mod paired;
mod place;
mod queue;
mod rollback;
mod scale;
mod services;
mod shop;
mod swap;
mod throughput;
mod zero;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::args::{Args, Client, Part};
use crate::child::{SERVING, Server};
use crate::cores::Cores;
use crate::guests::Guests;
use crate::load::{Load, Outcome, Request};
use crate::quiet::Quiet;
use crate::report::{Figure, Report};
use crate::stats::Spread;
use crate::stoa::{self, Stoa};

/// Enough for caches, branch predictors and pools to settle.
const WARM_UP: Duration = Duration::from_millis(300);

/// Parts that need a host with the benchmark's services.
const ON_STOA: [Part; 11] = [
    Part::WitHello,
    Part::P2Hello,
    Part::P3Hello,
    Part::Order,
    Part::Call,
    Part::Chain,
    Part::Swap,
    Part::Zero,
    Part::Deploy,
    Part::Rollback,
    Part::Overload,
];

/// Parts that start hosts of their own.
const ALONE: [Part; 8] = [
    Part::Scale,
    Part::Neighbour,
    Part::Idle,
    Part::Clients,
    Part::Place,
    Part::Queue,
    Part::Oversell,
    Part::Catalog,
];

/// What every scenario needs to know.
struct Bench<'a> {
    args: &'a Args,
    cores: &'a Cores,
    parts: BTreeSet<Part>,
    quiet: Quiet<'a>,
}

/// A host with the benchmark's services.
struct Host {
    stoa: Stoa,
    guests: Guests,
}

/// Measures what was asked for.
///
/// # Errors
/// Something did not work: a server did not start, a request failed.
pub fn run_all(args: &Args, cores: &Cores) -> Result<Report> {
    let bench = Bench {
        args,
        cores,
        parts: args.parts(),
        quiet: Quiet::new(cores, args.retakes),
    };
    let mut report = Report::default();
    if let Some(other) = &args.compare {
        let program = stoa::program(args.stoa.as_deref())?;
        report.figures = compare::measure(&bench, &program, other)?;
        report.setup = bench.describe();
        return Ok(report);
    }
    let program = if bench.wants(&ON_STOA) || bench.wants(&ALONE) {
        Some(stoa::program(args.stoa.as_deref())?)
    } else {
        None
    };
    let mut host = match &program {
        Some(program) if bench.wants(&ON_STOA) => Some(bench.host(program)?),
        _ => None,
    };
    throughput::measure(&bench, host.as_ref(), &mut report)?;
    if let Some(host) = &mut host {
        for (part, measure) in FIGURES {
            if bench.wants(&[part]) {
                report.figures.extend(measure(&bench, host)?);
            }
        }
    }
    drop(host);
    if let Some(program) = program {
        for (part, measure) in HOSTS {
            if bench.wants(&[part]) {
                measure(&bench, &program, &mut report)?;
            }
        }
    }
    report.setup = bench.describe();
    Ok(report)
}

/// Measures one part on a host.
type Measure = fn(&Bench<'_>, &mut Host) -> Result<Vec<Figure>>;

const FIGURES: [(Part, Measure); 7] = [
    (Part::Call, call::measure),
    (Part::Chain, chain::measure),
    (Part::Swap, swap::measure),
    (Part::Zero, zero::measure),
    (Part::Deploy, deploy::measure),
    (Part::Rollback, rollback::measure),
    (Part::Overload, overload::measure),
];

/// Measures one part on hosts of its own.
type MeasureAlone = fn(&Bench<'_>, &Path, &mut Report) -> Result<()>;

const HOSTS: [(Part, MeasureAlone); 8] = [
    (Part::Scale, scale::measure),
    (Part::Neighbour, neighbour::measure),
    (Part::Idle, idle::measure),
    (Part::Clients, clients::measure),
    (Part::Place, place::measure),
    (Part::Queue, queue::measure),
    (Part::Oversell, oversell::measure),
    (Part::Catalog, catalog::measure),
];

impl Bench<'_> {
    fn wants(&self, parts: &[Part]) -> bool {
        parts.iter().any(|part| self.parts.contains(part))
    }

    fn native(&self) -> Result<(Server, SocketAddr)> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = self.cores.on_server(program);
        command.arg("native");
        let server = Server::start("the native server", command)?;
        let addr = server.address(SERVING)?;
        Ok((server, addr))
    }

    /// The shop without a host, with its data in a folder that goes with the second value.
    fn native_shop(&self) -> Result<(Server, SocketAddr, TempDir)> {
        let program = std::env::current_exe().context("finding this program")?;
        let data = stoa::data_directory()?;
        let mut command = self.cores.on_server(program);
        command.arg("native-shop").arg(data.path());
        let server = Server::start("the shop without a host", command)?;
        let addr = server.address(SERVING)?;
        Ok((server, addr, data))
    }

    fn host(&self, program: &Path) -> Result<Host> {
        let guests = Guests::load(self.args.guests.as_deref())?;
        let mut stoa = Stoa::start(self.cores.on_server(program))?;
        services::deploy(&mut stoa, &guests)?;
        Ok(Host { stoa, guests })
    }

    /// Brings a server to the state that it is measured in; no answer may be bad.
    /// That there is none is for the measuring to tell: it takes longer than this.
    fn warm_up(&self, what: &str, addr: SocketAddr, request: &Request) -> Result<()> {
        self.load(addr, request, WARM_UP)
            .run(Client::Own)?
            .without_failure(what)
            .map(drop)
    }

    /// Measures; every answer must be good.
    fn measure(&self, what: &str, addr: SocketAddr, request: &Request) -> Result<Outcome> {
        let load = self.load(addr, request, self.args.duration());
        load.run(self.args.client)?.flawless(what)
    }

    fn load<'r>(&self, addr: SocketAddr, request: &'r Request, duration: Duration) -> Load<'r> {
        let connections = self.args.connections;
        Load {
            addr,
            request,
            more: &[],
            connections,
            duration,
            hold: None,
        }
    }

    fn describe(&self) -> String {
        let client = match self.args.client {
            Client::Own => "the driver's own client",
            Client::Wrk => "wrk",
        };
        let place = match self.cores {
            Cores::Apart { .. } => "the server on one core, the load on another",
            Cores::Shared => "server and load not pinned (ratios are not comparable)",
        };
        let (rounds, seconds) = (self.args.rounds(), self.args.duration().as_secs());
        format!(
            "Median of {rounds} rounds of {seconds} s for each server, in turns; {place}; {} connections, HTTP/1.1 \
             keep-alive, {client}.{}",
            self.args.connections,
            self.quiet.describe()
        )
    }
}

/// A figure of samples.
fn figure(
    name: &str,
    unit: &'static str,
    goal: Option<&'static str>,
    samples: Vec<f64>,
) -> Result<Figure> {
    let value =
        Spread::of(samples).with_context(|| format!("expected samples of {name}, found none"))?;
    Ok(Figure {
        name: name.to_owned(),
        unit,
        value,
        goal,
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
