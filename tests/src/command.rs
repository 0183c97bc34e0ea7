//! The real `stoa` binary, run as a command.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::client::PATIENCE;

/// What `stoa` said when it was run as a command.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Where a command finds the user's settings.
pub const SETTINGS: &str = "XDG_CONFIG_HOME";

/// Runs `stoa` as a command, for a user without settings unless the environment says so.
///
/// # Errors
/// When it can't be run, or does not end.
pub async fn cli(binary: &Path, arguments: &[&str], environment: &[(&str, String)]) -> Result<Ran> {
    let user = TempDir::with_prefix("user-")?;
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .env(SETTINGS, user.path())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output())
        .await
        .with_context(|| format!("stoa {arguments:?} does not end"))??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ran {
        status: output.status,
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    })
}

impl Ran {
    /// The standard output, if the command ended with this code.
    ///
    /// # Errors
    /// When it ended otherwise.
    pub fn expect(&self, code: i32) -> Result<&str> {
        if self.status.code() != Some(code) {
            bail!(
                "expected exit code {code}, found {}:\n{}\n{}",
                self.status,
                self.stdout,
                self.stderr
            );
        }
        Ok(&self.stdout)
    }
}
