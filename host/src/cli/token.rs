//! `stoa token`: a token for development.

use std::time::Duration;

use clap::Args;

use stoa_api::TokenRequest;
use stoa_settings::config::values;

use super::Shared;

/// Sign a token for development: with it you are whoever you say.
#[derive(Debug, Args)]
pub struct Token {
    /// Who its holder is.
    #[arg(long)]
    subject: String,
    /// What its holder may do; can be given several times.
    #[arg(long = "scope", value_name = "SCOPE", value_parser = values::scope)]
    scopes: Vec<String>,
    /// What else services learn of its holder; can be given several times.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    claims: Vec<(String, String)>,
    /// How long it is valid, 30d at most [default: 1h].
    #[arg(long, value_name = "DURATION", value_parser = values::positive)]
    ttl: Option<Duration>,
}

impl Token {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let request = TokenRequest {
            subject: self.subject,
            scopes: self.scopes,
            claims: self.claims.into_iter().collect(),
            ttl: self.ttl,
        };
        let (made, output) = (
            shared.client()?.create_token(&request).await?,
            shared.output(),
        );
        if output.is_json() {
            return output.json(&made);
        }
        // The token alone: `TOKEN=$(stoa token --subject alice)`.
        output.line(&made.token)
    }
}

fn claim(text: &str) -> Result<(String, String), String> {
    let found = text.split_once('=').filter(|(name, _)| !name.is_empty());
    found
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("expected NAME=VALUE such as email=a@example.com, found {text:?}"))
}
