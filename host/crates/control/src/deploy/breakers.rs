//! The breakers of a service or an upstream: what they are, and what an operator holds
//! them at.

use super::record::rollout::millis;
use super::state::Services;
use super::{ChangeError, Deployed, Deployments, fault};
use stoa_api::{BreakerForce, BreakerRequest, BreakerState, ServiceSummary};
use stoa_mesh::breaker::{Forced, Reading, State};
use stoa_mesh::upstream::Upstream;
use stoa_mesh::{Forces, GATEWAY};
use stoa_settings::config::faults::meant;
use stoa_store::{Change, StoreError};

/// The kind of these records in the store, by service.
const KIND: &str = "breaker";

impl Deployments {
    /// The breakers of a service, one for each revision and link, or of an upstream,
    /// one for each instance.
    ///
    /// # Errors
    ///
    /// When the service is not there.
    pub fn breakers(&self, service: &str) -> Result<Vec<BreakerState>, ChangeError> {
        if let Some(upstream) = self.parts.upstreams.get(service) {
            return Ok(of_instances(&upstream));
        }
        let services = self.services.read();
        self.find(&services, service)?;
        Ok(self.of_links(service))
    }

    /// What `stoa ls` shows of a service beside its numbers: a drain, and breakers that
    /// cut it off.
    pub(super) fn with_standing(
        &self,
        services: &Services,
        summary: ServiceSummary,
    ) -> ServiceSummary {
        let name = &summary.service;
        let state = self.state_of(services, name).ok();
        let deployed = services.get(name);
        let breakers = match (deployed, self.parts.upstreams.get(name)) {
            (Some(_), _) => self.of_links(name),
            (None, upstream) => upstream.iter().flat_map(|one| of_instances(one)).collect(),
        };
        let live = |one: &BreakerState| match deployed {
            Some(deployed) => deployed.record.weight(one.revision) > 0,
            None => true,
        };
        let is_open = |one: &BreakerState| one.state != State::Closed.name() && live(one);
        ServiceSummary {
            drain: state.filter(|state| state.drained),
            open_breakers: breakers.into_iter().filter(is_open).collect(),
            ..summary
        }
    }

    fn of_links(&self, service: &str) -> Vec<BreakerState> {
        let breakers = self.parts.guards.list(service).into_iter();
        let shown = breakers.map(|(revision, link, reading)| show(revision, link, &reading));
        shown.collect()
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
        let services = self.services.turn().await;
        let forces = if self.parts.upstreams.get(service).is_some() {
            wanted_of_upstream(service, request)?
        } else {
            self.find(&services, service)?;
            self.wanted_forces(&services, service, request)?
        };
        let change = if forces == Forces::default() {
            Change::remove(KIND, service)
        } else {
            Change::put(KIND, service, &forces).expect("a record's keys are strings")
        };
        self.parts.records.apply(vec![change]).await?;
        self.hold(service, forces);
        self.guard_held_links(service, services.get(service));
        self.breakers(service)
    }

    /// Holds breakers as they were held before the restart.
    pub(super) async fn restore_breakers(&self) -> Result<(), StoreError> {
        for (service, forces) in self.parts.records.read_all::<Forces>(KIND).await? {
            tracing::warn!(
                service.name = service,
                "its breakers are held by an operator: {forces}"
            );
            self.hold(&service, forces);
        }
        Ok(())
    }

    /// Lets the breakers of a service go that is no longer there; see [`released`].
    pub(super) fn release_breakers(&self, service: &str) {
        self.hold(service, Forces::default());
    }

    /// A name is a service's or an upstream's; which of them it is may be known later.
    fn hold(&self, name: &str, forces: Forces) {
        self.parts.upstreams.hold_breakers(name, forces.all);
        self.parts.guards.force(name, forces);
    }

    /// Makes the guards of the links that an operator holds, where no call has come
    /// over one yet: they are shown like any other.
    pub(super) fn guard_held_links(&self, service: &str, deployed: Option<&Deployed>) {
        let forces = self.parts.guards.forces(service);
        let held = forces.links.keys().map(String::as_str);
        for link in held.chain(forces.all.map(|_| GATEWAY)) {
            for (_, loaded) in deployed.into_iter().flat_map(Deployed::live) {
                self.parts.guards.gate_of(&loaded.revision, link);
            }
        }
    }

    fn wanted_forces(
        &self,
        services: &Services,
        service: &str,
        request: &BreakerRequest,
    ) -> Result<Forces, ChangeError> {
        let forced = forced(request.state);
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
            let all = format!("expected one of {}", links.join(", "));
            let hint = meant(link, links, &all);
            let message = format!("no calls to {service} come from {link:?}{hint}");
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

fn forced(wanted: BreakerForce) -> Option<Forced> {
    match wanted {
        BreakerForce::Open => Some(Forced::Open),
        BreakerForce::Closed => Some(Forced::Closed),
        BreakerForce::Auto => None,
    }
}

/// All links to an upstream share the breakers of its instances.
fn wanted_of_upstream(name: &str, request: &BreakerRequest) -> Result<Forces, ChangeError> {
    if let Some(link) = &request.link {
        let message = format!(
            "{name} is an upstream, whose breakers are the same for all links; leave out {link:?}"
        );
        return Err(ChangeError::Refused(vec![fault(name, "link", message)]));
    }
    Ok(Forces {
        all: forced(request.state),
        ..Forces::default()
    })
}

fn of_instances(upstream: &Upstream) -> Vec<BreakerState> {
    let members = upstream.members.all();
    let shown = members.iter().map(|member| BreakerState {
        instance: Some(member.id.clone()),
        ..show(upstream.number, GATEWAY.to_owned(), &member.breaker())
    });
    shown.collect()
}

fn show(revision: u64, link: String, reading: &Reading) -> BreakerState {
    BreakerState {
        revision,
        instance: None,
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
