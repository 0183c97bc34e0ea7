//! A `stoa serve` as a child process, and as much of its admin API as a
//! benchmark needs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::child::{SERVING, Server, remove_on_signal};
use crate::guests::{Component, target_directory};
use crate::load::{Connection, Request};

/// A host with a data directory of its own, both gone when this is dropped.
pub struct Stoa {
    server: Server,
    /// The gateway.
    pub addr: SocketAddr,
    /// The admin API.
    pub admin: SocketAddr,
    /// What the admin API asks for.
    pub token: String,
    connection: Connection,
    data: TempDir,
}

/// A folder for a server's data, gone when this is dropped.
///
/// # Errors
/// It can't be made.
pub fn data_directory() -> Result<TempDir> {
    // Beside the build, as a temporary directory is often no disk at all.
    let parent = target_directory().unwrap_or_else(|_| std::env::temp_dir());
    let data = TempDir::with_prefix_in("bench-data-", parent).context("making a data directory")?;
    remove_on_signal(data.path());
    Ok(data)
}

/// A service to deploy.
pub struct Deploy<'a> {
    /// Its name.
    pub service: &'a str,
    /// Its component.
    pub component: &'a Component,
    /// The rest of it, as the admin API takes it.
    pub settings: Value,
}

impl Stoa {
    /// Starts the program by `command`, which pins it or not.
    ///
    /// # Errors
    /// It does not start, with its last words.
    pub fn start(command: Command) -> Result<Self> {
        Self::start_in(command, data_directory()?)
    }

    /// Ends the host at once, and starts it with what it had.
    ///
    /// # Errors
    /// It does not start, with its last words.
    pub fn restart(self, command: Command) -> Result<Self> {
        let Self { server, data, .. } = self;
        drop(server);
        Self::start_in(command, data)
    }

    fn start_in(mut command: Command, data: TempDir) -> Result<Self> {
        command
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(data.path())
            // The user's own settings stay as they are.
            .env("XDG_CONFIG_HOME", data.path().join("user"));
        let server = Server::start("stoa", command)?;
        let addr = server.address(SERVING)?;
        let admin = server.address("Admin API on http://")?;
        let token = fs::read_to_string(data.path().join("token"))
            .context("reading the admin token")?
            .trim()
            .to_owned();
        Ok(Self {
            server,
            addr,
            admin,
            token,
            connection: Connection::open(admin)?,
            data,
        })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Uploads a component.
    ///
    /// # Errors
    /// It is refused.
    pub fn upload(&mut self, component: &Component) -> Result<()> {
        let request = Request {
            method: "PUT",
            path: format!("/v1/components/{}", component.digest),
            content_type: "application/wasm",
            token: Some(self.token.clone()),
            body: component.bytes.clone(),
        };
        self.connection
            .call_ok(&request)
            .map(drop)
            .map_err(|fault| self.explain(fault))
    }

    /// Deploys services whose components are uploaded, and waits until the revisions
    /// that they replace have drained; gives the progress, `done` last.
    ///
    /// # Errors
    /// They are refused, with every reason.
    pub fn deploy(&mut self, services: &[Deploy<'_>]) -> Result<Vec<Value>> {
        let services: Vec<Value> = services
            .iter()
            .map(|it| json!({"service": it.service, "component": it.component.digest, "settings": it.settings}))
            .collect();
        let reply = self.send(
            "POST",
            "/v1/deployments",
            &json!({"services": services, "wait": true}),
        )?;
        let events = std::str::from_utf8(&reply)?
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Value>, _>>();
        let events =
            events.context("expected a JSON value on each line of a deployment's progress")?;
        match events.last() {
            Some(last) if last["event"] == "done" => Ok(events),
            last => bail!(
                "expected the deployment to be done, found {}",
                last.unwrap_or(&Value::Null)
            ),
        }
    }

    /// A `GET` of the admin API.
    ///
    /// # Errors
    /// It is not 2xx, or not JSON.
    pub fn get(&mut self, path: &str) -> Result<Value> {
        let request = Request {
            token: Some(self.token.clone()),
            ..Request::get(path)
        };
        let reply = self
            .connection
            .call_ok(&request)
            .map_err(|fault| self.explain(fault))?;
        serde_json::from_slice(&reply.body).with_context(|| format!("reading the answer of {path}"))
    }

    /// Moves all of a service's traffic back to this revision.
    ///
    /// # Errors
    /// It is refused, or another revision is live afterwards.
    pub fn rollback(&mut self, service: &str, to: u64) -> Result<()> {
        let path = format!("/v1/services/{service}/traffic");
        let reply = self.send("POST", &path, &json!({"rollback": {"to": to}}))?;
        let reply: Value =
            serde_json::from_slice(&reply).context("reading the answer of a rollback")?;
        match &reply["live"][0]["revision"] {
            live if live == to => Ok(()),
            live => bail!("expected revision {to} of {service} to be live, found {live}"),
        }
    }

    /// A token that the gateway takes, for `subject` with one scope.
    ///
    /// # Errors
    /// It is refused.
    pub fn token_of(&mut self, subject: &str, scope: &str) -> Result<String> {
        let reply = self.send(
            "POST",
            "/v1/tokens",
            &json!({"subject": subject, "scopes": [scope]}),
        )?;
        let reply: Value = serde_json::from_slice(&reply).context("reading the token")?;
        let token = reply["token"].as_str();
        Ok(token.context("expected a token")?.to_owned())
    }

    /// Lets a service do without instances: idle ones go at once.
    ///
    /// # Errors
    /// It is refused.
    pub fn scale_to_zero(&mut self, service: &str) -> Result<()> {
        self.send(
            "PUT",
            &format!("/v1/services/{service}/scale"),
            &json!({"min": 0}),
        )
        .map(drop)
    }

    /// The newest revision's number after [`deploy`](Self::deploy).
    ///
    /// # Errors
    /// The service was not in that deployment.
    pub fn revision(events: &[Value], service: &str) -> Result<u64> {
        let revision = events
            .last()
            .and_then(|done| done["revisions"][service].as_u64());
        revision.with_context(|| format!("expected {service} among the deployed services"))
    }

    /// Sends JSON; gives the body of the answer.
    fn send(&mut self, method: &'static str, path: &str, body: &Value) -> Result<Vec<u8>> {
        let mut request = Request::json(method, path, serde_json::to_vec(body)?);
        request.token = Some(self.token.clone());
        let reply = self
            .connection
            .call_ok(&request)
            .map_err(|fault| self.explain(fault))?;
        Ok(reply.body)
    }

    /// A host that ended says why only on its standard error.
    fn explain(&self, fault: anyhow::Error) -> anyhow::Error {
        anyhow!(
            "{fault:#}\nthe host's last lines:\n{}",
            self.server.last_words()
        )
    }
}

/// The program to measure: the given one, or the release build beside this one,
/// which is built where it is missing.
///
/// # Errors
/// There is none and it does not build.
pub fn program(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        return given
            .canonicalize()
            .with_context(|| format!("expected a program at {}", given.display()));
    }
    let program = target_directory()?.join("release/stoa");
    if !program.exists() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
        let build = Command::new("cargo")
            .args([
                "build",
                "--release",
                "--package",
                "stoa",
                "--manifest-path",
                manifest,
                "--target-dir",
            ])
            .arg(target_directory()?)
            .status();
        if !build.is_ok_and(|status| status.success()) {
            bail!(
                "expected `cargo build --release -p stoa` to succeed; or name a program by --stoa PATH"
            );
        }
    }
    Ok(program)
}
