//! `stoa rollback`: back to an earlier revision.

use clap::Args;

use stoa_api::TrafficRequest;

use super::{Shared, service, traffic};

/// Give all traffic back to an earlier revision.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The service.
    #[arg(value_parser = service)]
    service: String,
    /// The revision [default: the one that was live before].
    #[arg(long, value_name = "N")]
    to: Option<u64>,
}

impl Rollback {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let request = TrafficRequest::Rollback { to: self.to };
        traffic::change(shared, &self.service, &request).await
    }
}
