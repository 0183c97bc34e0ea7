//! `stoa breaker`: what is cut off, and holding it so or so.

use clap::{Args, ValueEnum};

use stoa_api::{BreakerForce, BreakerRequest, BreakerState};

use super::{Shared, service};

/// Show the breakers of a service or an upstream, or hold them open or closed.
#[derive(Debug, Args)]
pub struct Breaker {
    /// The service, or the upstream, whose instances have one each.
    #[arg(value_parser = service)]
    service: String,
    /// `open` lets no call through, `close` every call, `auto` lets go again.
    #[arg(value_enum)]
    state: Option<Wanted>,
    /// Only calls from here: `gateway`, or a service.
    #[arg(long, requires = "state")]
    link: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wanted {
    Open,
    Close,
    Auto,
}

impl Breaker {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let client = shared.client()?;
        let breakers = match self.state {
            None => client.breakers(&self.service).await?,
            Some(wanted) => {
                let state = match wanted {
                    Wanted::Open => BreakerForce::Open,
                    Wanted::Close => BreakerForce::Closed,
                    Wanted::Auto => BreakerForce::Auto,
                };
                let link = self.link;
                let request = BreakerRequest { state, link };
                client.force_breakers(&self.service, &request).await?
            }
        };
        let rows = breakers.iter().map(row).collect();
        let guarded = match breakers.first() {
            Some(of) if of.instance.is_some() => "INSTANCE",
            _ => "REVISION",
        };
        let heads = [
            guarded, "LINK", "STATE", "SINCE", "OK", "FAILED", "IN A ROW", "REASON",
        ];
        shared.output().table(&breakers, heads, rows)
    }
}

fn row(one: &BreakerState) -> [String; 8] {
    let mut state = one.state.clone();
    if one.forced {
        state.push_str(" (forced)");
    }
    if let Some(ms) = one.next_probe_ms {
        state = format!("{state}, probe in {:.1} s", ms as f64 / 1e3);
    }
    [
        one.instance
            .clone()
            .unwrap_or_else(|| one.revision.to_string()),
        one.link.clone(),
        state,
        one.since.clone(),
        one.succeeded.to_string(),
        one.failed.to_string(),
        one.consecutive.to_string(),
        one.reason.clone(),
    ]
}
