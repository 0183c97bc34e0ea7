//! `stoa undeploy`: take a service away.

use clap::Args;
use serde_json::json;

use stoa_api::ServiceKind;
use stoa_control::admin::client::StateFate;

use super::output::Tone;
use super::{Shared, service};

/// Take a service away; its state stays, unless it is purged.
#[derive(Debug, Args)]
pub struct Undeploy {
    /// The service.
    #[arg(value_parser = service)]
    service: String,
    /// Delete its state for good, too.
    #[arg(long)]
    purge: bool,
}

impl Undeploy {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let state = if self.purge {
            StateFate::Purge
        } else {
            StateFate::Keep
        };
        let client = shared.client()?;
        let services = client.services().await?;
        let of_name = services.iter().find(|one| one.service == self.service);
        let kind = of_name.map(|one| one.kind).unwrap_or_default();
        client.undeploy(&self.service, state).await?;
        let output = shared.output();
        if output.is_json() {
            return output.json(&json!({ "service": self.service, "purged": self.purge }));
        }
        let fate = match (kind, state) {
            (ServiceKind::Component, StateFate::Purge) => ", and its state is deleted",
            (ServiceKind::Component, StateFate::Keep) => ", and its state is kept",
            (ServiceKind::Upstream, StateFate::Purge) => ", and its kept answers are deleted",
            (ServiceKind::Upstream, StateFate::Keep) => "",
        };
        output.line(&output.paint(Tone::Good, &format!("{} is undeployed{fate}", self.service)))
    }
}
