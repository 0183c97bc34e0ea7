//! Upstreams as they are declared: kept, routed and shown like services.
//!
//! They share the services' names and change in the same turns, so that a
//! manifest's services and upstreams become live together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::record::rollout::millis;
use super::restore::tell_faults;
use super::state::Services;
use super::traffic::candidates;
use super::{ChangeError, Deployments, breakers, drain, fault, handlers};
use stoa_api::upstream::{
    InstanceBreaker, InstanceDetail, Registration, Status, UpstreamDeploy, UpstreamDetail,
};
use stoa_api::{Fault, LiveRevision, PoolState, ServiceKind, ServiceSummary};
use stoa_gateway::Plan;
use stoa_gateway::table::ServiceRoutes;
use stoa_mesh::upstream::{Instance, Upstream};
use stoa_settings::service_name;
use stoa_settings::upstream::UpstreamSettings;
use stoa_store::{Change, StoreError};

/// The kind of these records in the store.
pub(super) const KIND: &str = "upstream";

/// What is kept of an upstream on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct UpstreamRecord {
    /// Counts its declarations.
    number: u64,
    settings: UpstreamSettings,
}

/// An upstream that was declared, with its routes worked out.
#[derive(Clone)]
pub(super) struct Declared {
    record: UpstreamRecord,
    upstream: Arc<Upstream>,
    endpoints: Vec<Arc<Plan>>,
}

/// All that were declared, by name.
pub(super) type AllDeclared = BTreeMap<String, Declared>;

/// Upstreams as a deployment will leave them.
pub(super) struct Declaration {
    pub(super) all: AllDeclared,
    /// Name → its number; those that were declared so already too.
    pub(super) numbers: BTreeMap<String, u64>,
    changed: Vec<String>,
}

impl Deployments {
    /// What a deployment makes of the upstreams; nothing has changed yet.
    pub(super) fn declare(
        &self,
        services: &Services,
        requests: &[UpstreamDeploy],
    ) -> Result<Declaration, ChangeError> {
        let mut declaration = Declaration {
            all: self.declared().clone(),
            numbers: BTreeMap::new(),
            changed: Vec::new(),
        };
        let mut faults = Vec::new();
        for UpstreamDeploy { upstream, settings } in requests {
            if let Err(reason) = service_name(upstream) {
                faults.push(fault(upstream, "service_name", reason));
            } else if declaration.numbers.contains_key(upstream) {
                let message = format!("{upstream} is in the deployment more than once");
                faults.push(fault(upstream, "twice", message));
            }
            let before = declaration.all.get(upstream).map(|one| &one.record);
            let number = match before {
                Some(before) if before.settings == *settings => {
                    declaration.numbers.insert(upstream.clone(), before.number);
                    continue;
                }
                before => before.map_or(0, |before| before.number) + 1,
            };
            let settings = settings.clone();
            match self.work_out(upstream, UpstreamRecord { number, settings }) {
                Ok(declared) => {
                    declaration.all.insert(upstream.clone(), declared);
                    declaration.numbers.insert(upstream.clone(), number);
                    declaration.changed.push(upstream.clone());
                }
                Err(mut found) => faults.append(&mut found),
            }
        }
        for name in services.keys() {
            if declaration.all.contains_key(name) || self.has_joined(name) {
                let message = format!(
                    "{name} is the name of a service and of an upstream: `stoa undeploy {name}` first, or choose \
                     another name"
                );
                faults.push(fault(name, "name_taken", message));
            }
        }
        if faults.is_empty() {
            Ok(declaration)
        } else {
            Err(ChangeError::Refused(faults))
        }
    }

    /// Makes a declaration live.
    pub(super) fn adopt(&self, declaration: Declaration) {
        let Declaration { all, changed, .. } = declaration;
        let number = |name: &String| Some((name.clone(), self.declared().get(name)?.record.number));
        let before: Vec<_> = changed.iter().filter_map(number).collect();
        let published = changed.into_iter().map(|name| {
            let upstream = all.get(&name).map(|one| one.upstream.clone());
            (name, upstream)
        });
        self.parts.upstreams.publish(published.collect());
        *self.declared() = all;
        for (name, number) in before {
            self.parts.telemetry.metrics.forget_revision(&name, number);
        }
    }

