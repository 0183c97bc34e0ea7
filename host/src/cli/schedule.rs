//! `stoa schedule`: functions that the clock calls.

use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use tokio::time::interval;

use stoa_api::{RunOutcome, RunUnderWay, ScheduleDetail, ScheduleRun, ScheduleSummary};
use stoa_control::admin::client::Client;

use super::output::{Output, Tone, Took};
use super::{Shared, service, steps};

/// How often a run is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// List schedules, show their runs, run one now, pause and resume.
#[derive(Debug, Args)]
pub struct Schedule {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the schedules.
    Ls,
    /// Show a schedule, and its last runs.
    Show {
        #[command(flatten)]
        of: Named,
    },
    /// Call the function now; its slots stay where they are.
    Run {
        #[command(flatten)]
        of: Named,
        /// Wait for its end; exit code 1 where it did not succeed.
        #[arg(long)]
        wait: bool,
    },
    /// Let its slots pass without a call, over deployments and restarts, until it is resumed.
    Pause {
        #[command(flatten)]
        of: Named,
    },
    /// Call it again, from its next slot on.
    Resume {
        #[command(flatten)]
        of: Named,
    },
}

/// A schedule.
#[derive(Debug, Args)]
struct Named {
    /// The service.
    #[arg(value_parser = service)]
    service: String,
    /// The function, such as shop:order/reports.daily.
    function: String,
}

impl Schedule {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (client, output) = (shared.client()?, shared.output());
        match self.action {
            Action::Ls => {
                let schedules = client.schedules().await?;
                let heads = [
                    "SERVICE", "FUNCTION", "WHEN", "STATE", "NEXT", "LAST", "MISSED",
                ];
                output.table(&schedules, heads, schedules.iter().map(row).collect())
            }
            Action::Show { of } => show(&of.detail(&client).await?, output),
            Action::Run { of, wait } => {
                let begun = client.run_schedule(&of.service, &of.function).await?;
                match wait {
                    true => of.waited(&client, &begun, output).await,
                    false => told(&begun, output, &format!("{} is run", of.function)),
                }
            }
            Action::Pause { of } => {
                let detail = of.paused(&client, true).await?;
                let text = format!("{} is paused, until `stoa schedule resume`", of.function);
                told(&detail, output, &text)
            }
            Action::Resume { of } => {
                let detail = of.paused(&client, false).await?;
                let next = detail.summary.next.as_deref().unwrap_or("never");
                told(
                    &detail,
                    output,
                    &format!("{} is called next at {next}", of.function),
                )
            }
        }
    }
}

// === impl Named ===

impl Named {
    async fn detail(&self, client: &Client) -> anyhow::Result<ScheduleDetail> {
        Ok(client.schedule(&self.service, &self.function).await?)
    }

    async fn paused(&self, client: &Client, paused: bool) -> anyhow::Result<ScheduleDetail> {
        let changed = client.pause_schedule(&self.service, &self.function, paused);
        Ok(changed.await?)
    }

    /// Waits for the end of a run, and tells it.
    async fn waited(
        &self,
        client: &Client,
        begun: &RunUnderWay,
        output: Output,
    ) -> anyhow::Result<()> {
        let (progress, mut looks) = (steps::spinner(), interval(LOOK));
        progress.set_message(format!("{} is run", self.function));
        let run = loop {
            looks.tick().await;
            let runs = self.detail(client).await?.runs;
            if let Some(run) = runs.into_iter().find(|run| run.number == begun.number) {
                break run;
            }
        };
        progress.finish_and_clear();
        let took = Took(Duration::from_micros(run.micros));
        if run.outcome == RunOutcome::Succeeded {
            return told(
                &run,
                output,
                &format!("{} succeeded in {took}", self.function),
            );
        }
        if output.is_json() {
            output.json(&run)?;
        }
        let reason = run.error.as_deref().unwrap_or("it gives no reason");
        bail!(
            "the run came to {} after {took}: {reason}",
            run.outcome.name()
        )
    }
}

