//! Stoa: one host process over many small services, each a WebAssembly component.
//!
//! This is the command `stoa`: what was typed → what it needs → do it → exit code.
//!
//! # The map
//!
//! ```text
//!  main ─► cli ─► host ─┬─► control ─┐
//!                       └─► gateway ◄┤
//!                              │     │
//!                              ▼     ▼
//!                             mesh ───► service ───► engine ───► store
//!
//!  api, call, http, settings, telemetry: leaves that all may use
//! ```
//!
//! The crates are in `host/crates`, and the compiler holds the direction of the arrows:
//!
//! | where | what it is for |
//! |---|---|
//! | [`cli`] | what a user types, one file a command |
//! | [`host`] | the composition root: build, run, drain |
//! | [`stoa_control`] | what is deployed and how that changes; the operators' API over HTTP, and its client |
//! | [`stoa_gateway`] | HTTP in front of the services: connections, routes, transcoding, answers |
//! | [`stoa_mesh`] | the one path of every call; which revisions are live; links between services |
//! | [`stoa_service`] | revisions, their contracts and their pools of instances |
//! | [`stoa_engine`] | WebAssembly: compiled code, instances, values; what components may use of the host |
//! | [`stoa_store`] | what is on disk |
//! | [`stoa_api`] | the shapes that the operators' API and its clients exchange |
//! | [`stoa_call`] | what travels with a call: who calls, its trace, its deadline |
//! | [`stoa_http`] | HTTP without a word of Stoa |
//! | [`stoa_settings`] | what people write: the host's configuration, `stoa.toml`, settings of services |
//! | [`stoa_telemetry`] | logs and metrics |
//!
//! # Invariants
//!
//! 1. No request that the gateway accepted is lost to a deploy, a rollback, a
//!    change of size or a drain.
//! 2. An acknowledged write or deployment survives `kill -9`.
//! 3. A component can use nothing that it was not granted, and can't harm another:
//!    not its memory, its time or its state.
//! 4. `wasmtime` is named only by [`stoa_engine`], `sled` only by [`stoa_store`]; a status
//!    is chosen only in `stoa_gateway::respond` and `stoa_control::admin::problem`.
//! 5. Every limit has a default, and every default stands in one place with its reason.
//! 6. No error path ends an accept loop, and no component can panic the host.

mod cli;
mod host;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use cli::{Arguments, Threads};

/// How long work off the request path may hold up the end of the process. What
/// was acknowledged is on disk by then.
const LINGER: Duration = Duration::from_secs(1);

/// A third of the work of transcoding is allocation: values own their names. With
/// the system's allocator a short call costs some 6 % more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match runtime(arguments.threads()) {
        Ok(runtime) => runtime,
        Err(fault) => return cli::exit(Err(fault.into())),
    };
    let outcome = runtime.block_on(arguments.run());
    runtime.shutdown_timeout(LINGER);
    cli::exit(outcome)
}

fn runtime(threads: Threads) -> std::io::Result<Runtime> {
    let mut runtime = match threads {
        Threads::One => Builder::new_current_thread(),
        Threads::Cores => {
            let mut runtime = Builder::new_multi_thread();
            runtime.worker_threads(std::thread::available_parallelism()?.get());
            runtime
        }
    };
    runtime.enable_all().build()
}
