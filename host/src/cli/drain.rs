//! `stoa drain`: a service takes no new calls, or the host ends.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use indicatif::ProgressBar;
use tokio::time::{Instant, interval};

use stoa_api::DrainState;
use stoa_control::admin::client::Client;
use stoa_settings::config::values::positive;

use super::output::{Output, Tone};
use super::{Shared, service, steps};

/// How often calls under way are counted.
const LOOK: Duration = Duration::from_millis(200);

/// Drain a service: it takes no new calls, and those under way end. Without a service,
/// drain the host, which then exits.
///
/// A drained service answers 503 `draining` with Retry-After. It stays drained over
/// deployments and restarts, until it is undone.
#[derive(Debug, Args)]
pub struct Drain {
    /// The service, or the upstream [default: the whole host].
    #[arg(value_parser = service)]
    service: Option<String>,
    /// Let the service take calls again.
    #[arg(long, requires = "service")]
    undo: bool,
    /// How long to wait for calls under way.
    #[arg(long, value_name = "TIME", value_parser = positive, default_value = "5m", requires = "service")]
    timeout: Duration,
}

impl Drain {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (client, output) = (shared.client()?, shared.output());
        let Some(service) = &self.service else {
            return drain_host(&client, output).await;
        };
        let (state, text) = if self.undo {
            let state = client.undrain(service).await?;
            (state, format!("{service} takes calls again"))
        } else {
            let state = drained(&client, service, self.timeout).await?;
            let text = format!(
                "{service} is drained; `stoa drain {service} --undo` has it take calls again"
            );
            (state, text)
        };
        if output.is_json() {
            return output.json(&state);
        }
        output.line(&output.paint(Tone::Good, &text))
    }
}

async fn drain_host(client: &Client, output: Output) -> anyhow::Result<()> {
    let drain = client.drain_host().await?;
    if output.is_json() {
        return output.json(&drain);
    }
    let limit = humantime::format_duration(Duration::from_millis(drain.limit_ms));
    output.line(&output.paint(
        Tone::Good,
        &format!(
            "the host drains: it exits when calls under way have ended, after {limit} at the latest"
        ),
    ))
}

/// Drains a service, and waits until its last call has ended.
async fn drained(client: &Client, service: &str, limit: Duration) -> anyhow::Result<DrainState> {
    let mut state = client.drain(service).await?;
    let end = Instant::now() + limit;
    let (progress, mut looks) = (steps::spinner(), interval(LOOK));
    let outcome = loop {
        show(&progress, service, state.under_way);
        // Undone meanwhile, nobody waits for its calls.
        if state.under_way == 0 || !state.drained {
            break Ok(state);
        }
        if Instant::now() >= end {
            break Err(state);
        }
        looks.tick().await;
        state = client.drain_state(service).await?;
    };
    progress.finish_and_clear();
    match outcome {
        Ok(DrainState { drained: false, .. }) => {
            bail!("{service} takes calls again: its drain was undone meanwhile")
        }
        Ok(state) => Ok(state),
        Err(state) => bail!(
            "{service} takes no new calls, but {} under way after {}; `stoa drain {service}` waits on",
            calls(state.under_way),
            humantime::format_duration(limit)
        ),
    }
}

fn show(progress: &ProgressBar, service: &str, under_way: u64) {
    progress.set_message(format!("{service}: {} under way", calls(under_way)));
}

fn calls(count: u64) -> String {
    match count {
        1 => "1 call is".to_owned(),
        count => format!("{count} calls are"),
    }
}