fn told(value: &impl serde::Serialize, output: Output, text: &str) -> anyhow::Result<()> {
    match output.is_json() {
        true => output.json(value),
        false => output.line(&output.paint(Tone::Good, text)),
    }
}

fn show(detail: &ScheduleDetail, output: Output) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(detail);
    }
    let ScheduleDetail { summary, runs } = detail;
    let name = format!("{} of {}", summary.function, summary.service);
    output.section("schedule", &[name])?;
    output.section("when", &[when(summary)])?;
    let next = summary.next.iter().map(|next| format!("next at {next}"));
    let missed = match summary.missed {
        0 => None,
        missed => Some(format!("{missed} slots passed without a call")),
    };
    let state: Vec<_> = [state(summary)]
        .into_iter()
        .chain(next)
        .chain(missed)
        .collect();
    output.section("state", &state)?;
    let heads = [
        "RUN", "SLOT", "STARTED", "TOOK", "OUTCOME", "TRACE", "ERROR",
    ];
    output.table(&(), heads, runs.iter().map(run).collect())
}

fn row(one: &ScheduleSummary) -> [String; 7] {
    let none = || "-".to_owned();
    let last = one.last.as_ref();
    [
        one.service.clone(),
        one.function.clone(),
        one.settings.to_string(),
        state(one),
        one.next.clone().unwrap_or_else(none),
        last.map_or_else(none, |run| {
            format!("{} {}", run.outcome.name(), run.started)
        }),
        one.missed.to_string(),
    ]
}

fn state(one: &ScheduleSummary) -> String {
    let running = one.under_way.as_ref();
    let running = running.map(|run| format!("running since {}", run.started));
    let paused = one.paused.then(|| "paused".to_owned());
    let states: Vec<_> = paused.into_iter().chain(running).collect();
    match states.as_slice() {
        [] => "waiting".to_owned(),
        states => states.join(", "),
    }
}

/// With all that its settings say.
fn when(summary: &ScheduleSummary) -> String {
    let settings = &summary.settings;
    let time = humantime::format_duration;
    let jitter = match settings.jitter {
        Duration::ZERO => None,
        jitter => Some(format!("jitter {}", time(jitter))),
    };
    let deadline = settings
        .deadline
        .map(|deadline| format!("deadline {}", time(deadline)));
    let all = [
        Some(settings.to_string()),
        Some(format!("missed {}", settings.missed.name())),
        jitter,
        deadline,
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn run(run: &ScheduleRun) -> [String; 7] {
    [
        run.number.to_string(),
        run.slot.clone().unwrap_or_else(|| "operator".to_owned()),
        run.started.clone(),
        Took(Duration::from_micros(run.micros)).to_string(),
        run.outcome.name().to_owned(),
        run.trace_id.clone(),
        run.error.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> ScheduleSummary {
        ScheduleSummary {
            service: "order".into(),
            function: "shop:order/reports.daily".into(),
            settings: stoa_settings::Schedule {
                cron: Some("0 3 * * *".into()),
                timezone: Some("Europe/Athens".into()),
                jitter: Duration::from_secs(10),
                ..Default::default()
            },
            paused: false,
            next: Some("2026-03-29T00:00:00Z".into()),
            under_way: None,
            last: None,
            missed: 2,
        }
    }

    #[test]
    fn a_row_tells_when_and_how_it_is() {
        let mut one = summary();
        let expected = [
            "order",
            "shop:order/reports.daily",
            "0 3 * * * (Europe/Athens)",
            "waiting",
            "2026-03-29T00:00:00Z",
            "-",
            "2",
        ];
        assert_eq!(row(&one), expected);
        one.paused = true;
        one.under_way = Some(RunUnderWay {
            number: 1,
            slot: None,
            started: "2026-03-28T00:00:00Z".into(),
            trace_id: String::new(),
        });
        assert_eq!(state(&one), "paused, running since 2026-03-28T00:00:00Z");
    }

    #[test]
    fn all_that_settings_say_is_shown() {
        let told = "0 3 * * * (Europe/Athens), missed once, jitter 10s";
        assert_eq!(when(&summary()), told);
    }
}
