//! The breakers of a service: what they are, and what an operator holds them at.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ChangeError, Deployed, Deployments, fault};
use crate::api::{BreakerForce, BreakerRequest, BreakerState};
use crate::mesh::breaker::{Forced, Reading};
use crate::mesh::{Forces, GATEWAY};
use crate::store::{Change, StoreError};

/// The kind of these records in the store, by service.
const KIND: &str = "breaker";

impl Deployments {
    /// The breakers of a service, one for each revision and link.
    ///
    /// # Errors
    ///
    /// When the service is not there.
    pub async fn breakers(&self, service: &str) -> Result<Vec<BreakerState>, ChangeError> {
        let services = self.services.lock().await;
        let deployed = self.find(&services, service)?;
        // Those that are held and that no call has come over yet.
        for link in self.parts.guards.forces(service).links.keys() {
            for (_, loaded) in deployed.live() {
                self.parts.guards.of(&loaded.revision, link);
            }
        }
        let breakers = self.parts.guards.list(service).into_iter();
        let shown = breakers.map(|(revision, link, reading)| show(revision, link, &reading));
        Ok(shown.collect())
    }

    /// Holds the breakers of a service open or closed, or lets them go. What is held
    /// stays held for later revisions, and after a restart.
    ///
    /// # Errors
    ///
    /// When the service or the link is not there.
    pub async fn force_breakers(
        &self,
        service: &str,
        request: &BreakerRequest,
    ) -> Result<Vec<BreakerState>, ChangeError> {
        let services = self.services.lock().await;
        self.find(&services, service)?;
        let forces = self.wanted_forces(&services, service, request)?;
        let change = if forces == Forces::default() {
            Change::remove(KIND, service)
        } else {
            Change::put(KIND, service, &forces).expect("a record's keys are strings")
        };
        self.parts.records.apply(vec![change]).await?;
        self.parts.guards.force(service, forces);
        drop(services);
        self.breakers(service).await
    }

    /// Holds breakers as they were held before the restart.
    pub(super) async fn restore_breakers(&self) -> Result<(), StoreError> {
        for (service, forces) in self.parts.records.read_all::<Forces>(KIND).await? {
            tracing::warn!(
                service.name = service,
                "its breakers are held by an operator: {forces:?}"
            );
            self.parts.guards.force(&service, forces);
        }
        Ok(())
    }

    /// Lets the breakers of a service go that is no longer there; see [`released`].
    pub(super) fn release_breakers(&self, service: &str) {
        self.parts.guards.force(service, Forces::default());
    }

    fn wanted_forces(
        &self,
        services: &BTreeMap<String, Deployed>,
        service: &str,
        request: &BreakerRequest,
    ) -> Result<Forces, ChangeError> {
        let forced = match request.state {
            BreakerForce::Open => Some(Forced::Open),
            BreakerForce::Closed => Some(Forced::Closed),
            BreakerForce::Auto => None,
        };
        let Some(link) = &request.link else {
            return Ok(Forces {
                all: forced,
                ..Forces::default()
            });
        };
        let mut forces = self.parts.guards.forces(service);
        // Any service may come to call this one: by its contract, or by http://NAME.svc.
        if link != GATEWAY && !services.contains_key(link) && !forces.links.contains_key(link) {
            let links = std::iter::once(GATEWAY).chain(services.keys().map(String::as_str));
            let links: Vec<_> = links.filter(|link| *link != service).collect();
            let message = format!(
                "expected where calls come from, one of {}; found {link:?}",
                links.join(", ")
            );
            return Err(ChangeError::Refused(vec![fault(service, "link", message)]));
        }
        match forced {
            Some(forced) => forces.links.insert(link.clone(), forced),
            None => forces.links.remove(link),
        };
        Ok(forces)
    }
}

/// Writes down that nobody holds the breakers of a service.
pub(super) fn released(service: &str) -> Change {
    Change::remove(KIND, service)
}

fn show(revision: u64, link: String, reading: &Reading) -> BreakerState {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    BreakerState {
        revision,
        link,
        state: reading.state.name().to_owned(),
        forced: reading.forced.is_some(),
        reason: reading.reason.to_string(),
        since: humantime::format_rfc3339_millis(reading.since).to_string(),
        succeeded: reading.succeeded,
        failed: reading.failed,
        slow: reading.slow,
        consecutive: reading.consecutive,
        next_probe_ms: reading.next_probe.map(millis),
    }
}
