//! Memory of a host that has the shop and nothing to do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Bench, figure};
use crate::child::Server;
use crate::cores::resident;
use crate::report::{Figure, Report, say};
use crate::stoa::Stoa;

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../components");
/// After this long nothing is under way. An allocator may give back more later;
/// what is still there is what the machine has to hold.
const SETTLE: Duration = Duration::from_secs(5);
/// Far more than a few components need to compile.
const DEPLOYMENT: Duration = Duration::from_secs(120);

/// Deploys the shop to a host of its own, as many workers as the machine gives.
///
/// # Errors
/// The shop is built, but can't be deployed.
pub fn measure(bench: &Bench<'_>, program: &Path, report: &mut Report) -> Result<()> {
    match unbuilt()? {
        Some(reason) => report
            .skipped
            .push(format!("host with the shop idle ({reason})")),
        None => {
            say("deploying the shop");
            let host = Stoa::start(bench.cores.anywhere(program))?;
            deploy(program, &host)?;
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

/// Why the shop can't be deployed as it is; `None` where it can.
fn unbuilt() -> Result<Option<String>> {
    let manifest = Path::new(SHOP).join("stoa.toml");
    let Ok(text) = std::fs::read_to_string(&manifest) else {
        return Ok(Some("no components/stoa.toml".to_owned()));
    };
    let manifest: toml::Table = text
        .parse()
        .with_context(|| format!("reading {}", manifest.display()))?;
    let services = manifest
        .get("service")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten();
    let mut components = services.filter_map(|(_, service)| service.get("component")?.as_str());
    Ok(components
        .find(|component| !component.contains("://") && !Path::new(SHOP).join(component).exists())
        .map(|missing| {
            format!(
                "{} is not built; `stoa build components` does it",
                file_name(missing).display()
            )
        }))
}

fn file_name(path: &str) -> PathBuf {
    Path::new(path)
        .file_name()
        .map(PathBuf::from)
        .unwrap_or_default()
}

fn deploy(program: &Path, host: &Stoa) -> Result<()> {
    let mut command = Command::new(program);
    command
        .args(["deploy", SHOP])
        .env("STOA_HOST", format!("http://{}", host.admin))
        .env("STOA_TOKEN", &host.token)
        // Whatever it writes beside its answer goes with the host's data.
        .current_dir(host.data());
    Server::start("stoa deploy", command)?.finish(DEPLOYMENT)
}