    /// Brings back what was declared.
    pub(super) async fn restore_upstreams(&self) -> Result<(), StoreError> {
        for (name, record) in self.parts.records.list(KIND).await? {
            let record = serde_json::from_value::<UpstreamRecord>(record);
            let declared = record
                .map_err(|error| vec![fault(&name, "record", error.to_string())])
                .and_then(|record| {
                    tell_faults(&name, record.settings.faults());
                    self.work_out(&name, record)
                });
            match declared {
                Ok(declared) => {
                    let upstream = Some(declared.upstream.clone());
                    self.parts
                        .upstreams
                        .publish([(name.clone(), upstream)].into());
                    self.declared().insert(name, declared);
                }
                Err(faults) => {
                    tracing::error!(service.name = name, ?faults, "an upstream is not restored")
                }
            }
        }
        Ok(())
    }

    /// Removes an upstream, and what joined it; `None` where there is none.
    pub(super) async fn undeclare(
        &self,
        services: &Services,
        name: &str,
    ) -> Option<Result<(), ChangeError>> {
        self.parts.upstreams.get(name)?;
        let before = handlers::before(&candidates(services, name), name);
        if !before.is_empty() {
            let needed = before
                .iter()
                .map(|service| handlers::is_needed(service, name));
            return Some(Err(ChangeError::Refused(needed.collect())));
        }
        let mut all = self.declared().clone();
        all.remove(name);
        Some(self.remove(services, name, all).await)
    }

    async fn remove(
        &self,
        services: &Services,
        name: &str,
        all: AllDeclared,
    ) -> Result<(), ChangeError> {
        let table = super::table(services, &all).map_err(ChangeError::Refused)?;
        self.parts
            .records
            .apply(vec![
                Change::remove(KIND, name),
                breakers::released(name),
                drain::released(name),
            ])
            .await?;
        self.parts.gateway.publish(table);
        let gone = self.declared().remove(name);
        self.parts
            .upstreams
            .publish([(name.to_owned(), None)].into());
        self.release_breakers(name);
        self.release_drain(name);
        if let Some(gone) = gone {
            let metrics = &self.parts.telemetry.metrics;
            metrics.forget_revision(name, gone.record.number);
        }
        Ok(())
    }

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
        let services = self.services.turn().await;
        let refuse =
            |code, message: String| Err(ChangeError::Refused(vec![fault(name, code, message)]));
        if services.contains_key(name) {
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
    pub(super) fn upstream_names(&self) -> BTreeSet<String> {
        let all = self.parts.upstreams.all();
        all.keys().map(|name| name.to_string()).collect()
    }

    /// All upstreams, as the list of services shows them.
    pub(super) fn upstream_summaries(&self) -> Vec<ServiceSummary> {
        let all = self.parts.upstreams.all();
        all.values().map(|upstream| summary(upstream)).collect()
    }

    pub(super) fn declared(&self) -> MutexGuard<'_, AllDeclared> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_joined(&self, name: &str) -> bool {
        self.parts.upstreams.get(name).is_some()
    }

    fn work_out(&self, name: &str, record: UpstreamRecord) -> Result<Declared, Vec<Fault>> {
        let upstreams = &self.parts.upstreams;
        let upstream = upstreams.make(name, record.number, &record.settings);
        let (mut endpoints, mut faults) = (Vec::new(), Vec::new());
        for route in &record.settings.routes {
            match self.parts.gateway.plan_outside(route, &upstream) {
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

// === impl Declaration ===

impl Declaration {
    /// What must be on disk before it is live.
    pub(super) fn records(&self) -> Vec<Change> {
        let changed = self.changed.iter().filter_map(|name| {
            let record = &self.all.get(name)?.record;
            Some(Change::put(KIND, name, record).expect("a record's keys are strings"))
        });
        changed.collect()
    }
}

// === impl Declared ===

impl Declared {
    pub(super) fn routes(&self) -> ServiceRoutes {
        ServiceRoutes {
            service: self.upstream.name.clone(),
            live: vec![(100, self.endpoints.clone())],
        }
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
