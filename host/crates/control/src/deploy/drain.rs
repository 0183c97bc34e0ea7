//! Draining a service or an upstream: it takes no new calls, and those under way end,
//! until an operator lets it go on. What is drained stays so for later revisions, and
//! after a restart.

use std::sync::Arc;

use super::effects::Effects;
use super::state::{Deployed, Names, State};
use super::{ChangeError, Deployments};
use stoa_api::DrainState;
use stoa_mesh::upstream::Upstream;
use stoa_telemetry::metrics::PoolReading;

impl Deployments {
    /// Whether a service is drained, and what of it is under way.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn drain_state(&self, service: &str) -> Result<DrainState, ChangeError> {
        self.drain_of(&self.state.load(), service)
    }

    /// Has a service take no new calls; those under way end by themselves.
    ///
    /// # Errors
    ///
    /// When it is not there, or the disk fails. Nothing has changed then.
    pub async fn drain_service(self: &Arc<Self>, service: &str) -> Result<DrainState, ChangeError> {
        let change = |state: &State| drain(state, service, &self.upstream_names());
        let made = self.change(change).await?;
        if !made.before.drained.contains(service) {
            tracing::info!(service.name = service, "drained: it takes no new calls");
        }
        self.drain_of(&made.now, service)
    }

    /// Lets a drained service take calls again.
    ///
    /// # Errors
    ///
    /// When it is not there, or the disk fails. Nothing has changed then.
    pub async fn undrain_service(
        self: &Arc<Self>,
        service: &str,
    ) -> Result<DrainState, ChangeError> {
        let change = |state: &State| undrain(state, service, &self.upstream_names());
        let made = self.change(change).await?;
        if made.before.drained.contains(service) {
            tracing::info!(service.name = service, "drained no longer: it takes calls");
            let deployed = made.now.services.get(service).into_iter();
            for (_, live) in deployed.flat_map(|deployed| deployed.live()) {
                if let Err(error) = live.revision.pool.warm().await {
                    tracing::warn!(service.name = service, "its pool is not warm: {error}");
                }
            }
        }
        self.drain_of(&made.now, service)
    }

    /// As [`Deployments::drain_state`], in this state.
    pub(super) fn drain_of(&self, state: &State, service: &str) -> Result<DrainState, ChangeError> {
        let upstream = self.parts.upstreams.get(service);
        let under_way = match (state.services.get(service), upstream) {
            (Some(deployed), _) => deployed.under_way(),
            (None, Some(upstream)) => under_way(&upstream),
            (None, None) => return Err(state.unknown(service, &self.upstream_names())),
        };
        Ok(DrainState {
            drained: state.drained.contains(service),
            under_way,
        })
    }
}

/// A service or an upstream takes no calls.
pub(super) fn drain(
    state: &State,
    name: &str,
    upstreams: &Names,
) -> Result<(State, Effects), ChangeError> {
    state.check_name(name, upstreams)?;
    let mut next = state.clone();
    next.drained.insert(name.to_owned());
    Effects::of(state, next)
}

/// A service or an upstream takes calls.
fn undrain(state: &State, name: &str, upstreams: &Names) -> Result<(State, Effects), ChangeError> {
    state.check_name(name, upstreams)?;
    let mut next = state.clone();
    next.drained.remove(name);
    Effects::of(state, next)
}

// === impl Deployed ===

impl Deployed {
    fn under_way(&self) -> u64 {
        let pools = self.loaded.values().map(|loaded| &loaded.revision.pool);
        let samples = pools.map(|pool| pool.read());
        let calls = samples.map(|sample| sample.busy + sample.draining + sample.queued);
        calls.sum()
    }
}

/// Requests that the instances of an upstream serve.
fn under_way(upstream: &Upstream) -> u64 {
    let members = upstream.members.all();
    members.iter().map(|one| u64::from(one.in_flight())).sum()
}
