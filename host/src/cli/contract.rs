//! `stoa contract`: what a service promises.

use clap::Args;

use super::{Shared, service};

/// Print the contract of a service's live revision, as WIT.
#[derive(Debug, Args)]
pub struct Contract {
    /// The service.
    #[arg(value_parser = service)]
    service: String,
    /// Print the OpenAPI document of its routes instead.
    #[arg(long)]
    openapi: bool,
}

impl Contract {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (client, output) = (shared.client()?, shared.output());
        if self.openapi {
            return output.json(&client.openapi(&self.service).await?);
        }
        let contract = client.contract(&self.service).await?;
        if output.is_json() {
            return output.json(&serde_json::json!({ "service": self.service, "wit": contract }));
        }
        output.foreign(&contract)
    }
}
