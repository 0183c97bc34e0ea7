//! `stoa cache`: what the gateway keeps of answers.

use clap::{Args, Subcommand};

use stoa_api::PurgeRequest;

use super::output::Tone;
use super::{Shared, service};

/// Look after the gateway's response cache.
#[derive(Debug, Args)]
pub struct Cache {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Remove answers, so that the next requests are served by the service.
    Purge(Purge),
}

#[derive(Debug, Args)]
struct Purge {
    /// The service whose answers go [default: all services].
    #[arg(value_parser = service)]
    service: Option<String>,
    /// Only answers of routes with this tag.
    #[arg(long)]
    tag: Option<String>,
}

impl Cache {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let Action::Purge(Purge { service, tag }) = self.action;
        let request = PurgeRequest { service, tag };
        let reply = shared.client()?.purge_cache(&request).await?;
        let output = shared.output();
        if output.is_json() {
            return output.json(&reply);
        }
        let answers = match reply.purged {
            1 => "1 answer is".to_owned(),
            count => format!("{count} answers are"),
        };
        output.line(&output.paint(Tone::Good, &format!("{answers} purged")))
    }
}
