//! The real `stoa` binary, as a host process.
//!
//! Waits on events only: on lines that the host writes, on its exit.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::admin::Admin;
use crate::client::{self, Answer, PATIENCE};
use crate::command::{Ran, SETTINGS, cli};
use crate::output::Output;

/// A host that runs. Dropping it kills it; its data directory goes with the
/// last one that used it.
pub struct HostProcess {
    child: Child,
    binary: PathBuf,
    options: HostOptions,
    directory: Arc<TempDir>,
    output: Output,
    /// Where the gateway listens.
    pub http: SocketAddr,
    /// Where the admin API listens.
    pub admin_address: SocketAddr,
}

/// How a host is started, beyond port 0 and a data directory of its own.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// Further arguments of `stoa serve`.
    pub arguments: Vec<String>,
    /// Text of a `stoa-host.toml`.
    pub config: Option<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Runs `stoa up` on this folder, in place of `stoa serve`.
    pub up: Option<PathBuf>,
}

// === impl HostProcess ===

impl HostProcess {
    /// Starts a host with an empty data directory; returns when it serves.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(binary: impl AsRef<Path>, options: HostOptions) -> Result<Self> {
        let directory = Arc::new(TempDir::with_prefix("stoa-")?);
        Self::start_in(binary.as_ref(), options, directory).await
    }

    /// Starts a host on a directory, whatever is in it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_in(
        binary: &Path,
        options: HostOptions,
        directory: Arc<TempDir>,
    ) -> Result<Self> {
        let mut child = command(binary, &options, &directory)?
            .spawn()
            .with_context(|| binary.display().to_string())?;
        let output = Output::default();
        let stdout = child.stdout.take();
        let stdout = output.follow(stdout.context("the standard output is piped")?);
        let stderr = child.stderr.take();
        let stderr = output.follow(stderr.context("the standard error is piped")?);
        let found = tokio::select! {
            found = addresses(&output) => found,
            status = child.wait() => {
                // Its last words are still on their way.
                let _ = tokio::join!(stdout, stderr);
                Err(anyhow::anyhow!("the host ended ({status:?}) before it served"))
            }
        };
        let (http, admin_address) = found.with_context(|| output.tail())?;
        let host = Self {
            child,
            binary: binary.to_owned(),
            options,
            directory,
            output,
            http,
            admin_address,
        };
        client::get(host.admin_address, "/readyz")
            .await?
            .expect(200)
            .context("a host that says it serves is ready")?;
        Ok(host)
    }

    /// Kills it as a crash would, and starts another on the same data.
    ///
    /// # Errors
    /// When that does not come up.
    pub async fn crash_and_restart(mut self) -> Result<Self> {
        self.kill_9().await?;
        self.restart().await
    }

    /// Starts another host on the same data; this one must have ended, or is killed.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(mut self) -> Result<Self> {
        self.kill_9().await?;
        Self::start_in(
            &self.binary.clone(),
            self.options.clone(),
            Arc::clone(&self.directory),
        )
        .await
    }

    /// `kill -9`; returns when the process is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill_9(&mut self) -> Result<()> {
        self.child.kill().await.context("kill -9")
    }

    /// Sends SIGTERM; see [`Self::wait`].
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn terminate(&self) -> Result<()> {
        let id = self.child.id().context("the host has ended already")?;
        // The shell's own `kill`: no unsafe code, no further crate.
        let status = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\""])
            .arg(id.to_string())
            .status()
            .await?;
        ensure!(status.success(), "kill -TERM {id}: {status}");
        Ok(())
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// When it does not.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        Ok(ended.with_context(|| format!("the host does not end: {}", self.output.tail()))??)
    }

    /// The admin API, with the token that the host made.
    ///
    /// # Errors
    /// When there is no token.
    pub fn admin(&self) -> Result<Admin> {
        let file = self.data().join("token");
        let token = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Ok(Admin {
            address: self.admin_address,
            token: token.trim().to_owned(),
        })
    }

    /// Where the gateway listens for TLS.
    ///
    /// # Errors
    /// When it does not.
    pub async fn https(&self) -> Result<SocketAddr> {
        let line = self
            .output
            .wait_for(|line| line.starts_with("Serving HTTPS on "))
            .await?;
        address(&line)
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The user's settings, which the host leaves word of itself in.
    pub fn settings(&self) -> PathBuf {
        self.directory.path().join("settings")
    }

    /// The process's number.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it wrote to its standard output and error.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// `GET path` from the gateway.
    ///
    /// # Errors
    /// When no whole response comes.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        client::get(self.http, path).await
    }

    /// `POST path` to the gateway.
    ///
    /// # Errors
    /// When no whole response comes.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Result<Answer> {
        client::post(self.http, path, body).await
    }

    /// Runs `stoa` as a command against this host.
    ///
    /// # Errors
    /// When it can't be run, or does not end.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Ran> {
        let admin = self.admin()?;
        let environment = [
            ("STOA_HOST", format!("http://{}", admin.address)),
            ("STOA_TOKEN", admin.token),
            (SETTINGS, self.settings().display().to_string()),
        ];
        cli(&self.binary, arguments, &environment).await
    }
}

impl Drop for HostProcess {
    /// Shown by the test runner when the test fails, and only then.
    #[expect(clippy::print_stderr, reason = "the test runner captures it")]
    fn drop(&mut self) {
        eprintln!("--- the host's output\n{}\n---", self.output.tail());
    }
}

fn command(binary: &Path, options: &HostOptions, directory: &TempDir) -> Result<Command> {
    let mut command = Command::new(binary);
    match &options.up {
        Some(folder) => command.arg("up").arg(folder),
        None => command.arg("serve"),
    };
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--data",
    ]);
    command.arg(directory.path().join("data"));
    if let Some(config) = &options.config {
        let file = directory.path().join("stoa-host.toml");
        std::fs::write(&file, config)?;
        command.arg("--config").arg(file);
    }
    command
        .args(&options.arguments)
        .env(SETTINGS, directory.path().join("settings"))
        .envs(options.environment.iter().cloned());
    command.env_remove("STOA_TOKEN").env_remove("STOA_HOST");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

async fn addresses(output: &Output) -> Result<(SocketAddr, SocketAddr)> {
    let http = output
        .wait_for(|line| line.starts_with("Serving HTTP on "))
        .await?;
    let admin = output
        .wait_for(|line| line.starts_with("Admin API on "))
        .await?;
    Ok((address(&http)?, address(&admin)?))
}

fn address(line: &str) -> Result<SocketAddr> {
    let url = line.rsplit(' ').next().unwrap_or_default();
    let text = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .and_then(|rest| rest.strip_suffix('/'));
    text.and_then(|text| text.parse().ok())
        .with_context(|| format!("expected a URL of an address at the end of {line:?}"))
}
