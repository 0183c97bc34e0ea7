//! The end of a service or an upstream.

use std::sync::Arc;

use tracing::Instrument as _;

use super::candidates::candidates;
use super::effects::Effects;
use super::progress::Progress;
use super::state::{Names, State};
use super::{ChangeError, Deployments, check, handlers};

impl Deployments {
    /// Removes a service or an upstream. Its state stays unless it is purged.
    ///
    /// # Errors
    ///
    /// When it is not there, or others depend on it.
    pub async fn undeploy(self: &Arc<Self>, name: &str, purge: bool) -> Result<(), ChangeError> {
        if purge {
            let (deployments, name) = (self.clone(), name.to_owned());
            // As a whole, also when its client goes away meanwhile.
            let purged = async move { deployments.undeploy_and_purge(&name).await };
            let purged = tokio::spawn(purged.in_current_span()).await;
            return purged.expect("undeploying does not panic");
        }
        let change = |state: &State| undeploy(state, name, &self.upstream_names());
        self.end(change).await
    }

    async fn undeploy_and_purge(self: &Arc<Self>, name: &str) -> Result<(), ChangeError> {
        let change = |state: &State| undeploy(state, name, &self.upstream_names());
        let made = self.commit(change).await?;
        let was_service = made.before.services.contains_key(name);
        // What was before holds what is to end.
        let ending = made.ending;
        drop((made.before, made.now));
        let silent = Progress::silent(&self.parts.telemetry.metrics);
        self.drain(ending, &silent).await;
        match was_service {
            true => self.purge(name).await,
            false => Ok(self.parts.gateway.forget_answers(name).await?),
        }
    }

    /// Deletes what a service that is gone has left, unless one of its name has come.
    async fn purge(&self, service: &str) -> Result<(), ChangeError> {
        let purging = {
            let state = self.turn().await;
            if state.services.contains_key(service) {
                tracing::warn!("{service} is there again: its state stays");
                return Ok(());
            }
            // None of its name comes before this is over; other changes need not wait.
            self.purging.begin(service)
        };
        self.parts.keyvalue.purge(service).await?;
        self.parts.blobs.purge(service).await?;
        self.parts.queues.purge_service(service).await?;
        self.parts.gateway.forget_answers(service).await?;
        drop(purging);
        Ok(())
    }
}

/// Everything without `name`, and without what an operator set for it: one of its name
/// may come, and begins anew.
pub(super) fn undeploy(
    state: &State,
    name: &str,
    upstreams: &Names,
) -> Result<(State, Effects), ChangeError> {
    let mut next = state.clone();
    next.drained.remove(name);
    next.forces.remove(name);
    next.paused.retain(|paused| paused.service != name);
    if next.services.remove(name).is_some() {
        check::fit(state, &next, name, upstreams)?;
        return Effects::of(state, next);
    }
    if !upstreams.contains(name) {
        return Err(state.unknown(name, upstreams));
    }
    let before = handlers::before(&candidates(state, name), name);
    if !before.is_empty() {
        let needed = before.iter().map(|one| handlers::is_needed(one, name));
        return Err(ChangeError::Refused(needed.collect()));
    }
    next.upstreams.remove(name);
    let (next, mut effects) = Effects::of(state, next)?;
    // Nobody need have declared it.
    effects.upstreams.insert(name.to_owned());
    Ok((next, effects))
}
