//! The `stoa` command: what was typed → what it needs → do it → exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use stoa::cli::{self, Arguments, Threads};
use tokio::runtime::{Builder, Runtime};

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
