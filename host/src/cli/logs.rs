//! `stoa logs`: the log of a host, or of one service.

use clap::Args;

use stoa_control::admin::client::{LogEnd, LogQuery};
use stoa_telemetry::logs::{Colour, Level, pretty_line};

use super::{Shared, service};

/// Print the log.
#[derive(Debug, Args)]
pub struct Logs {
    /// Only what this service and the host for it wrote.
    #[arg(value_parser = service)]
    service: Option<String>,
    /// Go on with what is written from now on.
    #[arg(short, long)]
    follow: bool,
    /// The least level: trace, debug, info, warn, error or critical.
    #[arg(long)]
    level: Option<Level>,
}

impl Logs {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let query = LogQuery {
            service: self.service,
            level: self.level.map(|level| level.as_str().to_owned()),
            end: if self.follow {
                LogEnd::Never
            } else {
                LogEnd::Now
            },
        };
        let mut events = shared.client()?.logs(&query).await?;
        let output = shared.output();
        let colour = if output.is_coloured() {
            Colour::On
        } else {
            Colour::Off
        };
        while let Some(line) = events.next().await? {
            let pretty = (!output.is_json())
                .then(|| pretty_line(&line, colour))
                .flatten();
            match pretty {
                Some(pretty) => output.line(&pretty)?,
                None => output.foreign(&line)?,
            }
        }
        Ok(())
    }
}
