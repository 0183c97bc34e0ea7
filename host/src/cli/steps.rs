//! The steps of a deployment, shown as they happen, each with its time.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

use crate::admin::api::{DeployEvent, Fault, Step};
use crate::admin::client::{Progress, describe};

use super::output::{Output, Tone, Took};

/// Shows a deployment to its end.
///
/// # Errors
/// Every fault, if the host refuses; or if the connection breaks.
pub async fn follow(
    mut progress: Progress,
    width: usize,
    output: Output,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let view = View {
        output,
        width,
        spinner: spinner(),
    };
    let mut end = None;
    while let Some(event) = progress.next().await? {
        view.show(&event)?;
        match event {
            DeployEvent::Done { revisions } => end = Some(revisions),
            DeployEvent::Refused { faults } => bail!(refusal(&faults)),
            DeployEvent::Started { .. } | DeployEvent::Finished { .. } => {}
        }
    }
    let Some(revisions) = end else {
        bail!("the host ended the connection before the deployment; `stoa ls` tells what is live");
    };
    Ok(revisions)
}

/// A step's name.
pub fn name(step: Step) -> &'static str {
    match step {
        Step::Verify => "verify",
        Step::Compile => "compile",
        Step::Link => "link",
        Step::Warm => "warm",
        Step::Swap => "swap",
        Step::Drain => "drain",
    }
}

struct View {
    output: Output,
    /// Letters of the longest service's name.
    width: usize,
    spinner: ProgressBar,
}

impl View {
    fn show(&self, event: &DeployEvent) -> anyhow::Result<()> {
        if self.output.is_json() {
            return self.output.json_line(event);
        }
        match event {
            DeployEvent::Started { service, step } => {
                self.spinner
                    .set_message(format!("{service}: {}", name(*step)));
                Ok(())
            }
            DeployEvent::Finished {
                service,
                step,
                micros,
                note,
            } => {
                let text = self.step(service, *step, *micros, note.as_deref());
                self.spinner.suspend(|| self.output.line(&text))
            }
            DeployEvent::Done { revisions } => {
                let lines = revisions.iter().map(|(service, revision)| {
                    self.output.paint(
                        Tone::Good,
                        &format!("{service} is live: revision {revision}"),
                    )
                });
                let lines: Vec<_> = lines.collect();
                self.spinner
                    .suspend(|| lines.iter().try_for_each(|line| self.output.line(line)))
            }
            DeployEvent::Refused { .. } => Ok(()),
        }
    }

    fn step(&self, service: &str, step: Step, micros: u64, note: Option<&str>) -> String {
        let (width, took) = (self.width, Took(Duration::from_micros(micros)));
        let text = format!("{service:<width$}  {:<7}  {took:>9}", name(step));
        match note {
            Some(note) => format!("{text}  {}", self.output.paint(Tone::Quiet, note)),
            None => text,
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.spinner.finish_and_clear();
    }
}

/// Turns on a terminal; elsewhere it shows nothing.
fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {msg}");
    spinner.set_style(style.expect("the template is right"));
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn refusal(faults: &[Fault]) -> String {
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| format!("  {}", describe(fault)))
        .collect();
    format!(
        "the host refused the deployment, and nothing has changed:\n{}",
        faults.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Format;

    #[test]
    fn steps_align_and_show_their_time() {
        let spinner = ProgressBar::hidden();
        let view = View {
            output: Output::new(Format::Table),
            width: 7,
            spinner,
        };
        assert_eq!(
            view.step("order", Step::Compile, 1_234, None),
            "order    compile     1.2 ms"
        );
        assert!(
            view.step("product", Step::Warm, 9, Some("2 instances"))
                .starts_with("product  warm          9 µs  ")
        );
    }

    #[test]
    fn a_refusal_names_every_fault() {
        let fault = |service: Option<&str>| Fault {
            service: service.map(str::to_owned),
            code: "x".into(),
            message: "why".into(),
        };
        assert_eq!(
            refusal(&[fault(Some("a")), fault(None)]),
            "the host refused the deployment, and nothing has changed:\n  a: why\n  why"
        );
    }
}
