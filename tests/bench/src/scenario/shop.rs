//! The shop of `components/`, as its own manifest deploys it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::child::Server;
use crate::stoa::Stoa;

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../components");
/// Far more than a few components need to compile.
const DEPLOYMENT: Duration = Duration::from_secs(120);

/// Why the shop can't be deployed as it is; `None` where it can.
///
/// # Errors
/// Its manifest can't be read.
pub fn unbuilt() -> Result<Option<String>> {
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

/// Deploys the shop by its manifest.
///
/// # Errors
/// It is refused.
pub fn deploy(program: &Path, host: &Stoa) -> Result<()> {
    let mut command = Command::new(program);
    command
        .args(["deploy", SHOP])
        .env("STOA_HOST", format!("http://{}", host.admin))
        .env("STOA_TOKEN", &host.token)
        // Whatever it writes beside its answer goes with the host's data.
        .current_dir(host.data());
    Server::start("stoa deploy", command)?.finish(DEPLOYMENT)
}
