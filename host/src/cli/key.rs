//! `stoa key`: API keys.

use std::time::Duration;

use clap::{Args, Subcommand};

use stoa_api::{KeyRequest, KeySummary};
use stoa_settings::config::values;

use super::Shared;

/// Make, list and revoke API keys.
#[derive(Debug, Args)]
pub struct Key {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key, and show it this once.
    New {
        /// What it is for.
        name: String,
        /// What it may do; can be given several times.
        #[arg(long = "scope", value_name = "SCOPE", value_parser = values::scope)]
        scopes: Vec<String>,
        /// How long it works, such as 30d [default: until it is revoked].
        #[arg(long, value_name = "DURATION", value_parser = values::positive)]
        expires: Option<Duration>,
    },
    /// List the keys.
    Ls,
    /// Revoke a key, at once and for good.
    Revoke {
        /// The key's id.
        id: String,
    },
}

impl Key {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (client, output) = (shared.client()?, shared.output());
        match self.action {
            Action::New {
                name,
                scopes,
                expires,
            } => {
                let request = KeyRequest {
                    name,
                    scopes,
                    expires,
                };
                let made = client.create_key(&request).await?;
                if output.is_json() {
                    return output.json(&made);
                }
                // The key alone on standard output: `KEY=$(stoa key new ci)`.
                output.note("The host keeps a hash of the key only: store it now.");
                output.line(&made.key)
            }
            Action::Ls => {
                let keys = client.keys().await?;
                let heads = ["ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED"];
                output.table(&keys, heads, keys.iter().map(row).collect())
            }
            Action::Revoke { id } => Ok(client.revoke_key(&id).await?),
        }
    }
}

fn row(key: &KeySummary) -> [String; 6] {
    let never = || "never".to_owned();
    [
        key.id.clone(),
        key.name.clone(),
        key.scopes.join(" "),
        key.created.clone(),
        key.expires.clone().unwrap_or_else(never),
        key.last_used.clone().unwrap_or_else(never),
    ]
}
