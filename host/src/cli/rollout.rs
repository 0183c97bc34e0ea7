//! What becomes of revisions after their deployment: their shares, and the host's verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use stoa_api::{LiveRevision, ServiceDetail, ServiceKind};
use stoa_control::admin::client::{Client, ClientError};

use super::output::Output;

/// How often a rollout is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(500);
/// How long a host may be away meanwhile: a rollout outlives its restart.
const AWAY: Duration = Duration::from_secs(60);

/// Says which shares of the traffic revisions have, of those that have not all of it.
///
/// # Errors
/// If the host can't be reached.
pub async fn tell_shares(
    client: &Client,
    revisions: &BTreeMap<String, u64>,
    output: Output,
) -> anyhow::Result<()> {
    for service in client.services().await? {
        let is_component = service.kind == ServiceKind::Component;
        let deployed = revisions.get(&service.service);
        if let (Some(_), Some(_)) = (deployed, &service.drain) {
            let name = &service.service;
            output.note(&format!(
                "{name} is drained: it takes no calls until `stoa drain {name} --undo`"
            ));
        }
        if let Some(revision) = deployed.filter(|_| is_component) {
            say_share(&service.live, &service.service, *revision, output)?;
        }
    }
    Ok(())
}

/// Waits until the rollouts of all these revisions are over.
///
/// # Errors
/// If the host can't be reached, or has taken a revision back or given its rollout up.
pub async fn wait(
    client: &Client,
    revisions: &BTreeMap<String, u64>,
    output: Output,
) -> anyhow::Result<()> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut faults = Vec::new();
    for (service, revision) in revisions {
        let ended = ended(client, service, *revision, &mut looks).await;
        let told = ended.and_then(|waited| match waited && !output.is_json() {
            true => Ok(output.line(&format!(
                "{service}: the rollout of revision {revision} is over"
            ))?),
            false => Ok(()),
        });
        if let Err(fault) = told {
            faults.push(fault.to_string());
        }
    }
    if !faults.is_empty() {
        bail!(faults.join("\n"));
    }
    Ok(())
}

/// Waits until the rollout of a revision is over; whether there was something to wait for.
async fn ended(
    client: &Client,
    service: &str,
    revision: u64,
    looks: &mut Interval,
) -> anyhow::Result<bool> {
    let mut waited = false;
    let detail = loop {
        match look(client, service, looks).await {
            Ok(detail) if is_rolled_out(&detail, revision) => waited = true,
            Ok(detail) => break detail,
            Err(ClientError::Refused(problem)) if problem.code == "is_upstream" => {
                return Ok(false);
            }
            Err(fault) => return Err(fault.into()),
        }
    };
    let revisions = client.revisions(service).await?;
    let mine = revisions.into_iter().find(|one| one.revision == revision);
    let note = mine.and_then(|one| one.note);
    if share(&detail.summary.live, revision) == 0 {
        let note = note.unwrap_or_else(|| "another deployment or an operator was first".to_owned());
        bail!("{service}: revision {revision} has no traffic any more: {note}");
    }
    if let Some(note) = note {
        bail!("{service}: revision {revision}: {note}");
    }
    Ok(waited)
}

/// Looks once more; a host that is away is waited for.
async fn look(
    client: &Client,
    service: &str,
    looks: &mut Interval,
) -> Result<ServiceDetail, ClientError> {
    let begun = Instant::now();
    loop {
        looks.tick().await;
        match client.service(service).await {
            Err(ClientError::Unreachable { .. } | ClientError::Broken { .. })
                if begun.elapsed() < AWAY => {}
            other => return other,
        }
    }
}

fn is_rolled_out(detail: &ServiceDetail, revision: u64) -> bool {
    detail
        .rollout
        .as_ref()
        .is_some_and(|rollout| rollout.revision == revision)
}

fn share(live: &[LiveRevision], revision: u64) -> u8 {
    let mine = live.iter().filter(|live| live.revision == revision);
    mine.map(|live| live.weight).sum()
}

fn say_share(
    live: &[LiveRevision],
    service: &str,
    revision: u64,
    output: Output,
) -> anyhow::Result<()> {
    let share = share(live, revision);
    if share == 100 || output.is_json() {
        return Ok(());
    }
    let others = live.iter().filter(|live| live.revision != revision);
    let others = others.map(|other| format!("revision {} has {}%", other.revision, other.weight));
    let others: Vec<_> = others.collect();
    output.line(&format!(
        "{service}: {share}% of the traffic goes to revision {revision}; {}",
        others.join(", ")
    ))
}
