//! `stoa ls`: the services of a host.

use clap::Args;

use stoa_api::{LiveRevision, PoolState, ServiceKind, ServiceSummary};

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
            "STATE",
            "REVISIONS",
            "INSTANCES",
            "QUEUED",
            "CALLS",
            "ROUTES",
        ];
        shared.output().table(&services, heads, rows)
    }
}

fn row(service: &ServiceSummary) -> [String; 8] {
    let sum = |of: fn(&PoolState) -> u64| service.live.iter().map(|one| of(&one.pool)).sum::<u64>();
    let share = |one: &LiveRevision| match one.weight {
        100 => one.revision.to_string(),
        weight => format!("{} ({weight}%)", one.revision),
    };
    let revisions: Vec<_> = service.live.iter().map(share).collect();
    let kind = match service.kind {
        ServiceKind::Component => "component",
        ServiceKind::Upstream => "upstream",
    };
    let instances = sum(instances);
    [
        service.service.clone(),
        kind.to_owned(),
        state(service),
        revisions.join(", "),
        format!("{instances}/{}", sum(|pool| pool.max.into())),
        sum(|pool| pool.queued.into()).to_string(),
        service.calls.to_string(),
        service.routes.to_string(),
    ]
}

/// Whether there is anything that could take its calls.
fn is_served(service: &ServiceSummary) -> bool {
    match service.kind {
        ServiceKind::Component => !service.live.is_empty(),
        ServiceKind::Upstream => service.live.iter().any(|one| instances(&one.pool) > 0),
    }
}

fn instances(pool: &PoolState) -> u64 {
    u64::from(pool.busy) + u64::from(pool.idle)
}

/// Whether it takes calls, and which of its breakers don't let all of them through.
pub(super) fn state(service: &ServiceSummary) -> String {
    let own = match &service.drain {
        Some(drain) if drain.under_way > 0 => "draining",
        Some(_) => "drained",
        None if !is_served(service) => "down",
        None => "up",
    };
    let breakers = service.open_breakers.iter().map(|one| {
        let of = one.instance.as_ref().unwrap_or(&one.link);
        let revision = match service.live.len() {
            0 | 1 => String::new(),
            _ => format!(" of {}", one.revision),
        };
        format!("breaker {} ({of}{revision})", one.state)
    });
    let all: Vec<_> = std::iter::once(own.to_owned()).chain(breakers).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_api::{BreakerState, DrainState};

    fn open(revision: u64, link: &str) -> BreakerState {
        BreakerState {
            revision,
            instance: None,
            link: link.into(),
            state: "open".into(),
            forced: false,
            reason: String::new(),
            since: String::new(),
            succeeded: 0,
            failed: 0,
            slow: 0,
            consecutive: 0,
            next_probe_ms: None,
        }
    }

    #[test]
    fn a_row_sums_the_live_revisions() {
        let live = |revision, weight| LiveRevision {
            revision,
            weight,
            component: String::new(),
            pool: PoolState {
                min: 1,
                max: u32::MAX,
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
            drain: None,
            open_breakers: vec![open(3, "gateway"), open(2, "order")],
            calls: 7,
            routes: 5,
        };
        assert_eq!(
            row(&service),
            [
                "a",
                "component",
                "up, breaker open (gateway of 3), breaker open (order of 2)",
                "2 (90%), 3 (10%)",
                "6/8589934590",
                "8",
                "7",
                "5"
            ]
        );
    }

    #[test]
    fn a_drain_is_its_state() {
        let drain = |under_way| {
            Some(DrainState {
                drained: true,
                under_way,
            })
        };
        let mut service = ServiceSummary {
            service: "a".into(),
            live: Vec::new(),
            kind: ServiceKind::Component,
            drain: drain(2),
            open_breakers: Vec::new(),
            calls: 0,
            routes: 0,
        };
        assert_eq!(state(&service), "draining");
        service.drain = drain(0);
        assert_eq!(state(&service), "drained");
        service.drain = None;
        assert_eq!(state(&service), "down", "nothing of it is live");
    }
}
