//! `stoa revisions`: what a service was, and is.

use clap::Args;

use super::output::{Size, short};
use super::{Shared, service};

/// List the revisions of a service.
#[derive(Debug, Args)]
pub struct Revisions {
    /// The service.
    #[arg(value_parser = service)]
    service: String,
}

impl Revisions {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let revisions = shared.client()?.revisions(&self.service).await?;
        let rows = revisions.iter().map(|one| {
            let share = if one.weight > 0 {
                format!("{}%", one.weight)
            } else {
                "-".into()
            };
            let size = Size(one.size).to_string();
            [
                one.revision.to_string(),
                share,
                one.deployed.clone(),
                short(&one.component),
                size,
                one.note.clone().unwrap_or_default(),
            ]
        });
        let heads = [
            "REVISION",
            "TRAFFIC",
            "DEPLOYED",
            "COMPONENT",
            "SIZE",
            "NOTE",
        ];
        shared.output().table(&revisions, heads, rows.collect())
    }
}
