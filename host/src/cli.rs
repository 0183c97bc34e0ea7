//! The command line: what a user types, and what comes of it.
//!
//! One file a command. A command that talks to a host does so through the admin
//! API and nothing else, `up` included. Knows nothing of what the host does with
//! it; the host knows nothing of commands.

mod application;
mod breaker;
mod build;
mod cache;
mod completions;
mod config;
mod contract;
mod deploy;
mod discovery;
mod drain;
mod key;
mod logs;
mod ls;
mod next_steps;
mod output;
mod place;
mod promote;
mod queue;
mod release;
mod revisions;
mod rollback;
mod rollout;
mod routes;
mod scale;
mod schedule;
mod secret;
mod serve;
mod show;
mod steps;
mod token;
mod traffic;
mod undeploy;
mod up;
mod upstream;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use stoa_control::admin::client::{Client, ClientError};
use stoa_settings::service_name;

use output::{Closed, Format, Output};
use place::{AdminHost, Given, LastHost};

/// A WebAssembly application server: services as components in pools behind a gateway.
#[derive(Debug, Parser)]
#[command(name = "stoa", version, about, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Shared {
    /// How results are printed.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Address of the host's admin API [default: that of the host that was started last].
    #[arg(long, global = true, value_name = "URL", env = "STOA_HOST")]
    host: Option<String>,
    /// Token of the admin API [default: the file `token` of the data directory].
    #[arg(long, global = true, env = "STOA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The host's data directory [default: .stoa, or that of the host that was started last].
    #[arg(long, global = true, value_name = "DIR", env = "STOA_DATA")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Serve(serve::Serve),
    Build(build::Build),
    Deploy(deploy::Deploy),
    Rollback(rollback::Rollback),
    Promote(promote::Promote),
    Ls(ls::Ls),
    Show(show::Show),
    Revisions(revisions::Revisions),
    Routes(routes::Routes),
    Contract(contract::Contract),
    Scale(scale::Scale),
    Schedule(schedule::Schedule),
    Cache(cache::Cache),
    Breaker(breaker::Breaker),
    Config(config::Config),
    Secret(secret::Secret),
    Discovery(discovery::Discovery),
    Drain(drain::Drain),
    Queue(queue::Queue),
    Logs(logs::Logs),
    Key(key::Key),
    Token(token::Token),
    Undeploy(undeploy::Undeploy),
    Completions(completions::Completions),
}

/// How much of the machine a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One thread: it waits for others.
    One,
    /// A thread a core: it serves.
    Cores,
}

impl Arguments {
    /// How much of the machine the command needs.
    pub fn threads(&self) -> Threads {
        match self.command {
            Command::Up(_) | Command::Serve(_) => Threads::Cores,
            _ => Threads::One,
        }
    }

    /// Does what was typed.
    ///
    /// # Errors
    /// Why it could not be done, for people.
    pub async fn run(self) -> anyhow::Result<()> {
        let is_host = self.threads() == Threads::Cores;
        let Self { shared, command } = self;
        let outcome = run(command, &shared).await;
        if is_host {
            return outcome;
        }
        outcome.map_err(|fault| shared.advise(fault))
    }
}

async fn run(command: Command, shared: &Shared) -> anyhow::Result<()> {
    match command {
        Command::Up(command) => command.run(shared).await,
        Command::Serve(command) => command.run(shared).await,
        Command::Build(command) => command.run(shared).await,
        Command::Deploy(command) => command.run(shared).await,
        Command::Rollback(command) => command.run(shared).await,
        Command::Promote(command) => command.run(shared).await,
        Command::Ls(command) => command.run(shared).await,
        Command::Show(command) => command.run(shared).await,
        Command::Revisions(command) => command.run(shared).await,
        Command::Routes(command) => command.run(shared).await,
        Command::Contract(command) => command.run(shared).await,
        Command::Scale(command) => command.run(shared).await,
        Command::Schedule(command) => command.run(shared).await,
        Command::Cache(command) => command.run(shared).await,
        Command::Breaker(command) => command.run(shared).await,
        Command::Config(command) => command.run(shared).await,
        Command::Secret(command) => command.run(shared).await,
        Command::Discovery(command) => command.run(shared).await,
        Command::Drain(command) => command.run(shared).await,
        Command::Queue(command) => command.run(shared).await,
        Command::Logs(command) => command.run(shared).await,
        Command::Key(command) => command.run(shared).await,
        Command::Token(command) => command.run(shared).await,
        Command::Undeploy(command) => command.run(shared).await,
        Command::Completions(command) => command.run(shared),
    }
}

/// Tells what went wrong, and gives the process its exit code: 0 done, 1 refused
/// or failed, 2 wrong usage.
pub fn exit(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads our output has seen enough (`stoa ls | head`).
        Err(fault) if fault.is::<Closed>() => ExitCode::SUCCESS,
        Err(fault) => {
            output::error(&format!("{fault:#}"));
            ExitCode::from(if fault.is::<Usage>() { 2 } else { 1 })
        }
    }
}

/// What was typed, or set for the host, makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

impl Shared {
    fn output(&self) -> Output {
        Output::new(self.output)
    }

    /// A client of the host that the command is for.
    fn client(&self) -> Result<Client, ClientError> {
        let place = self.place();
        if let Err(fault) = LastHost::recall() {
            self.output().note(&fault);
        }
        Client::new(&place.address, place.token)
    }

    fn place(&self) -> AdminHost {
        let here = std::env::current_dir().unwrap_or_default();
        AdminHost::of(self.given(), &here, LastHost::recall().ok().flatten())
    }

    fn given(&self) -> Given<'_> {
        Given {
            host: self.host.as_deref(),
            token: self.token.as_deref(),
            data: self.data.as_deref(),
        }
    }

    /// Adds to a failure what to set, where the host was not found or does not take the
    /// token.
    fn advise(&self, fault: anyhow::Error) -> anyhow::Error {
        let told = fault.downcast_ref::<ClientError>();
        let advice = told.and_then(|told| self.place().advice(told, self.given()));
        match advice {
            Some(advice) => anyhow::anyhow!("{fault:#}\n  {advice}"),
            None => fault,
        }
    }
}

/// A service's name as an argument.
fn service(text: &str) -> Result<String, String> {
    service_name(text).map(str::to_owned)
}

#[cfg(test)]
mod tests;
