//! Measures Stoa against native servers.
//!
//! Only ratios carry from one machine to another, so every server is measured
//! beside a native one in the same round: one core for the server, another for
//! the load. Nothing here judges a number; the exit code is 1 only when something
//! did not work.

mod args;
mod child;
mod cores;
mod guests;
mod load;
mod native;
mod order;
#[path = "../guests/order/src/pricing.rs"]
mod pricing;
mod quiet;
mod report;
mod scenario;
mod stats;
mod stoa;

use std::process::ExitCode;

use args::{Args, Mode};
use clap::Parser;

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match &args.mode {
        Some(Mode::Native) => native::serve(),
        Some(Mode::NativeShop { folder }) => native::serve_shop(folder),
        None => child::end_all_on_signal().and_then(|()| measure(&args)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if child::interrupted() => ExitCode::from(child::INTERRUPTED_CODE),
        Err(fault) => {
            report::say(&format!("error: {fault:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> anyhow::Result<()> {
    let cores = cores::Cores::claim()?;
    let report = scenario::run_all(args, &cores)?;
    report.print(args.format())
}
