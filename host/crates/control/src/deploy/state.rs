//! What is deployed: one immutable snapshot. Readers load it and never wait; whoever
//! changes it makes another one of it, which [`super::commit`] puts in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::declared::{AllDeclared, Declared};
use super::record::ServiceRecord;
use super::{ChangeError, fault};
use stoa_api::Fault;
use stoa_engine::capabilities::config::Overrides;
use stoa_gateway::Plan;
use stoa_gateway::table::{ServiceRoutes, Table};
use stoa_mesh::{Forces, Live, ScheduleName, Service};
use stoa_service::revision::Revision;

/// Services by name. One that has not changed is the same in the next state.
pub(super) type Services = BTreeMap<String, Arc<Deployed>>;

/// Names of services or upstreams.
pub(super) type Names = BTreeSet<String>;

/// All that changes what runs.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) services: Services,
    /// Upstreams that were declared; those that only joined come and go by themselves.
    pub(super) upstreams: AllDeclared,
    /// Services and upstreams that take no calls, because an operator says so.
    pub(super) drained: Names,
    /// What an operator holds the breakers of services and upstreams at.
    pub(super) forces: BTreeMap<String, Forces>,
    /// Schedules whose slots pass without a call, because an operator says so.
    pub(super) paused: BTreeSet<ScheduleName>,
}

/// A service as the host has it.
#[derive(Clone, Default)]
pub(super) struct Deployed {
    pub(super) record: ServiceRecord,
    /// Revisions that are ready to serve: those that are live, and the one before.
    pub(super) loaded: BTreeMap<u64, Loaded>,
    /// What all its revisions see of `record.config`.
    pub(super) overrides: Arc<Overrides>,
}

/// A revision in memory, with its routes worked out.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) revision: Arc<Revision>,
    pub(super) plans: Vec<Arc<Plan>>,
}

/// A revision that was made for a service, which may be gone by now.
pub(super) struct Linked {
    pub(super) loaded: Loaded,
    /// The service's.
    pub(super) overrides: Arc<Overrides>,
}

// === impl State ===

impl State {
    /// A service by its name; `upstreams` are those that have a name of theirs.
    pub(super) fn find(&self, name: &str, upstreams: &Names) -> Result<&Deployed, ChangeError> {
        let found = self.services.get(name).map(|deployed| &**deployed);
        found.ok_or_else(|| match upstreams.contains(name) {
            true => ChangeError::IsUpstream(name.to_owned()),
            false => self.unknown(name, upstreams),
        })
    }

    /// That there is a service or an upstream of this name.
    pub(super) fn check_name(&self, name: &str, upstreams: &Names) -> Result<(), ChangeError> {
        match self.services.contains_key(name) || upstreams.contains(name) {
            true => Ok(()),
            false => Err(self.unknown(name, upstreams)),
        }
    }

    /// As [`State::find`], to be changed in what becomes the next state.
    pub(super) fn find_mut(
        &mut self,
        name: &str,
        upstreams: &Names,
    ) -> Result<&mut Deployed, ChangeError> {
        self.find(name, upstreams)?;
        Ok(self.entry(name))
    }

    /// A service to be changed, which has no revisions where it is new.
    pub(super) fn entry(&mut self, name: &str) -> &mut Deployed {
        Arc::make_mut(self.services.entry(name.to_owned()).or_default())
    }

    /// Neither a service nor an upstream has this name.
    pub(super) fn unknown(&self, name: &str, upstreams: &Names) -> ChangeError {
        let known = self.services.keys().chain(upstreams);
        ChangeError::no_service(name, known.map(String::as_str))
    }

    /// What an operator holds the breakers of a name at.
    pub(super) fn forces(&self, name: &str) -> Forces {
        self.forces.get(name).cloned().unwrap_or_default()
    }

    /// Whether a revision is in memory.
    pub(super) fn has_loaded(&self, service: &str, number: u64) -> bool {
        let deployed = self.services.get(service);
        deployed.is_some_and(|deployed| deployed.loaded.contains_key(&number))
    }

    /// The gateway's table of it.
    pub(super) fn table(&self) -> Result<Table, Vec<Fault>> {
        let services = self.services.iter();
        let services = services.map(|(name, deployed)| deployed.routes(name));
        let routes: Vec<_> = services
            .chain(self.upstreams.values().map(Declared::routes))
            .collect();
        Table::build(&routes).map_err(|conflicts| {
            conflicts
                .into_iter()
                .map(|conflict| fault(&conflict.service, "route_conflict", conflict.message))
                .collect()
        })
    }
}

// === impl Deployed ===

impl Deployed {
    /// As other services find it.
    pub(super) fn service(&self, name: &str) -> Service {
        let live = self.live().map(|(weight, loaded)| Live {
            revision: loaded.revision.clone(),
            weight,
        });
        Service {
            name: Arc::from(name),
            live: live.collect(),
        }
    }

    fn routes(&self, name: &str) -> ServiceRoutes {
        let live = self.live();
        ServiceRoutes {
            service: Arc::from(name),
            live: live
                .map(|(weight, loaded)| (weight, loaded.plans.clone()))
                .collect(),
        }
    }

    /// The live revisions that could be loaded, heaviest first.
    pub(super) fn live(&self) -> impl Iterator<Item = (u8, &Loaded)> {
        let live = self.record.live.iter();
        live.filter_map(|live| Some((live.weight, self.loaded.get(&live.revision)?)))
    }

    pub(super) fn is_live(&self) -> bool {
        self.live().next().is_some()
    }

    /// Whether a revision in memory has the size that an operator set, if one did.
    pub(super) fn is_sized(&self, loaded: &Loaded) -> bool {
        let bounds = loaded.revision.pool.bounds();
        self.record
            .scale
            .is_none_or(|scale| (scale.min, scale.max) == bounds)
    }

    /// Whether a revision was made for this service, and not for the last of its name.
    pub(super) fn is_of(&self, linked: &Linked) -> bool {
        Arc::ptr_eq(&self.overrides, &linked.overrides) && self.is_sized(&linked.loaded)
    }

    /// Whether a revision is kept in memory: what is live, and what was, as a rollback to
    /// it is a swap.
    pub(super) fn keeps(&self, number: u64) -> bool {
        self.record.weight(number) > 0 || self.record.previous == Some(number)
    }
}
