//! Upstreams as they are declared: kept, routed and shown like services.
//!
//! They share the services' names and are part of the same state, so that a
//! manifest's services and upstreams become live together.

use std::sync::Arc;

use super::declared::{Declared, UpstreamRecord};
use super::record::rollout::millis;
use super::state::Names;
use super::{ChangeError, Deployments, fault};
use stoa_api::upstream::{InstanceBreaker, InstanceDetail, Registration, Status, UpstreamDetail};
use stoa_api::{Fault, LiveRevision, PoolState, ServiceKind, ServiceSummary};
use stoa_gateway::Endpoint;
use stoa_mesh::upstream::{Instance, Upstream};
use stoa_settings::service_name;

impl Deployments {
    /// Adds an instance to an upstream, which is made if nobody declared it.
    ///
    /// # Errors
    ///
    /// When the name is a service's, or the registration is at fault.
    pub async fn join_upstream(
        &self,
        name: &str,
        id: &str,
        registration: &Registration,
    ) -> Result<(), ChangeError> {
        // Held, so that no service of that name comes meanwhile.
        let state = self.turn().await;
        let refuse =
            |code, message: String| Err(ChangeError::Refused(vec![fault(name, code, message)]));
        if state.services.contains_key(name) {
            let message = format!(
                "{name} is a service of components; instances join upstreams, so choose another name"
            );
            return refuse("name_taken", message);
        }
        if let Err(reason) = service_name(name) {
            return refuse("service_name", reason);
        }
        match self.parts.upstreams.join(name, id, registration) {
            Ok(()) => Ok(()),
            Err(reason) => refuse("instance", reason),
        }
    }

    /// One upstream.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn upstream(&self, name: &str) -> Result<UpstreamDetail, ChangeError> {
        let all = self.parts.upstreams.all();
        let upstream = all.get(name).map(|upstream| detail(upstream));
        upstream.ok_or_else(|| ChangeError::no_service(name, all.keys().map(|known| &**known)))
    }

    /// All upstreams.
    pub fn upstreams(&self) -> Vec<UpstreamDetail> {
        let all = self.parts.upstreams.all();
        all.values().map(|upstream| detail(upstream)).collect()
    }

    /// What joins, leaves and renews.
    pub fn upstream_registry(&self) -> &Arc<stoa_mesh::upstream::Upstreams> {
        &self.parts.upstreams
    }

    /// The names of all upstreams.
    pub(super) fn upstream_names(&self) -> Names {
        let all = self.parts.upstreams.all();
        all.keys().map(|name| name.to_string()).collect()
    }

    /// All upstreams, as the list of services shows them.
    pub(super) fn upstream_summaries(&self) -> Vec<ServiceSummary> {
        let all = self.parts.upstreams.all();
        all.values().map(|upstream| summary(upstream)).collect()
    }

    /// The routes of an upstream, which gets no traffic before it is published.
    pub(super) fn work_out(
        &self,
        name: &str,
        record: UpstreamRecord,
    ) -> Result<Declared, Vec<Fault>> {
        let upstreams = &self.parts.upstreams;
        let upstream = upstreams.make(name, record.number, &record.settings);
        let (mut endpoints, mut faults) = (Vec::new(), Vec::new());
        for route in &record.settings.routes {
            match Endpoint::upstream(route, &upstream, &self.parts.telemetry.metrics) {
                Ok(endpoint) => endpoints.push(Arc::new(endpoint)),
                Err(reasons) => faults.extend(reasons.into_iter().map(|reason| {
                    let message = format!("route {:?} of {name}: {reason}", route.key());
                    fault(name, "route_target", message)
                })),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Declared {
            record,
            upstream,
            endpoints,
        })
    }
}

fn detail(upstream: &Upstream) -> UpstreamDetail {
    let members = upstream.members.all();
    UpstreamDetail {
        upstream: upstream.name.to_string(),
        number: upstream.number,
        settings: upstream.settings.clone(),
        instances: members.iter().map(|member| instance(member)).collect(),
        stale: upstream
            .members
            .stale(tokio::time::Instant::now())
            .map(|over| over.as_secs()),
    }
}

fn instance(instance: &Instance) -> InstanceDetail {
    let breaker = instance.breaker();
    let overdue = instance.overdue(tokio::time::Instant::now());
    InstanceDetail {
        id: instance.id.clone(),
        url: instance.origin.to_string().trim_end_matches('/').to_owned(),
        status: instance.standing(),
        breaker: InstanceBreaker {
            state: breaker.state.name().to_owned(),
            reason: breaker.reason.to_string(),
            next_probe_ms: breaker.next_probe.map(millis),
        },
        weight: instance.weight,
        in_flight: instance.in_flight(),
        requests: instance.requests(),
        ttl: instance.ttl(),
        overdue: overdue.map(|over| over.as_secs()),
        metadata: instance.metadata.clone(),
    }
}

/// Its instances stand where a component's do: those that are up are idle or busy.
fn summary(upstream: &Upstream) -> ServiceSummary {
    let members = upstream.members.all();
    let up = members.iter().filter(|one| one.standing() == Status::Up);
    let (busy, idle): (Vec<_>, Vec<_>) = up.partition(|one| one.in_flight() > 0);
    let count = |list: usize| u32::try_from(list).unwrap_or(u32::MAX);
    ServiceSummary {
        service: upstream.name.to_string(),
        kind: ServiceKind::Upstream,
        live: vec![LiveRevision {
            revision: upstream.number,
            weight: 100,
            component: String::new(),
            pool: PoolState {
                min: 0,
                max: count(members.len()),
                busy: count(busy.len()),
                idle: count(idle.len()),
                queued: 0,
            },
            reuse: None,
        }],
        drain: None,
        open_breakers: Vec::new(),
        calls: members.iter().map(|one| one.requests()).sum(),
        routes: upstream.settings.routes.len(),
    }
}
