//! What is deployed, as the admin API shows it.

use std::collections::{BTreeMap, BTreeSet};

use super::state::Deployed;
use super::{ChangeError, Deployments};
use stoa_api::{
    DeploymentsUnderWay, LiveRevision, PoolState, Reuse, RevisionSummary, RouteSummary,
    ServiceDetail, ServiceKind, ServiceSummary,
};
use stoa_engine::host_meets;
use stoa_gateway::openapi;
use stoa_settings::{Access, Target};
use stoa_telemetry::metrics::PoolReading;

impl Deployments {
    /// All services.
    pub fn list(&self) -> Vec<ServiceSummary> {
        let state = self.state.load();
        let components = state
            .services
            .iter()
            .map(|(name, deployed)| deployed.summary(name));
        let all = components.chain(self.upstream_summaries());
        let all = all.map(|one| self.with_standing(&state, one));
        let mut all: Vec<_> = all.collect();
        all.sort_by(|a, b| a.service.cmp(&b.service));
        all
    }

    /// One service.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn show(&self, service: &str) -> Result<ServiceDetail, ChangeError> {
        let state = self.state.load();
        self.with(service, |deployed| {
            let (_, primary) = deployed.live().next()?;
            let revision = &primary.revision;
            Some(ServiceDetail {
                summary: self.with_standing(&state, deployed.summary(service)),
                exports: revision
                    .contract
                    .exports()
                    .iter()
                    .map(|export| export.name.to_string())
                    .collect(),
                imports: self.imports(&primary.revision),
                settings: revision.settings.as_ref().clone(),
                rollout: deployed
                    .record
                    .rollout
                    .as_ref()
                    .map(|rollout| self.rollout_state(service, rollout)),
                config: deployed.config_detail(),
            })
        })
    }

    /// The revisions of a service, newest first.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn revisions(&self, service: &str) -> Result<Vec<RevisionSummary>, ChangeError> {
        self.with(service, |deployed| {
            let revisions =
                deployed
                    .record
                    .revisions
                    .iter()
                    .rev()
                    .map(|revision| RevisionSummary {
                        revision: revision.number,
                        component: revision.component.clone(),
                        size: revision.size,
                        deployed: revision.deployed.clone(),
                        weight: deployed.record.weight(revision.number),
                        note: revision.note.clone(),
                    });
            Some(revisions.collect())
        })
    }

    /// All routes, by path.
    pub fn routes(&self) -> Vec<RouteSummary> {
        let table = self.parts.gateway.table();
        let mut routes: Vec<_> = table
            .routes()
            .iter()
            .map(|(service, plan)| {
                let route = plan.route();
                RouteSummary {
                    method: route.method.clone().unwrap_or_else(|| "*".to_owned()),
                    host: route.host.clone().unwrap_or_else(|| "*".to_owned()),
                    path: route.path.clone(),
                    service: service.to_string(),
                    target: match &route.target {
                        Target::Call(function) => function.to_string(),
                        Target::Queue(function) => format!("queue {function}"),
                        Target::Http if plan.revision().is_none() => "upstream".to_owned(),
                        Target::Http => "wasi:http".to_owned(),
                    },
                    access: match &route.access {
                        Access::Public => "public".to_owned(),
                        Access::Authenticated => "authenticated".to_owned(),
                        Access::Scope(scope) => scope.clone(),
                    },
                    on_disconnect: route.on_disconnect.map(|then| then.name().to_owned()),
                }
            })
            .collect();
        routes.sort_by(|a, b| (&a.path, &a.method, &a.host).cmp(&(&b.path, &b.method, &b.host)));
        routes
    }

    /// A service's contract as WIT.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn contract(&self, service: &str) -> Result<String, ChangeError> {
        self.with(service, |deployed| {
            Some(deployed.live().next()?.1.revision.contract.to_wit())
        })
    }

    /// A service's routes as OpenAPI 3.1.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn openapi(&self, service: &str) -> Result<serde_json::Value, ChangeError> {
        self.with(service, |deployed| {
            let revision = &deployed.live().next()?.1.revision;
            Some(openapi::document(
                service,
                &[(
                    service,
                    &revision.contract,
                    &revision.settings.routes_in_force(),
                )],
            ))
        })
    }

    /// All routes of all services as OpenAPI 3.1.
    pub fn app_openapi(&self) -> serde_json::Value {
        let state = self.state.load();
        let live: Vec<_> = state
            .services
            .iter()
            .filter_map(|(name, deployed)| {
                Some((name.as_str(), &deployed.live().next()?.1.revision))
            })
            .collect();
        let routes: Vec<_> = live
            .iter()
            .map(|(_, revision)| revision.settings.routes_in_force())
            .collect();
        let described: Vec<_> = live
            .iter()
            .zip(&routes)
            .map(|((name, revision), routes)| {
                (*name, revision.contract.as_ref(), routes.as_slice())
            })
            .collect();
        openapi::document("Stoa", &described)
    }

    /// Secret → the services that have a live revision that may read it.
    pub fn secret_readers(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut readers = BTreeMap::<String, BTreeSet<String>>::new();
        for (name, deployed) in &self.state.load().services {
            let granted = deployed
                .live()
                .flat_map(|(_, loaded)| &loaded.revision.settings.grants.secrets);
            for secret in granted {
                readers
                    .entry(secret.clone())
                    .or_default()
                    .insert(name.clone());
            }
        }
        readers
    }

    /// The deployment that others wait for.
    pub fn under_way(&self) -> DeploymentsUnderWay {
        DeploymentsUnderWay {
            services: self.deploying.services(),
        }
    }

    /// Whether every service that should be live is.
    pub fn ready(&self) -> bool {
        self.state.load().services.values().all(|one| one.is_live())
    }

    fn with<T>(
        &self,
        service: &str,
        read: impl FnOnce(&Deployed) -> Option<T>,
    ) -> Result<T, ChangeError> {
        let state = self.state.load();
        let deployed = self.find(&state, service)?;
        read(deployed).ok_or_else(|| ChangeError::NotLoaded(service.to_owned()))
    }

    fn imports(&self, revision: &stoa_service::revision::Revision) -> BTreeMap<String, String> {
        let snapshot = self.parts.registry.snapshot();
        let met_by = |import: &stoa_service::contract::Interface| {
            if host_meets(&import.name.to_string()) || import.is_types_only() {
                return "host".to_owned();
            }
            let chosen = revision
                .settings
                .links
                .get(&import.name.unversioned())
                .cloned();
            let first = || {
                snapshot
                    .providers(&import.name)
                    .first()
                    .map(|service| service.name.to_string())
            };
            chosen.or_else(first).unwrap_or_else(|| "nobody".to_owned())
        };
        revision
            .contract
            .imports()
            .iter()
            .map(|import| (import.name.to_string(), met_by(import)))
            .collect()
    }
}

