//! From a request to revisions that are loaded, fit together and are warm, before any
//! of them is live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::check;
use super::check::{Candidate, Candidates, Present};
use super::configure;
use super::load::{Prepared, assemble, check_health, compile, health_function, verify, warm};
use super::progress::Progress;
use super::record::RevisionRecord;
use super::state::Services;
use super::{ChangeError, Deployed, Deployments, Loaded, fault};
use stoa_api::upstream::UpstreamDeploy;
use stoa_api::{DeployRequest, Fault, ServiceDeploy, Step};
use stoa_engine::Origin;
use stoa_service::contract::Contract;
use stoa_service::threads::Threads;
use stoa_settings::{SettingFault, Settings, service_name};

impl Deployments {
    /// Reads and compiles what comes, one after the other: each keeps all cores
    /// busy, and several at a time would only need more memory.
    pub(super) async fn prepare_all(
        self: &Arc<Self>,
        services: &[ServiceDeploy],
        progress: &Progress,
    ) -> Result<BTreeMap<String, Prepared>, ChangeError> {
        let mut prepared = BTreeMap::new();
        let mut faults = Vec::new();
        for request in services {
            match self.prepare_one(request, progress).await {
                Ok(one) => {
                    prepared.insert(request.service.clone(), one);
                }
                Err(mut found) => faults.append(&mut found),
            }
        }
        if faults.is_empty() {
            Ok(prepared)
        } else {
            Err(ChangeError::Refused(faults))
        }
    }

    async fn prepare_one(
        self: &Arc<Self>,
        request: &ServiceDeploy,
        progress: &Progress,
    ) -> Result<Prepared, Vec<Fault>> {
        let (deployments, progress) = (self.clone(), progress.clone());
        let (service, digest) = (request.service.clone(), request.component.clone());
        let work = Threads::compile(move || {
            let verified = progress.step(&service, Step::Verify, || {
                verify(&deployments.parts, &service, &digest).map(|verified| (verified, None))
            })?;
            progress.step(&service, Step::Compile, || {
                let prepared = compile(&deployments.parts, &service, &digest, verified)?;
                let note = (prepared.origin == Origin::Cache).then(|| "from cache".to_owned());
                Ok((prepared, note))
            })
        });
        work.await.unwrap_or_else(|| {
            let message = "reading or compiling failed unexpectedly; see the host's log";
            Err(vec![fault(&request.service, "not_compilable", message)])
        })
    }

    /// Checks that all fits together and adds the new revisions to `next`.
    pub(super) fn link_all(
        &self,
        services: &Services,
        next: &mut Services,
        request: &DeployRequest,
        prepared: &BTreeMap<String, Prepared>,
    ) -> Result<Vec<Loaded>, ChangeError> {
        let requests = &request.services;
        for request in requests {
            let deployed = next
                .entry(request.service.clone())
                .or_insert_with(Deployed::empty);
            let revision = RevisionRecord {
                number: deployed.record.newest + 1,
                component: request.component.clone(),
                size: prepared[&request.service].size,
                deployed: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
                settings: request.settings.clone(),
                note: None,
            };
            let record = &mut deployed.record;
            let before = record
                .live
                .first()
                .map(|live| (live.revision, record.previous));
            let stages = request.stages.as_ref();
            let first = stages.and_then(|stages| stages.shares.first().copied());
            record.add(revision, first.or(request.canary));
            record.rollout = before.and_then(|(against, previous)| {
                let settings = &request.settings.rollout;
                let revisions = (record.newest, against, previous);
                self.begin_rollout(&request.service, revisions, stages, settings)
            });
            record.trim(self.parts.keep.revisions);
        }
        let mut upstreams = self.upstream_names();
        upstreams.extend(request.upstreams.iter().map(|one| one.upstream.clone()));
        let candidates = candidates(next, prepared);
        let mut faults = check::faults(&candidates, &present(services), &upstreams);
        // The linker would say the same of them, in its own words.
        let unmet: BTreeSet<_> = faults
            .iter()
            .filter(|fault| UNMET.contains(&&*fault.code))
            .filter_map(|fault| fault.service.clone())
            .collect();
        for request in requests {
            if self.purging.has(&request.service) {
                let message = format!(
                    "the state of the last {} is being deleted: deploy it when that is over",
                    request.service
                );
                faults.push(fault(&request.service, "purging", message));
            }
        }
        let mut fresh = Vec::new();
        for (service, prepared) in prepared {
            let Some(deployed) = next.get_mut(service) else {
                continue;
            };
            let number = deployed.record.newest;
            let Some(record) = deployed.record.revision(number) else {
                continue;
            };
            faults.extend(configure::revision_faults(
                service,
                record,
                &deployed.record.config.overrides,
            ));
            match assemble(
                &self.parts,
                service,
                record,
                prepared,
                deployed.record.scale,
                deployed.overrides.clone(),
            ) {
                Ok(loaded) => {
                    deployed.loaded.insert(number, loaded.clone());
                    fresh.push(loaded);
                }
                Err(found) => {
                    let (linking, found): (Vec<_>, Vec<_>) = found
                        .into_iter()
                        .partition(|fault| fault.code == "not_linkable");
                    faults.extend(found);
                    if linking.is_empty() {
                        continue;
                    }
                    // All of it, where the linker tells the first, in its own words.
                    let lacking = check::lacking(service, &prepared.contract);
                    let is_told = !lacking.is_empty() || unmet.contains(service);
                    faults.extend(if is_told { lacking } else { linking });
                }
            }
        }
        if faults.is_empty() {
            Ok(fresh)
        } else {
            Err(ChangeError::Refused(faults))
        }
    }
}

