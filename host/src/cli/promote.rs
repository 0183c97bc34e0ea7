//! `stoa promote`: from a canary to all traffic.

use clap::Args;

use stoa_api::TrafficRequest;

use super::{Shared, service, traffic};

/// Give all traffic to the newest live revision.
#[derive(Debug, Args)]
pub struct Promote {
    /// The service.
    #[arg(value_parser = service)]
    service: String,
}

impl Promote {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        traffic::change(shared, &self.service, &TrafficRequest::Promote).await
    }
}
