//! What to measure, and for how long. Knows nothing of how it is done.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures Stoa against native servers, in the same round on the same machine.
#[derive(Debug, Parser)]
#[command(name = "stoa-bench", version)]
pub struct Args {
    /// What this process is; the driver unless said.
    #[command(subcommand)]
    pub mode: Option<Mode>,
    /// Rounds; the table shows their median, and the least and the most
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds that each server is measured in a round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Three rounds of one second each: tells whether it works, not how fast
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    quick: bool,
    /// Disturbed rounds that are taken again: those in which other processes worked
    /// on the same cores
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub retakes: u32,
    /// Measure only this; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<Part>,
    /// The client that makes the load
    #[arg(long, value_enum, default_value_t = Client::Own)]
    pub client: Client,
    /// Keep-alive connections, each with one request under way
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub connections: u16,
    /// The `stoa` to measure; the release binary beside this one unless said
    #[arg(long, value_name = "PATH")]
    pub stoa: Option<PathBuf>,
    /// Another build of `stoa`: measures what this one serves in its per cent, in turns
    #[arg(long, value_name = "PATH")]
    pub compare: Option<PathBuf>,
    /// Components that are built already: `bench_hello.wasm` and so on
    #[arg(long, value_name = "DIR")]
    pub guests: Option<PathBuf>,
    /// Print JSON, with every round's numbers
    #[arg(long)]
    json: bool,
}

/// What this process is.
#[derive(Debug, Clone, Subcommand)]
pub enum Mode {
    /// The native server that others are compared with; ends with its standard input
    #[command(hide = true)]
    Native,
    /// The shop without a host, with its data in a folder; ends with its standard input
    #[command(hide = true)]
    NativeShop {
        /// Where its data is
        folder: PathBuf,
    },
}

/// The client that makes the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Client {
    /// The one in this program
    Own,
    /// `wrk`, which must be installed; the swap scenario uses the own one all the same
    Wrk,
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table for people and for the manual.
    Markdown,
    /// Everything, for programs.
    Json,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Part {
    /// The native servers alone
    Native,
    /// A WIT function over HTTP
    WitHello,
    /// `wasi:http` 0.2
    P2Hello,
    /// `wasi:http` 0.3
    P3Hello,
    /// A JSON order over HTTP
    Order,
    /// `wasmtime serve`, where it is installed
    Wasmtime,
    /// A typed call between services
    Call,
    /// A token, a scope, a rate limit and a breaker in front of a function
    Chain,
    /// Swaps under load
    Swap,
    /// The first call to a service without instances
    Zero,
    /// A new component to its first answer
    Deploy,
    /// Back to the revision before
    Rollback,
    /// Ten thousand services, over ten
    Scale,
    /// A service with three times the calls that it can serve
    Overload,
    /// A light service beside a batch service that uses all cores
    Neighbour,
    /// Resident memory of a host with the shop
    Idle,
    /// The shop with 1 to 1000 clients that each wait for their answers
    Clients,
    /// Orders that are placed, over the same services in one native process
    Place,
    /// Calls that a queue keeps and delivers, over the store's own writes
    Queue,
    /// A million simulated reservations: nothing is sold twice
    Oversell,
    /// Lists and searches of a shop with 100 000 products
    Catalog,
}

impl Args {
    /// Rounds to measure.
    pub fn rounds(&self) -> usize {
        if self.quick { 3 } else { self.rounds as usize }
    }

    /// So many things, or a hundredth of them for a quick look.
    pub fn many(&self, usual: usize) -> usize {
        if self.quick { usual / 100 } else { usual }
    }

    /// How long a server is measured in a round.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { self.seconds })
    }

    /// What was asked for.
    pub fn parts(&self) -> BTreeSet<Part> {
        match self.only.as_slice() {
            [] => Part::value_variants().iter().copied().collect(),
            only => only.iter().copied().collect(),
        }
    }

    /// How to print the result.
    pub fn format(&self) -> Format {
        if self.json {
            Format::Json
        } else {
            Format::Markdown
        }
    }
}
