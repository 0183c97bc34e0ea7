//! Draining a service or an upstream: it takes no new calls, and those under way end,
//! until an operator lets it go on. What is drained stays so for later revisions, and
//! after a restart.

use std::sync::Arc;

use super::state::Services;
use super::{ChangeError, Deployed, Deployments};
use stoa_api::DrainState;
use stoa_mesh::Intakes;
use stoa_mesh::upstream::Upstream;
use stoa_store::{Change, StoreError};
use stoa_telemetry::metrics::PoolReading;

/// The kind of these records in the store, by service.
const KIND: &str = "drain";

impl Deployments {
    /// Whether a service is drained, and what of it is under way.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn drain_state(&self, service: &str) -> Result<DrainState, ChangeError> {
        self.state_of(&self.services.read(), service)
    }

    /// Has a service take no new calls; those under way end by themselves.
    ///
    /// # Errors
    ///
    /// When it is not there, or the disk fails. Nothing has changed then.
    pub async fn drain_service(self: &Arc<Self>, service: &str) -> Result<DrainState, ChangeError> {
        let services = self.services.turn().await;
        let before = self.state_of(&services, service)?;
        if before.drained {
            return Ok(before);
        }
        let change = Change::put(KIND, service, &true).expect("a word is always JSON");
        self.parts.records.apply(vec![change]).await?;
        self.intakes().set(service, true);
        tracing::info!(service.name = service, "drained: it takes no new calls");
        if let Some(deployed) = services.get(service) {
            deployed.empty_pools();
            let ending: Vec<_> = deployed.live().map(|(_, live)| live.clone()).collect();
            self.announce(service, Some(deployed), &ending);
            self.drain_in_background(ending);
        }
        self.parts.upstreams.tell();
        self.state_of(&services, service)
    }

    /// Lets a drained service take calls again.
    ///
    /// # Errors
    ///
    /// When it is not there, or the disk fails. Nothing has changed then.
    pub async fn undrain_service(&self, service: &str) -> Result<DrainState, ChangeError> {
        let services = self.services.turn().await;
        let before = self.state_of(&services, service)?;
        if !before.drained {
            return Ok(before);
        }
        self.parts.records.apply(vec![released(service)]).await?;
        self.intakes().set(service, false);
        tracing::info!(service.name = service, "drained no longer: it takes calls");
        if let Some(deployed) = services.get(service) {
            for (_, live) in deployed.live() {
                let pool = &live.revision.pool;
                pool.resume();
                if let Err(error) = pool.warm().await {
                    tracing::warn!(service.name = service, "its pool is not warm: {error}");
                }
            }
            self.announce(service, Some(deployed), &[]);
        }
        self.parts.upstreams.tell();
        self.state_of(&services, service)
    }

    /// Drains what was drained before the restart.
    pub(super) async fn restore_drains(&self) -> Result<(), StoreError> {
        for (service, drained) in self.parts.records.read_all::<bool>(KIND).await? {
            tracing::warn!(service.name = service, "it is drained by an operator");
            self.intakes().set(&service, drained);
        }
        Ok(())
    }

    /// Ends the drain of a service that is no longer there; see [`released`].
    pub(super) fn release_drain(&self, service: &str) {
        self.intakes().set(service, false);
    }

    pub(super) fn is_drained(&self, service: &str) -> bool {
        self.intakes().is_drained(service)
    }

    fn intakes(&self) -> &Intakes {
        self.parts.guards.intakes()
    }

    /// As [`Deployments::drain_state`], of these services.
    pub(super) fn state_of(
        &self,
        services: &Services,
        service: &str,
    ) -> Result<DrainState, ChangeError> {
        let under_way = match (services.get(service), self.parts.upstreams.get(service)) {
            (Some(deployed), _) => deployed.under_way(),
            (None, Some(upstream)) => under_way(&upstream),
            (None, None) => return Err(self.unknown(services, service)),
        };
        Ok(DrainState {
            drained: self.is_drained(service),
            under_way,
        })
    }
}

/// Writes down that nobody drains a service.
pub(super) fn released(service: &str) -> Change {
    Change::remove(KIND, service)
}

// === impl Deployed ===

impl Deployed {
    /// Keeps no instances: there are no calls for them.
    pub(super) fn empty_pools(&self) {
        self.live().for_each(|(_, live)| live.revision.pool.drain());
    }

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
