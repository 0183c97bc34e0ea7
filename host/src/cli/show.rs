//! `stoa show`: one service, with its contract's ends and its settings.

use std::time::Duration;

use clap::Args;

use stoa_api::{
    ConfigSource, LiveRevision, Reuse, RolloutState, ServiceDetail, ServiceKind, ServiceSummary,
};
use stoa_settings::{Route, Settings};

use super::output::{Size, short};
use super::{Shared, ls, service, upstream};

/// Show a service.
#[derive(Debug, Args)]
pub struct Show {
    /// The service.
    #[arg(value_parser = service)]
    service: String,
}

impl Show {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let (client, output) = (shared.client()?, shared.output());
        let services = client.services().await?;
        let is_upstream = |one: &&ServiceSummary| {
            one.service == self.service && one.kind == ServiceKind::Upstream
        };
        if let Some(summary) = services.iter().find(is_upstream) {
            let detail = client.upstream(&self.service).await?;
            return upstream::show(&detail, standing(summary), output);
        }
        let detail = client.service(&self.service).await?;
        if output.is_json() {
            return output.json(&detail);
        }
        for (head, lines) in sections(&detail) {
            output.section(head, &lines)?;
        }
        Ok(())
    }
}

fn sections(detail: &ServiceDetail) -> Vec<(&'static str, Vec<String>)> {
    let ServiceDetail {
        summary,
        exports,
        imports,
        settings,
        rollout: under_way,
        config,
    } = detail;
    let imports = imports
        .iter()
        .map(|(interface, by)| format!("{interface} from {by}"));
    let routes = settings.routes.iter().map(route);
    let schedules = settings.schedules.iter();
    let schedules = schedules.map(|(function, when)| format!("{function} {when}"));
    let config = config.values.iter().map(|(key, value)| match value.source {
        ConfigSource::Manifest => format!("{key} = {:?}", value.value),
        ConfigSource::Operator => format!("{key} = {:?} (set by the operator)", value.value),
    });
    vec![
        (
            "service",
            vec![format!("{}, {} calls", summary.service, summary.calls)],
        ),
        ("state", standing(summary)),
        ("live", summary.live.iter().map(live).collect()),
        ("rollout", under_way.iter().map(rollout).collect()),
        ("exports", exports.clone()),
        ("imports", imports.collect()),
        ("routes", routes.collect()),
        ("schedules", schedules.collect()),
        ("pool", vec![pool(settings, summary.live.first())]),
        (
            "instances",
            summary.live.iter().filter_map(instances).collect(),
        ),
        ("limits", vec![limits(settings)]),
        ("config", config.collect()),
        ("grants", grants(settings)),
    ]
}

/// A route, with what becomes of a call whose client leaves where that is set.
pub fn route(route: &Route) -> String {
    match route.on_disconnect {
        Some(then) => format!("{}, on disconnect {}", route.key(), then.name()),
        None => route.key(),
    }
}

/// Whether it takes calls, and why not all of them.
fn standing(summary: &ServiceSummary) -> Vec<String> {
    let mut lines = vec![ls::state(summary)];
    lines.extend(summary.drain.iter().map(|drain| {
        format!(
            "it takes no new calls, {} under way; `stoa drain {} --undo` has it take them again",
            drain.under_way, summary.service
        )
    }));
    lines.extend(summary.open_breakers.iter().map(|one| {
        let of = one.instance.as_ref().unwrap_or(&one.link);
        let (state, reason) = (&one.state, &one.reason);
        match one.forced {
            true => format!("breaker {of} is held {state} by an operator"),
            false => format!("breaker {of} is {state}: {reason}"),
        }
    }));
    lines
}

fn live(one: &LiveRevision) -> String {
    let LiveRevision {
        revision,
        weight,
        component,
        pool,
        reuse: _,
    } = one;
    format!(
        "revision {revision}, {weight}% of the traffic, component {}, {} busy, {} idle, {} queued",
        short(component),
        pool.busy,
        pool.idle,
        pool.queued
    )
}

fn rollout(state: &RolloutState) -> String {
    let time = |ms| humantime::format_duration(Duration::from_secs(ms / 1000));
    let next = match (state.stages.first(), state.next_ms) {
        (Some(share), Some(0)) => {
            format!("{share}% of the traffic when enough calls tell how it does")
        }
        (Some(share), Some(ms)) => format!("{share}% of the traffic in {}", time(ms)),
        _ => format!("watched for {}", time(state.watch_ms)),
    };
    format!(
        "revision {} in place of {}: {next}, {} of {} calls failed",
        state.revision, state.against, state.failed, state.calls
    )
}

/// As the revision asks for it, but of the size that an operator gave it.
fn pool(settings: &Settings, live: Option<&LiveRevision>) -> String {
    let pool = &settings.pool;
    let (min, max) = live.map_or((pool.min, pool.max), |live| (live.pool.min, live.pool.max));
    let deadline = humantime::format_duration(pool.queue_deadline);
    format!(
        "{min} to {max} instances, concurrency {}, queue {} for {deadline}",
        pool.concurrency, pool.queue
    )
}

/// How long those of a revision live.
fn instances(one: &LiveRevision) -> Option<String> {
    let Reuse { calls, reason } = one.reuse.as_ref()?;
    let life = match calls {
        None => "reused".to_owned(),
        Some(1) => "a fresh one for each call".to_owned(),
        Some(calls) => format!("reused for {calls} calls"),
    };
    Some(format!("revision {}: {life}: {reason}", one.revision))
}

fn limits(settings: &Settings) -> String {
    let limits = &settings.limits;
    let deadline = humantime::format_duration(limits.deadline);
    format!(
        "deadline {deadline}, memory {}, body {}, blobs {}",
        Size(limits.memory),
        Size(limits.body),
        Size(limits.blobs)
    )
}

fn grants(settings: &Settings) -> Vec<String> {
    let keyvalue = settings
        .grants
        .keyvalue
        .iter()
        .map(|bucket| format!("keyvalue {bucket}"));
    let blobs = settings
        .grants
        .blobs
        .iter()
        .map(|container| format!("blobs {container}"));
    let http = settings
        .grants
        .http
        .iter()
        .map(|origin| format!("http {origin}"));
    let secrets = settings
        .grants
        .secrets
        .iter()
        .map(|name| format!("secret {name}"));
    keyvalue.chain(blobs).chain(http).chain(secrets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_api::PoolState;

    #[test]
    fn says_how_long_instances_live_and_why() {
        let live = |calls| LiveRevision {
            revision: 3,
            weight: 100,
            component: "ab".into(),
            pool: PoolState::default(),
            reuse: Some(Reuse {
                calls,
                reason: "made so".into(),
            }),
        };
        for (calls, expected) in [
            (None, "revision 3: reused: made so"),
            (Some(1), "revision 3: a fresh one for each call: made so"),
            (Some(9), "revision 3: reused for 9 calls: made so"),
        ] {
            assert_eq!(instances(&live(calls)).as_deref(), Some(expected));
        }
    }
}
