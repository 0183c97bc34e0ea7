//! What a request costs on a host with ten thousand services, over one with ten.

use std::path::Path;

use anyhow::Result;

use super::paired::{Side, paired};
use super::{Bench, figure, services};
use crate::guests::Guests;
use crate::load::Request;
use crate::report::{Report, say};
use crate::stoa::{Deploy, Stoa};

const FEW: usize = 10;
const MANY: usize = 10_000;
/// Of one deployment: its request stays far below what the admin API takes.
const AT_ONCE: usize = 500;

/// Compares two hosts in turns.
///
/// # Errors
/// A service can't be deployed, or a request fails.
pub fn measure(bench: &Bench<'_>, program: &Path, report: &mut Report) -> Result<()> {
    let guests = Guests::load(bench.args.guests.as_deref())?;
    let few = host(bench, program, &guests, FEW)?;
    let many = host(bench, program, &guests, MANY)?;
    // In the middle of the table, behind a parameter, as most routes are.
    let small = Request::get(&path(FEW / 2));
    let large = Request::get(&path(MANY / 2));
    let ratios = paired(
        bench,
        &Side {
            name: "a host with 10 000 services",
            addr: many.addr,
            pid: many.pid(),
            request: &large,
        },
        &Side {
            name: "a host with 10 services",
            addr: few.addr,
            pid: few.pid(),
            request: &small,
        },
    )?;
    report.figures.push(figure(
        "throughput with 10 000 services, of that with 10",
        "%",
        Some("≥ 95"),
        ratios,
    )?);
    Ok(())
}

fn host(bench: &Bench<'_>, program: &Path, guests: &Guests, count: usize) -> Result<Stoa> {
    say(&format!("deploying {count} services"));
    let mut stoa = Stoa::start(bench.cores.on_server(program))?;
    stoa.upload(&guests.hello)?;
    let names: Vec<String> = (0..count).map(|number| format!("s{number}")).collect();
    for chunk in names.chunks(AT_ONCE) {
        let deploys: Vec<Deploy<'_>> = chunk
            .iter()
            .map(|name| Deploy {
                service: name,
                component: &guests.hello,
                settings: services::greeting(&format!("/{name}/hello")),
            })
            .collect();
        stoa.deploy(&deploys)?;
    }
    Ok(stoa)
}

fn path(number: usize) -> String {
    format!("/s{number}/hello")
}
