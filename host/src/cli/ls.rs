//! `stoa ls`: the services of a host.

use clap::Args;

use crate::api::{LiveRevision, ServiceKind, ServiceSummary};

use super::Shared;

/// List the services.
#[derive(Debug, Args)]
pub struct Ls {}

impl Ls {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let services = shared.client()?.services().await?;
        let rows = services.iter().map(row).collect();
        let heads = [
            "SERVICE",
            "KIND",
            "REVISIONS",
            "INSTANCES",
            "QUEUED",
            "CALLS",
            "ROUTES",
        ];
        shared.output().table(&services, heads, rows)
    }
}

fn row(service: &ServiceSummary) -> [String; 7] {
    let sum = |of: fn(&LiveRevision) -> u32| service.live.iter().map(of).sum::<u32>();
    let share = |one: &LiveRevision| match one.weight {
        100 => one.revision.to_string(),
        weight => format!("{} ({weight}%)", one.revision),
    };
    let revisions: Vec<_> = service.live.iter().map(share).collect();
    let kind = match service.kind {
        ServiceKind::Component => "component",
        ServiceKind::Upstream => "upstream",
    };
    let instances = sum(|one| one.pool.busy + one.pool.idle);
    [
        service.service.clone(),
        kind.to_owned(),
        revisions.join(", "),
        format!("{instances}/{}", sum(|one| one.pool.max)),
        sum(|one| one.pool.queued).to_string(),
        service.calls.to_string(),
        service.routes.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PoolState;

    #[test]
    fn a_row_sums_the_live_revisions() {
        let live = |revision, weight| LiveRevision {
            revision,
            weight,
            component: String::new(),
            pool: PoolState {
                min: 1,
                max: 8,
                busy: 2,
                idle: 1,
                queued: 4,
            },
            reuse: None,
        };
        let live = vec![live(2, 90), live(3, 10)];
        let service = ServiceSummary {
            service: "a".into(),
            live,
            kind: ServiceKind::Component,
            calls: 7,
            routes: 5,
        };
        assert_eq!(
            row(&service),
            ["a", "component", "2 (90%), 3 (10%)", "6/16", "8", "7", "5"]
        );
    }
}
