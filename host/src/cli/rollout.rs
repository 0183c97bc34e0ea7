//! What becomes of a revision after its deployment: its share, and the host's verdict.

use std::time::Duration;

use anyhow::bail;

use crate::admin::client::{Client, ClientError};
use crate::api::{LiveRevision, ServiceDetail};

use super::output::Output;

/// How often a rollout is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(500);

/// Says which share of the traffic a revision has, if it has not all of it; with `waits`,
/// when its rollout is over.
///
/// # Errors
/// If the host can't be reached, or has taken the revision back.
pub async fn tell(
    client: &Client,
    service: &str,
    revision: u64,
    waits: bool,
    output: Output,
) -> anyhow::Result<()> {
    let is_upstream = |fault: &ClientError| matches!(fault, ClientError::Refused(problem) if problem.code == "is_upstream");
    let mut detail = match client.service(service).await {
        Err(fault) if is_upstream(&fault) => return Ok(()),
        detail => detail?,
    };
    say_share(&detail, service, revision, output)?;
    if !waits {
        return Ok(());
    }
    let waited = is_rolled_out(&detail, revision);
    let mut looks = tokio::time::interval(LOOK);
    while is_rolled_out(&detail, revision) {
        looks.tick().await;
        detail = client.service(service).await?;
    }
    if share(&detail, revision) == 0 {
        let revisions = client.revisions(service).await?;
        let mine = revisions.into_iter().find(|one| one.revision == revision);
        let note = mine.and_then(|one| one.note);
        let note = note.unwrap_or_else(|| "another deployment or an operator was first".to_owned());
        bail!("{service}: revision {revision} has no traffic any more: {note}");
    }
    if waited && !output.is_json() {
        output.line(&format!(
            "{service}: the rollout of revision {revision} is over"
        ))?;
    }
    Ok(())
}

fn is_rolled_out(detail: &ServiceDetail, revision: u64) -> bool {
    detail
        .rollout
        .as_ref()
        .is_some_and(|rollout| rollout.revision == revision)
}

fn share(detail: &ServiceDetail, revision: u64) -> u8 {
    let live = detail.summary.live.iter();
    live.filter(|live| live.revision == revision)
        .map(|live| live.weight)
        .sum()
}

fn say_share(
    detail: &ServiceDetail,
    service: &str,
    revision: u64,
    output: Output,
) -> anyhow::Result<()> {
    let share = share(detail, revision);
    if share == 100 || output.is_json() {
        return Ok(());
    }
    let others = detail.summary.live.iter();
    let others = others.filter(|live| live.revision != revision);
    let others = others.map(
        |LiveRevision {
             revision, weight, ..
         }| format!("revision {revision} has {weight}%"),
    );
    let others: Vec<_> = others.collect();
    output.line(&format!(
        "{service}: {share}% of the traffic goes to revision {revision}; {}",
        others.join(", ")
    ))
}
