//! From a request to revisions that are loaded, fit together and are warm, before any
//! of them is live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::check;
use super::load::{
    Prepared, Recipe, assemble, check_health, compile, health_function, verify, warm,
};
use super::progress::Progress;
use super::record::RevisionRecord;
use super::state::{Deployed, Linked, Loaded, State};
use super::{ChangeError, Deployments, fault};
use stoa_api::upstream::UpstreamDeploy;
use stoa_api::{DeployRequest, Fault, ServiceDeploy, Step};
use stoa_engine::Origin;
use stoa_engine::capabilities::config::Overrides;
use stoa_service::threads::Threads;
use stoa_settings::{SettingFault, service_name};

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

    /// Links the newest revisions of these services, as `next` has them.
    ///
    /// # Errors
    ///
    /// All `faults`, which were found before, and those of linking.
    pub(super) fn link_all(
        &self,
        next: State,
        prepared: &BTreeMap<String, Prepared>,
        mut faults: Vec<Fault>,
    ) -> Result<BTreeMap<String, Linked>, ChangeError> {
        // The linker would say the same of them, in its own words.
        let unmet = faults.iter().filter(|fault| UNMET.contains(&&*fault.code));
        let unmet: BTreeSet<_> = unmet.filter_map(|fault| fault.service.clone()).collect();
        let mut linked = BTreeMap::new();
        for (service, prepared) in prepared {
            match self.link(service, &next.services[service], prepared) {
                Ok(one) => {
                    linked.insert(service.clone(), one);
                }
                Err(found) => {
                    let is_told = unmet.contains(service);
                    faults.extend(linking_faults(service, prepared, found, is_told));
                }
            }
        }
        if faults.is_empty() {
            Ok(linked)
        } else {
            Err(ChangeError::Refused(faults))
        }
    }

    fn link(
        &self,
        service: &str,
        deployed: &Deployed,
        prepared: &Prepared,
    ) -> Result<Linked, Vec<Fault>> {
        let Deployed {
            record, overrides, ..
        } = deployed;
        let newest = record.revision(record.newest);
        let newest = newest.expect("a deployment adds the newest revision");
        let recipe = Recipe {
            service: service.into(),
            record: newest,
            scale: record.scale,
            overrides: Overrides::clone(overrides),
        };
        let loaded = assemble(&self.parts, prepared, recipe)?;
        let overrides = overrides.clone();
        Ok(Linked { loaded, overrides })
    }

    /// A revision that was deployed before, ready to serve.
    pub(super) async fn revive(
        self: &Arc<Self>,
        service: &str,
        deployed: &Deployed,
        revision: &RevisionRecord,
    ) -> Result<Loaded, ChangeError> {
        let (deployments, name) = (self.clone(), service.to_owned());
        let (scale, overrides) = (deployed.record.scale, Overrides::clone(&deployed.overrides));
        let revision = revision.clone();
        let assembled = Threads::compile(move || {
            let (parts, digest) = (&deployments.parts, &revision.component);
            let verified = verify(parts, &name, digest)?;
            let prepared = compile(parts, &name, digest, verified)?;
            let recipe = Recipe {
                service: name.into(),
                record: &revision,
                scale,
                overrides,
            };
            assemble(parts, &prepared, recipe)
        });
        let loaded = assembled.await.unwrap_or_else(|| {
            let message = format!("{service} could not be loaded; see the host's log");
            Err(vec![fault(service, "not_compilable", message)])
        });
        let loaded = loaded.map_err(ChangeError::Refused)?;
        warm(&loaded).await.map_err(ChangeError::Refused)?;
        if let Some(function) = health_function(&loaded) {
            let checked = check_health(&loaded, function).await;
            checked.map_err(|fault| ChangeError::Refused(vec![fault]))?;
        }
        Ok(loaded)
    }
}

/// What is told of a component that can't be linked.
fn linking_faults(
    service: &str,
    prepared: &Prepared,
    found: Vec<Fault>,
    is_told: bool,
) -> Vec<Fault> {
    let is_linking = |fault: &Fault| fault.code == "not_linkable";
    let (linking, mut faults): (Vec<_>, Vec<_>) = found.into_iter().partition(is_linking);
    if !linking.is_empty() {
        // All of it, where the linker tells the first, in its own words.
        let lacking = check::lacking(service, &prepared.contract);
        let is_told = is_told || !lacking.is_empty();
        faults.extend(if is_told { lacking } else { linking });
    }
    faults
}

/// Faults of an import that the linker finds, too.
const UNMET: &[&str] = &["unknown_import", "unlinked_handler", "handles_in_link"];

/// Warms up what is new, one after the other.
///
/// # Errors
///
/// What can't start, of all of it.
pub(super) async fn warm_all<'l>(
    fresh: impl Iterator<Item = &'l Loaded>,
    progress: &Progress,
) -> Result<(), ChangeError> {
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
