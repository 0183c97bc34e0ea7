//! The breakers of a service or an upstream: what they are, and what an operator holds
//! them at.

use std::sync::Arc;

use super::effects::Effects;
use super::record::rollout::millis;
use super::state::{Names, State};
use super::{ChangeError, Deployments, fault};
use stoa_api::{BreakerForce, BreakerRequest, BreakerState, ServiceSummary};
use stoa_mesh::breaker::{self, Forced, Reading};
use stoa_mesh::upstream::Upstream;
use stoa_mesh::{Forces, GATEWAY, SCHEDULE};
use stoa_settings::config::faults::meant;

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
        self.find(&self.state.load(), service)?;
        Ok(self.of_links(service))
    }

    /// What `stoa ls` shows of a service beside its numbers: a drain, and breakers that
    /// cut it off.
    pub(super) fn with_standing(&self, state: &State, summary: ServiceSummary) -> ServiceSummary {
        let name = &summary.service;
        let drain = self.drain_of(state, name).ok();
        let deployed = state.services.get(name);
        let breakers = match (deployed, self.parts.upstreams.get(name)) {
            (Some(_), _) => self.of_links(name),
            (None, upstream) => upstream.iter().flat_map(|one| of_instances(one)).collect(),
        };
        let live = |one: &BreakerState| match deployed {
            Some(deployed) => deployed.record.weight(one.revision) > 0,
            None => true,
        };
        let is_open = |one: &BreakerState| one.state != breaker::State::Closed.name() && live(one);
        ServiceSummary {
            drain: drain.filter(|drain| drain.drained),
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
        self: &Arc<Self>,
        service: &str,
        request: &BreakerRequest,
    ) -> Result<Vec<BreakerState>, ChangeError> {
        let change = |state: &State| force(state, service, request, &self.upstream_names());
        self.change(change).await?;
        self.breakers(service)
    }

    /// Makes the guards of the links that an operator holds, where no call has come
    /// over one yet: they are shown like any other.
    pub(super) fn guard_held_links(&self, state: &State, service: &str) {
        let forces = state.forces(service);
        let held = forces.links.keys().map(String::as_str);
        for link in held.chain(forces.all.map(|_| GATEWAY)) {
            let deployed = state.services.get(service).into_iter();
            for (_, loaded) in deployed.flat_map(|deployed| deployed.live()) {
                self.parts.guards.gate_of(&loaded.revision, link);
            }
        }
    }
}

/// The breakers of a service or an upstream, held as is asked for.
fn force(
    state: &State,
    name: &str,
    request: &BreakerRequest,
    upstreams: &Names,
) -> Result<(State, Effects), ChangeError> {
    let forces = if upstreams.contains(name) {
        wanted_of_upstream(name, request)?
    } else {
        state.find(name, upstreams)?;
        wanted_forces(state, name, request)?
    };
    let mut next = state.clone();
    if forces == Forces::default() {
        next.forces.remove(name);
    } else {
        next.forces.insert(name.to_owned(), forces);
    }
    Effects::of(state, next)
}

fn wanted_forces(
    state: &State,
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
    let mut forces = state.forces(service);
    let services = &state.services;
    // Any service may come to call this one: by its contract, or by http://NAME.svc.
    let clock = services.get(service);
    let clock = clock.filter(|deployed| !deployed.schedules().is_empty());
    let own = [Some(GATEWAY), clock.map(|_| SCHEDULE)];
    let own = own.into_iter().flatten();
    let is_own = own.clone().any(|own| own == link);
    if !is_own && !services.contains_key(link) && !forces.links.contains_key(link) {
        let links = own.chain(services.keys().map(String::as_str));
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
