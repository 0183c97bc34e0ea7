//! The steps of a deployment, shown as they happen, each with its time.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

use stoa_api::{DeployEvent, Fault, Step};
use stoa_control::admin::client::{Progress, describe};

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
    while let Some(event) = progress.next().await? {
        view.show(&event)?;
        match event {
            // The old revisions may still drain: only `--wait` has them end before.
            DeployEvent::Done { revisions } => return Ok(revisions),
            DeployEvent::Refused { faults } => bail!(refusal(&faults)),
            DeployEvent::Started { .. } | DeployEvent::Finished { .. } => {}
        }
    }
    bail!("the host ended the connection before the deployment; `stoa ls` tells what is live")
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
            // Nobody else says why nothing happens.
            DeployEvent::Started {
                service,
                step: step @ Step::Health,
            } if self.spinner.is_hidden() => {
                let width = self.width;
                let text = format!("{service:<width$}  {:<7}  begins", step.name());
                self.output.note(&text);
                Ok(())
            }
            DeployEvent::Started { service, step } => {
                self.spinner
                    .set_message(format!("{service}: {}", step.name()));
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
        let text = format!("{service:<width$}  {:<7}  {took:>9}", step.name());
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
pub fn spinner() -> ProgressBar {
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::cli::output::Format;
    use stoa_api::DeployRequest;
    use stoa_control::admin::client::Client;

    /// Follows a deployment whose host sends these events and leaves the
    /// connection open, or closes it.
    async fn follow_events(
        events: &'static str,
        open: bool,
    ) -> anyhow::Result<BTreeMap<String, u64>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = Client::new(&listener.local_addr()?.to_string(), None)?;
        let host = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let chunk = format!("{:x}\r\n{events}\r\n", events.len());
            let end = if open { "" } else { "0\r\n\r\n" };
            stream
                .write_all(format!("{head}{chunk}{end}").as_bytes())
                .await
                .unwrap();
            // Until the client goes away.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        });
        let request = DeployRequest {
            services: vec![],
            upstreams: vec![],
            wait: false,
        };
        let followed = follow(client.deploy(&request).await?, 1, Output::new(Format::Json)).await;
        drop(client);
        host.await?;
        followed
    }

    #[tokio::test]
    async fn what_is_live_is_not_kept_waiting_by_what_drains() {
        let events = "{\"event\":\"done\",\"revisions\":{\"a\":2}}\n";
        assert_eq!(follow_events(events, true).await.unwrap()["a"], 2);
    }

    #[tokio::test]
    async fn a_connection_that_ends_early_is_no_success() {
        let events = "{\"event\":\"started\",\"service\":\"a\",\"step\":\"swap\"}\n";
        let fault = follow_events(events, false).await.unwrap_err().to_string();
        assert!(
            fault.starts_with("the host ended the connection"),
            "{fault}"
        );
    }

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
