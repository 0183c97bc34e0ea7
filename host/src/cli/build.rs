//! `stoa build`: run the build commands of a manifest.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use clap::Args;
use tokio::process::Command;

use stoa_settings::manifest::{Manifest, ServiceManifest};

use super::Shared;
use super::output::Output;

/// The target of components; rustup has it, but does not install it by itself.
const TARGET: &str = "wasm32-wasip2";

/// Build the components of a manifest.
#[derive(Debug, Args)]
pub struct Build {
    /// Folder of a stoa.toml, or its path.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

impl Build {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let manifest = Manifest::load(&self.dir)?;
        build(&manifest.folder, manifest.services.iter(), shared.output()).await
    }
}

/// Builds these services, in their order; a command that several share runs once.
///
/// # Errors
/// The first command that fails, or whose component is not there afterwards.
pub async fn build<'m>(
    folder: &Path,
    services: impl Iterator<Item = (&'m String, &'m ServiceManifest)> + Clone,
    output: Output,
) -> anyhow::Result<()> {
    let mut done = HashSet::new();
    for (name, service) in services.clone() {
        let Some(command) = service
            .build
            .as_deref()
            .filter(|command| done.insert(*command))
        else {
            continue;
        };
        if command.contains(TARGET) {
            add_target(folder, output).await?;
        }
        output.note(&format!("Building {name}: {command}"));
        let shell = run(shell(command, folder)).await;
        shell.with_context(|| format!("the build of {name} failed: `{command}`"))?;
    }
    for (name, service) in services {
        let file = &service.component;
        if !file.is_file() {
            let after = match service.build {
                Some(_) => "after its build; does `component` name what the build makes?",
                None => "and it has no `build` that would make it",
            };
            bail!(
                "the component of {name} is not at {}, {after}",
                file.display()
            );
        }
    }
    Ok(())
}

/// Adds the target of components where rustup lacks it. Without rustup the
/// toolchain is somebody else's, and the build says what it misses.
async fn add_target(folder: &Path, output: Output) -> anyhow::Result<()> {
    let mut list = Command::new("rustup");
    list.args(["target", "list", "--installed"])
        .current_dir(folder)
        .stdin(Stdio::null());
    let installed = match list.output().await {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed.context("`rustup target list --installed` can't be run")?,
    };
    let installed = String::from_utf8_lossy(&installed.stdout);
    if installed.lines().any(|line| line.trim() == TARGET) {
        return Ok(());
    }
    output.note(&format!(
        "Adding the target {TARGET}: rustup target add {TARGET}"
    ));
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]).current_dir(folder);
    run(add)
        .await
        .with_context(|| format!("the target {TARGET} can't be added"))
}

fn shell(command: &str, folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).current_dir(folder);
    // The manifest says where the component is, relative to itself.
    shell.env_remove("CARGO_TARGET_DIR");
    shell
}

/// Runs a command with its output on our standard error: standard output is for
/// results. It ends when we do.
async fn run(mut command: Command) -> anyhow::Result<()> {
    command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .stderr(io::stderr())
        .kill_on_drop(true);
    let status = command.status().await.context("it can't be started")?;
    if !status.success() {
        bail!("it ended with {status}");
    }
    Ok(())
}
