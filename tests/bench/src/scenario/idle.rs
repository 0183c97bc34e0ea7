//! Memory of a host that has the shop and nothing to do.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::{Bench, figure, shop};
use crate::cores::resident;
use crate::report::{Figure, Report, say};
use crate::stoa::Stoa;

/// After this long nothing is under way. An allocator may give back more later;
/// what is still there is what the machine has to hold.
const SETTLE: Duration = Duration::from_secs(5);

/// Deploys the shop to a host of its own, as many workers as the machine gives.
///
/// # Errors
/// The shop is built, but can't be deployed.
pub fn measure(bench: &Bench<'_>, program: &Path, report: &mut Report) -> Result<()> {
    match shop::unbuilt()? {
        Some(reason) => report
            .skipped
            .push(format!("host with the shop idle ({reason})")),
        None => {
            say("deploying the shop");
            let host = Stoa::start(bench.cores.anywhere(program))?;
            shop::deploy(program, &host)?;
            report.figures.push(settled("deployed 5 s ago", &host)?);
            let host = host.restart(bench.cores.anywhere(program))?;
            report.figures.push(settled("started 5 s ago", &host)?);
        }
    }
    Ok(())
}

/// What a deployment needs for compiling is part of the one, and not of the other.
fn settled(since: &str, host: &Stoa) -> Result<Figure> {
    thread::sleep(SETTLE);
    let mebibytes = resident(host.pid())? as f64 / f64::from(1 << 20);
    let name = format!("host with the shop, idle, {since}: resident");
    figure(&name, "MiB", Some("≤ 80"), vec![mebibytes])
}
