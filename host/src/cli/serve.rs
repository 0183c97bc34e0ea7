//! `stoa serve`: the host alone.

use std::path::PathBuf;

use clap::Args;

use crate::host::Host;
use stoa_http::shutdown::{self, Stop};
use stoa_settings::config::{Config, Flag};

use super::place::LastHost;
use super::{Shared, Usage};

/// Run a host until it is told to stop.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    flags: HostFlags,
}

/// The settings of a host that are worth a flag. The others are in the file and
/// the environment.
#[derive(Debug, Args)]
pub struct HostFlags {
    /// Where the gateway listens [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Where the admin API listens [default: 127.0.0.1:8081].
    #[arg(long, value_name = "ADDR:PORT")]
    admin: Option<String>,
    /// Where the gateway listens for TLS, once it has a certificate [default: 127.0.0.1:8443].
    #[arg(long, value_name = "ADDR:PORT")]
    tls_listen: Option<String>,
    /// A certificate with its chain, in PEM; several times for several names.
    #[arg(long, value_name = "FILE")]
    tls_cert: Vec<String>,
    /// The private key of each certificate, in PEM.
    #[arg(long, value_name = "FILE")]
    tls_key: Vec<String>,
    /// The region that services are told they run in.
    #[arg(long)]
    region: Option<String>,
    /// How long calls under way may go on when the host stops [default: 30s].
    #[arg(long, value_name = "DURATION")]
    drain: Option<String>,
    /// A file of settings.
    #[arg(long, value_name = "FILE", env = "STOA_CONFIG")]
    config: Option<PathBuf>,
}

impl Serve {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let config = self.flags.config(shared)?;
        let host = Host::start(config).await?;
        let _word = LastHost::remember(&host);
        let stop = host.stop();
        host.run(told_to_stop(stop)).await
    }
}

/// Completes when the host is told to stop, or can't hear it when it is.
pub async fn told_to_stop(stop: Stop) {
    if let Err(fault) = shutdown::signal(&stop).await {
        tracing::error!("signals can't be heard, so that the host stops at once: {fault}");
    }
}

impl HostFlags {
    /// The host's settings, from all their sources.
    pub fn config(&self, shared: &Shared) -> Result<Config, Usage> {
        let data = shared.data.as_ref().map(|data| data.display().to_string());
        let flags = [
            ("listen", self.listen.clone()),
            ("admin", self.admin.clone()),
            ("tls.listen", self.tls_listen.clone()),
            ("tls.cert", joined(&self.tls_cert)),
            ("tls.key", joined(&self.tls_key)),
            ("region", self.region.clone()),
            ("drain", self.drain.clone()),
            ("data", data),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let given: Vec<Flag> = given.collect();
        Config::load(self.config.as_deref(), &given)
            .map_err(|faults| Usage(format!("the host's settings have faults\n{faults}")))
    }
}

/// As a list is written.
fn joined(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(","))
}
