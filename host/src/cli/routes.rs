//! `stoa routes`: the ways in over HTTP.

use clap::Args;

use stoa_api::RouteSummary;

use super::Shared;
use super::output::Output;

/// List the routes of all services.
#[derive(Debug, Args)]
pub struct Routes {}

impl Routes {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        show(&shared.client()?.routes().await?, shared.output())
    }
}

/// Prints routes, as `routes` and `up` do.
pub fn show(routes: &[RouteSummary], output: Output) -> anyhow::Result<()> {
    let rows = routes.iter().cloned().map(|route| {
        [
            route.method,
            route.host,
            route.path,
            route.service,
            route.target,
            route.access,
            route.on_disconnect.unwrap_or_default(),
        ]
    });
    output.table(
        &routes,
        [
            "METHOD",
            "HOST",
            "PATH",
            "SERVICE",
            "TARGET",
            "ACCESS",
            "ON DISCONNECT",
        ],
        rows.collect(),
    )
}