/// Faults of an import that the linker finds, too.
const UNMET: &[&str] = &["unknown_import", "unlinked_handler", "handles_in_link"];

/// Warms up what is new, one after the other.
///
/// # Errors
///
/// What can't start, of all of it.
pub(super) async fn warm_all(fresh: &[Loaded], progress: &Progress) -> Result<(), ChangeError> {
    let mut faults = Vec::new();
    for loaded in fresh {
        let service = &loaded.revision.service;
        progress.started(service, Step::Warm);
        let began = Instant::now();
        match warm(loaded).await {
            Ok(note) => progress.finished(service, Step::Warm, began.elapsed(), Some(note)),
            Err(mut found) => {
                faults.append(&mut found);
                continue;
            }
        }
        let Some(function) = health_function(loaded) else {
            continue;
        };
        progress.started(service, Step::Health);
        let began = Instant::now();
        match check_health(loaded, function).await {
            Ok(()) => progress.finished(service, Step::Health, began.elapsed(), None),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(ChangeError::Refused(faults))
    }
}

/// Every live revision of every service, as it will be.
fn candidates<'a>(next: &'a Services, prepared: &'a BTreeMap<String, Prepared>) -> Candidates<'a> {
    next.iter()
        .map(|(name, deployed)| {
            let live = deployed.record.live.iter().filter_map(|live| {
                let new = prepared
                    .get(name)
                    .filter(|_| live.revision == deployed.record.newest);
                let contract: &Contract = match new {
                    Some(prepared) => &prepared.contract,
                    None => &deployed.loaded.get(&live.revision)?.revision.contract,
                };
                let settings: &Settings = &deployed.record.revision(live.revision)?.settings;
                Some(Candidate {
                    contract,
                    settings,
                    is_new: new.is_some(),
                })
            });
            (name.as_str(), live.collect())
        })
        .collect()
}

/// What every live revision exports now.
pub(super) fn present(services: &Services) -> Present<'_> {
    let mut present = Present::new();
    for (name, deployed) in services {
        let contracts = deployed
            .live()
            .map(|(_, loaded)| &*loaded.revision.contract);
        present.insert(name, contracts.collect());
    }
    present
}

/// What makes no sense in a request, whatever is deployed.
pub(super) fn request_faults(request: &DeployRequest) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    if request.services.is_empty() && request.upstreams.is_empty() {
        let message = "the deployment names no service".to_owned();
        faults.push(Fault {
            service: None,
            code: "empty".to_owned(),
            message,
        });
    }
    for ServiceDeploy {
        service,
        canary,
        stages,
        settings,
        ..
    } in &request.services
    {
        faults.extend(setting_faults(service, settings.faults()));
        if let Some(stages) = stages {
            if let Err(reason) = stoa_settings::check::stage(stages.every) {
                let message = format!("stages of {service}: `every`: {reason}");
                faults.push(fault(service, "canary", message));
            }
            let ascending = stages.shares.is_sorted_by(|one, next| one < next);
            let range = stages.shares.first() > Some(&0) && stages.shares.last() == Some(&100);
            if !ascending || !range || canary.is_some() {
                let message = format!(
                    "stages of {service}: expected ascending shares from 1 to 100 per cent that end with 100, and no \
                     canary beside them, found {:?}",
                    stages.shares
                );
                faults.push(fault(service, "canary", message));
            }
        }
        if !seen.insert(service) {
            faults.push(fault(
                service,
                "twice",
                format!("{service} is in the deployment more than once"),
            ));
        }
        if let Err(reason) = service_name(service) {
            faults.push(fault(service, "service_name", reason));
        }
        if canary.is_some_and(|share| share == 0 || share > 100) {
            let message = format!("canary of {service}: expected a share from 1 to 100 per cent");
            faults.push(fault(service, "canary", message));
        }
    }
    for UpstreamDeploy { upstream, settings } in &request.upstreams {
        faults.extend(setting_faults(upstream, settings.faults()));
    }
    faults
}

/// What of settings a deployment refuses, as the API tells it.
pub(super) fn setting_faults(service: &str, found: Vec<SettingFault>) -> Vec<Fault> {
    let told = found.into_iter().map(|found| {
        let keys: Vec<_> = found.keys().collect();
        let message = format!("{} of {service}: {}", keys.join("."), found.message);
        fault(service, "settings", message)
    });
    told.collect()
}
