//! What a deployment makes of the state: new revisions that fit together with all that is
//! there, and upstreams declared anew.

use std::collections::BTreeMap;

use super::candidates::{Candidate, Candidates, present};
use super::declared::{Declared, UpstreamRecord};
use super::effects::{Effects, Stop};
use super::load::Prepared;
use super::record::{RevisionRecord, ServiceRecord};
use super::state::{Deployed, Linked, Names, State};
use super::{ChangeError, check, configure, fault, rollout};
use stoa_api::upstream::UpstreamDeploy;
use stoa_api::{DeployRequest, Fault, ServiceDeploy};
use stoa_mesh::record::Numbers;
use stoa_service::contract::Contract;
use stoa_settings::service_name;

/// What a deployment needs to know of the host beside its state.
pub(super) struct Around<'a> {
    /// The names of all upstreams, those that only joined too.
    pub(super) upstreams: Names,
    /// Whether the state of the last service of a name is being deleted.
    pub(super) is_purging: &'a dyn Fn(&str) -> bool,
    /// What a revision of a service did lately.
    pub(super) lately: &'a dyn Fn(&str, u64) -> Numbers,
    /// Works out the routes of an upstream.
    pub(super) work_out: &'a WorkOut<'a>,
    /// Revisions that are kept beside those in use.
    pub(super) keep: usize,
}

/// Makes an upstream, which gets no traffic yet.
type WorkOut<'a> = dyn Fn(&str, UpstreamRecord) -> Result<Declared, Vec<Fault>> + 'a;

/// What a deployment brings.
pub(super) struct Bringing<'a> {
    pub(super) request: &'a DeployRequest,
    /// Service → its component.
    pub(super) prepared: &'a BTreeMap<String, Prepared>,
    /// When, as RFC 3339, UTC.
    pub(super) at: String,
}

/// The state with all that is brought.
///
/// # Errors
///
/// [`Stop::Moved`] where what is linked is not what would be next any more.
pub(super) fn arrive(
    state: &State,
    bringing: &Bringing<'_>,
    linked: &BTreeMap<String, Linked>,
    around: &Around<'_>,
) -> Result<(State, Effects), Stop> {
    let (mut next, mut faults) = plan(state, bringing, around);
    for (service, linked) in linked {
        next.entry(service).take_in(linked)?;
    }
    if faults.is_empty() {
        faults = declare(&mut next, &bringing.request.upstreams, around);
    }
    if !faults.is_empty() {
        return Err(ChangeError::Refused(faults).into());
    }
    Ok(Effects::of(state, next)?)
}

/// The state with new revisions that are not in memory yet, and what keeps them from
/// working together with all others.
pub(super) fn plan(
    state: &State,
    bringing: &Bringing<'_>,
    around: &Around<'_>,
) -> (State, Vec<Fault>) {
    let Bringing {
        request, prepared, ..
    } = bringing;
    let mut next = state.clone();
    for request in &request.services {
        let record = &mut next.entry(&request.service).record;
        let revision = RevisionRecord {
            number: record.newest + 1,
            component: request.component.clone(),
            size: prepared[&request.service].size,
            deployed: bringing.at.clone(),
            settings: request.settings.clone(),
            note: None,
        };
        add(record, revision, request, around);
    }
    let mut upstreams = around.upstreams.clone();
    let declared = request.upstreams.iter();
    upstreams.extend(declared.map(|one| one.upstream.clone()));
    let candidates = candidates(&next, prepared);
    let mut faults = check::faults(&candidates, &present(state), &upstreams);
    for ServiceDeploy { service, .. } in &request.services {
        faults.extend(own_faults(service, &next.services[service].record, around));
    }
    (next, faults)
}

/// Adds the next revision with its share of the traffic, and its rollout if it has one.
fn add(
    record: &mut ServiceRecord,
    revision: RevisionRecord,
    request: &ServiceDeploy,
    around: &Around<'_>,
) {
    let rollout = rollout::begin(record, request, around.lately);
    let stages = request.stages.as_ref();
    let first = stages.and_then(|stages| stages.shares.first().copied());
    record.add(revision, first.or(request.canary));
    record.rollout = rollout;
    record.trim(around.keep);
}

/// What keeps a service's newest revision from being live, whoever is there beside it.
fn own_faults(service: &str, record: &ServiceRecord, around: &Around<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if (around.is_purging)(service) {
        let message = format!(
            "the state of the last {service} is being deleted: deploy it when that is over"
        );
        faults.push(fault(service, "purging", message));
    }
    let newest = record.revision(record.newest).into_iter();
    let overrides = &record.config.overrides;
    faults.extend(newest.flat_map(|one| configure::revision_faults(service, one, overrides)));
    faults
}

/// Every live revision of every service, as it will be.
fn candidates<'a>(next: &'a State, prepared: &'a BTreeMap<String, Prepared>) -> Candidates<'a> {
    let services = next.services.iter().map(|(name, deployed)| {
        let record = &deployed.record;
        let live = record.live.iter().filter_map(|live| {
            let is_newest = live.revision == record.newest;
            let new = prepared.get(name).filter(|_| is_newest);
            let contract: &Contract = match new {
                Some(prepared) => &prepared.contract,
                None => &deployed.loaded.get(&live.revision)?.revision.contract,
            };
            Some(Candidate {
                contract,
                settings: &record.revision(live.revision)?.settings,
                is_new: new.is_some(),
            })
        });
        (name.as_str(), live.collect())
    });
    services.collect()
}

/// Declares upstreams in what becomes the next state; what is declared so already stays.
fn declare(next: &mut State, requests: &[UpstreamDeploy], around: &Around<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut seen = Names::new();
    for UpstreamDeploy { upstream, settings } in requests {
        let is_twice = !seen.insert(upstream.clone());
        if let Err(reason) = service_name(upstream) {
            faults.push(fault(upstream, "service_name", reason));
        } else if is_twice {
            let message = format!("{upstream} is in the deployment more than once");
            faults.push(fault(upstream, "twice", message));
        }
        let before = next.upstreams.get(upstream).map(|one| &one.record);
        if before.is_some_and(|before| before.settings == *settings) {
            continue;
        }
        let record = UpstreamRecord {
            number: before.map_or(0, |before| before.number) + 1,
            settings: settings.clone(),
        };
        match (around.work_out)(upstream, record) {
            Ok(declared) => {
                next.upstreams.insert(upstream.clone(), declared);
            }
            Err(mut found) => faults.append(&mut found),
        }
    }
    let is_upstream =
        |name: &&String| next.upstreams.contains_key(*name) || around.upstreams.contains(*name);
    for name in next.services.keys().filter(is_upstream) {
        let message = format!(
            "{name} is the name of a service and of an upstream: `stoa undeploy {name}` first, or choose another name"
        );
        faults.push(fault(name, "name_taken", message));
    }
    faults
}

// === impl Deployed ===

impl Deployed {
    /// Takes the newest revision in, if it was made as that.
    fn take_in(&mut self, linked: &Linked) -> Result<(), Stop> {
        let number = linked.loaded.revision.number;
        if number != self.record.newest || !self.is_sized(&linked.loaded) {
            return Err(Stop::Moved);
        }
        self.loaded.insert(number, linked.loaded.clone());
        self.overrides = linked.overrides.clone();
        Ok(())
    }
}