// === impl Deployed ===

impl Deployed {
    fn summary(&self, name: &str) -> ServiceSummary {
        ServiceSummary {
            service: name.to_owned(),
            kind: ServiceKind::Component,
            live: self.live_revisions(),
            drain: None,
            open_breakers: Vec::new(),
            calls: self
                .loaded
                .values()
                .map(|loaded| loaded.revision.pool.calls())
                .sum(),
            routes: self
                .live()
                .next()
                .map_or(0, |(_, loaded)| loaded.plans.len()),
        }
    }

    pub(super) fn live_revisions(&self) -> Vec<LiveRevision> {
        let live = self.live().map(|(weight, loaded)| {
            let revision = &loaded.revision;
            let (min, max) = revision.pool.bounds();
            let sample = revision.pool.read();
            LiveRevision {
                revision: revision.number,
                weight,
                component: revision.component.clone(),
                pool: PoolState {
                    min,
                    max,
                    busy: small(sample.busy),
                    idle: small(sample.idle),
                    queued: small(sample.queued),
                },
                reuse: Some(Reuse {
                    calls: revision.reuse.calls,
                    reason: revision.reuse.reason.clone(),
                }),
            }
        });
        live.collect()
    }

    /// The pool of the heaviest revision.
    pub(super) fn pool_state(&self) -> PoolState {
        self.live_revisions()
            .into_iter()
            .next()
            .map(|live| live.pool)
            .unwrap_or_default()
    }

    /// The size that is set: by an operator, else by the settings.
    pub(super) fn bounds(&self) -> (u32, u32) {
        self.live()
            .next()
            .map_or((0, 1), |(_, loaded)| loaded.revision.pool.bounds())
    }
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
