//! `stoa up`: a host, and on it what a manifest says, in one command.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::Args;
use tokio::sync::oneshot;

use crate::host::Host;
use stoa_control::admin::client::Client;
use stoa_settings::config::LogFormat;
use stoa_settings::manifest::Manifest;

use super::application::Application;
use super::next_steps::Running;
use super::output;
use super::place::{LastHost, reachable};
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
        let mut config = self.flags.config(shared)?;
        // Its log is part of what it tells a person.
        if config.log.format == LogFormat::Auto && !shared.output().is_json() {
            config.log.format = LogFormat::Pretty;
        }
        let manifest = Manifest::load(&self.dir)?;
        let host = Host::start(config).await?;
        let _word = LastHost::remember(&host);
        let (running, asked) = (Running::of(&host), host.stop());
        let address = format!("http://{}", reachable(host.admin_addr()));
        let client = Client::new(&address, Some(host.token().to_owned()))?;
        let application = Application::new(manifest, client, shared.output());

        // Dropping `stop` stops the host, as a signal does.
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let life = host.run(async {
            tokio::select! {
                () = told_to_stop(asked) => {}
                _ = stopped => {}
            }
        });
        tokio::pin!(life);
        let outcome = tokio::select! {
            ended = &mut life => return ended,
            outcome = self.operate(application, &running) => outcome,
        };
        if outcome.is_err() {
            drop(stop);
            let drained = life.await;
            return outcome.and(drained);
        }
        life.await
    }

    /// Brings the services up; with `--watch`, again whenever they change.
    async fn operate(&self, mut application: Application, running: &Running) -> anyhow::Result<()> {
        if !self.watch {
            return bring_up(&mut application, running).await;
        }
        // Before the first build, so that no change during it is missed.
        let mut watcher = Watcher::default();
        watcher.watch(application.manifest(), application.output())?;
        show(bring_up(&mut application, running).await);
        loop {
            let changes = watcher.changes().await;
            show(react(&mut application, &mut watcher, changes).await);
        }
    }
}

async fn bring_up(application: &mut Application, running: &Running) -> anyhow::Result<()> {
    application.learn().await?;
    application.bring_up(|_| true).await?;
    announce(application, running).await
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

async fn announce(application: &Application, running: &Running) -> anyhow::Result<()> {
    let (client, output) = (application.client(), application.output());
    let routes = client.routes().await?;
    routes::show(&routes, output)?;
    if output.is_json() {
        return Ok(());
    }
    running.show(&routes, &client.app_openapi().await?, output)
}
