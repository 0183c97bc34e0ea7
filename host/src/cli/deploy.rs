//! `stoa deploy`: make services of a manifest live, on a host that runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use stoa_api::upstream::UpstreamDeploy;
use stoa_api::{ServiceDeploy, Stages};
use stoa_settings::check;
use stoa_settings::config::faults::nearest;
use stoa_settings::config::values::duration;
use stoa_settings::manifest::{FILE, Manifest, ServiceManifest};
use stoa_settings::service_name;
use stoa_settings::upstream::UpstreamSettings;

use super::{Shared, Usage, release};

/// Deploy the services of a manifest, or one of them.
#[derive(Debug, Args)]
pub struct Deploy {
    /// Folder of a stoa.toml, or its path, or a service of ./stoa.toml.
    #[arg(default_value = ".", value_name = "DIR|SERVICE")]
    what: String,
    /// Deploy this component in place of the manifest's; for a single service.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Give the new revision a share of the traffic only, such as 10%; or several,
    /// such as 5%,25%,100%, which the host walks and ends when it is clearly worse.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', value_parser = percent)]
    canary: Vec<u8>,
    /// How long each of several shares lasts.
    #[arg(long, value_name = "TIME", value_parser = stage, default_value = "1m", requires = "canary")]
    every: Duration,
    /// Wait until the calls under way on the old revisions have ended, too, and until a
    /// rollout (several shares, auto_rollback) is over; fails if a revision is taken back.
    #[arg(long)]
    wait: bool,
}

impl Deploy {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (canary, stages) = shares(&self.canary, self.every)?;
        let client = shared.client()?;
        let Selected {
            mut services,
            upstreams,
        } = select(&self.what)?;
        if let Some(file) = self.component {
            let [(_, service)] = services.as_mut_slice() else {
                bail!(Usage(format!(
                    "--component is for a single service, and {} has {}: name one",
                    self.what,
                    services.len()
                )));
            };
            service.component = file;
        }
        let mut deployed = Vec::new();
        for (service, manifest) in services {
            let component = release::digest(&manifest.component).await?;
            let settings = manifest.settings;
            let stages = stages.clone();
            deployed.push((
                ServiceDeploy {
                    service,
                    component,
                    settings,
                    canary,
                    stages,
                },
                manifest.component,
            ));
        }
        let wait = if self.wait {
            release::Wait::Over
        } else {
            release::Wait::Live
        };
        let release = release::Release {
            services: deployed,
            upstreams,
        };
        release::deploy(&client, release, wait, shared.output()).await
    }
}

/// What of a manifest is deployed.
struct Selected {
    services: Vec<(String, ServiceManifest)>,
    upstreams: Vec<UpstreamDeploy>,
}

/// What the command's argument means: all of a folder's manifest, or one service or
/// upstream of `./stoa.toml`. A folder without a manifest is no answer to a name.
fn select(what: &str) -> anyhow::Result<Selected> {
    let path = Path::new(what);
    let is_manifest = path.is_file() || path.join(FILE).is_file();
    if is_manifest || service_name(what).is_err() {
        let manifest = Manifest::load(path)?;
        let upstreams = manifest.upstreams.into_iter();
        return Ok(Selected {
            services: manifest.services.into_iter().collect(),
            upstreams: upstreams.map(declare).collect(),
        });
    }
    let mut manifest = Manifest::load(Path::new("."))?;
    let service = manifest.services.remove_entry(what);
    let upstream = manifest.upstreams.remove_entry(what);
    if service.is_none() && upstream.is_none() {
        bail!(stranger(what, &manifest));
    }
    Ok(Selected {
        services: service.into_iter().collect(),
        upstreams: upstream.map(declare).into_iter().collect(),
    })
}

fn declare((upstream, settings): (String, UpstreamSettings)) -> UpstreamDeploy {
    UpstreamDeploy { upstream, settings }
}

fn stranger(name: &str, manifest: &Manifest) -> String {
    let names = manifest.services.keys().chain(manifest.upstreams.keys());
    let known = names.map(String::as_str);
    match nearest(name, known) {
        Some(known) => format!("./{FILE} has no service {name:?}: did you mean {known:?}?"),
        None => format!(
            "./{FILE} has no service {name:?}, and there is no folder of that name with a {FILE}"
        ),
    }
}

/// One share, or stages: what `--canary` says.
fn shares(shares: &[u8], every: Duration) -> Result<(Option<u8>, Option<Stages>), Usage> {
    match shares {
        [] => Ok((None, None)),
        [share @ 1..=99] => Ok((Some(*share), None)),
        [_] => Err(Usage(
            "expected a share under 100%, or several; without --canary it is all".to_owned(),
        )),
        several if !several.is_sorted_by(|one, next| one < next) => Err(Usage(format!(
            "expected ascending shares such as 5%,25%,100%, found {several:?}"
        ))),
        several => {
            let mut shares = several.to_vec();
            // A walk that ends before all traffic is no deployment.
            if shares.last() != Some(&100) {
                shares.push(100);
            }
            Ok((None, Some(Stages { shares, every })))
        }
    }
}

/// How long a stage lasts.
fn stage(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    check::stage(every).map(|()| every)
}

/// A share of the traffic: `10%` or `10`.
pub fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
    number
        .filter(|percent| (1..=100).contains(percent))
        .ok_or_else(|| format!("expected a share from 1% to 100%, found {text:?}"))
}
