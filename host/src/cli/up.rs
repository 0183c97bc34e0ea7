//! `stoa up`: a host, and on it what a manifest says, in one command.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use tokio::sync::oneshot;

use crate::admin::client::Client;
use crate::host::Host;
use crate::manifest::Manifest;

use super::application::Application;
use super::output::{self, Tone};
use super::serve::{HostFlags, told_to_stop};
use super::watch::{Changes, Watcher};
use super::{Shared, routes};

/// Build, run a host, deploy all services of a manifest, and show the log.
#[derive(Debug, Args)]
pub struct Up {
    /// Folder of a stoa.toml, or its path.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Rebuild and redeploy what changes.
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    flags: HostFlags,
}

impl Up {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let config = self.flags.config(shared)?;
        let manifest = Manifest::load(&self.dir)?;
        let host = Host::start(config).await?;
        let address = format!("http://{}", reachable(host.admin_addr()));
        let client = Client::new(&address, Some(host.token().to_owned()))?;
        let application = Application::new(manifest, client, shared.output());

        // Dropping `stop` stops the host, as a signal does.
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let running = host.run(async {
            tokio::select! {
                () = told_to_stop() => {}
                _ = stopped => {}
            }
        });
        tokio::pin!(running);
        let outcome = tokio::select! {
            ended = &mut running => return ended,
            outcome = self.operate(application) => outcome,
        };
        if outcome.is_err() {
            drop(stop);
            let drained = running.await;
            return outcome.and(drained);
        }
        running.await
    }

    /// Brings the services up; with `--watch`, again whenever they change.
    async fn operate(&self, mut application: Application) -> anyhow::Result<()> {
        if !self.watch {
            return bring_up(&mut application).await;
        }
        // Before the first build, so that no change during it is missed.
        let mut watcher = Watcher::default();
        watcher.watch(application.manifest(), application.output())?;
        show(bring_up(&mut application).await);
        loop {
            let changes = watcher.changes().await;
            show(react(&mut application, &mut watcher, changes).await);
        }
    }
}

async fn bring_up(application: &mut Application) -> anyhow::Result<()> {
    application.learn().await?;
    application.bring_up(|_| true).await?;
    announce(application).await
}

async fn react(
    application: &mut Application,
    watcher: &mut Watcher,
    mut changes: Changes,
) -> anyhow::Result<()> {
    if changes.manifest {
        changes.services.extend(application.reload()?);
        watcher.watch(application.manifest(), application.output())?;
    }
    application
        .bring_up(|service| changes.services.contains(service))
        .await
}

/// What failed is shown, and what was live stays.
fn show(outcome: anyhow::Result<()>) {
    if let Err(fault) = outcome {
        output::error(&format!("{fault:#}"));
    }
}

async fn announce(application: &Application) -> anyhow::Result<()> {
    let (client, output) = (application.client(), application.output());
    routes::show(&client.routes().await?, output)?;
    if !output.is_json() {
        output.line(&output.paint(Tone::Quiet, &format!("Admin API on {}/", client.address())))?;
    }
    Ok(())
}

/// Where a listener is reached from this machine.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        for (listener, expected) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:2", "[::1]:2"),
            ("10.0.0.1:3", "10.0.0.1:3"),
        ] {
            assert_eq!(reachable(listener.parse().unwrap()).to_string(), expected);
        }
    }
}
