//! Deploying: the steps from a request to live services.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::load::Prepared;
use super::prepare::{request_faults, warm_all};
use super::progress::Progress;
use super::record::KIND;
use super::state::{Services, Turn};
use super::{ChangeError, Deployed, Deployments, Loaded, Parts, table};
use stoa_api::{DeployEvent, DeployRequest, Fault, ServiceDeploy, Step};
use stoa_engine::capabilities::config::Overrides;
use stoa_store::Change;

impl Deployments {
    /// Deploys services together: all of them become live, or none.
    ///
    /// Progress goes to `events`; its last event says how it ended. The deployment
    /// goes on when nobody listens.
    ///
    /// # Errors
    ///
    /// Every fault that was found. Nothing has changed then.
    pub async fn deploy(
        self: &Arc<Self>,
        request: DeployRequest,
        events: mpsc::UnboundedSender<DeployEvent>,
    ) -> Result<BTreeMap<String, u64>, ChangeError> {
        let progress = Progress::new(events, &self.parts.telemetry.metrics);
        let wait = request.wait;
        let deployed = self.run_deploy(request, &progress).await;
        let (result, outcome) = match deployed {
            Ok((revisions, retired)) => {
                if wait {
                    self.drain(retired, &progress).await;
                } else {
                    self.drain_in_background(retired);
                }
                progress.send(DeployEvent::Done {
                    revisions: revisions.clone(),
                });
                ("done", Ok(revisions))
            }
            Err(error) => {
                progress.send(DeployEvent::Refused {
                    faults: faults_of(&error),
                });
                ("refused", Err(error))
            }
        };
        self.parts.telemetry.metrics.deploy_swap(result);
        outcome
    }

    async fn run_deploy(
        self: &Arc<Self>,
        request: DeployRequest,
        progress: &Progress,
    ) -> Result<(BTreeMap<String, u64>, Vec<Loaded>), ChangeError> {
        let faults = request_faults(&request);
        if !faults.is_empty() {
            return Err(ChangeError::Refused(faults));
        }
        let digests = request.services.iter().map(|one| one.component.clone());
        let _pinned = self.parts.components.pin(digests.collect());
        let prepared = self.prepare_all(&request.services, progress).await?;
        // From here on changes come one after the other.
        let mut services = self.services.turn().await;
        let names = request.services.iter().map(|one| one.service.clone());
        let upstreams = request.upstreams.iter().map(|one| one.upstream.clone());
        let _told = self.services.tell(names.chain(upstreams).collect());
        let swapped = self.swap(&mut services, &request, prepared, progress).await;
        if swapped.is_err() {
            self.forget_refused(&services, &request.services);
        }
        swapped
    }

    /// Makes what is compiled live, if all fits together and starts.
    async fn swap(
        self: &Arc<Self>,
        services: &mut Turn<'_>,
        request: &DeployRequest,
        prepared: BTreeMap<String, Prepared>,
        progress: &Progress,
    ) -> Result<(BTreeMap<String, u64>, Vec<Loaded>), ChangeError> {
        let mut next = Services::clone(services);
        let began = Instant::now();
        for service in prepared.keys() {
            progress.started(service, Step::Link);
        }
        let fresh = self.link_all(services, &mut next, request, &prepared)?;
        let declaration = self.declare(&next, &request.upstreams)?;
        let table = table(&next, &declaration.all).map_err(ChangeError::Refused)?;
        for service in prepared.keys() {
            progress.finished(service, Step::Link, began.elapsed(), None);
        }
        for loaded in &fresh {
            self.announce_start(loaded);
        }
        if let Err(error) = warm_all(&fresh, progress).await {
            self.announce_all(services, prepared.keys());
            return Err(error);
        }
        let changed: Vec<String> = prepared.into_keys().collect();
        for service in &changed {
            progress.started(service, Step::Swap);
        }
        let began = Instant::now();
        let kept = self.keep_all(&next, &changed, declaration.records()).await;
        if let Err(error) = kept {
            self.announce_all(services, changed.iter());
            return Err(error);
        }
        let upstreams = declaration.numbers.clone();
        self.adopt(declaration);
        self.publish(&next, &changed, table);
        for loaded in &fresh {
            let revision = &loaded.revision;
            tracing::info!(
                service.name = &*revision.service,
                service.version = revision.number,
                "deployed"
            );
        }
        for service in &changed {
            progress.finished(service, Step::Swap, began.elapsed(), None);
        }
        let retired = self.replace(services, next, &changed);
        for service in &changed {
            self.announce(service, services.get(service), &retired);
        }
        Ok((
            fresh
                .iter()
                .map(|loaded| (loaded.revision.service.to_string(), loaded.revision.number))
                .chain(upstreams)
                .collect(),
            retired,
        ))
    }

    /// Drops the guards and the measurements of revisions that did not become live:
    /// their numbers come again, with settings of their own, or never.
    fn forget_refused(&self, services: &Services, requests: &[ServiceDeploy]) {
        for ServiceDeploy { service, .. } in requests {
            let newest = services
                .get(service)
                .map_or(0, |deployed| deployed.record.newest);
            self.parts.forget(service, newest + 1);
        }
    }

    /// Writes changed services down, all or none.
    pub(super) async fn keep(
        &self,
        next: &Services,
        changed: &[String],
    ) -> Result<(), ChangeError> {
        self.keep_all(next, changed, Vec::new()).await
    }

    /// As [`Deployments::keep`], together with further records.
    pub(super) async fn keep_all(
        &self,
        next: &Services,
        changed: &[String],
        further: Vec<Change>,
    ) -> Result<(), ChangeError> {
        let changes = changed.iter().map(|name| match next.get(name) {
            Some(deployed) => {
                Change::put(KIND, name, &deployed.record).expect("a record's keys are strings")
            }
            None => Change::remove(KIND, name),
        });
        let changes = changes.chain(further).collect();
        Ok(self.parts.records.apply(changes).await?)
    }

    /// Makes `next` the state; returns the revisions that lost their traffic. They
    /// drain from here on: later, when `services` may be another's, one of them may
    /// have its traffic back.
    pub(super) fn replace(
        &self,
        services: &mut Turn<'_>,
        mut next: Services,
        changed: &[String],
    ) -> Vec<Loaded> {
        for name in changed {
            if let Some(deployed) = next.get_mut(name) {
                deployed.unload(&self.parts);
            }
        }
        let before = services.commit(next);
        let mut retired = Vec::new();
        for name in changed {
            let Some(was) = before.get(name) else {
                continue;
            };
            let now = services.get(name).map(|deployed| &deployed.record);
            for (_, loaded) in was.live() {
                if now.is_none_or(|record| record.weight(loaded.revision.number) == 0) {
                    loaded.revision.pool.drain();
                    retired.push(loaded.clone());
                }
            }
        }
        retired
    }

    /// Waits until retired revisions have ended their calls. Each call ends at its
    /// deadline at the latest, so this does.
    pub(super) async fn drain(&self, retired: Vec<Loaded>, progress: &Progress) {
        for loaded in retired {
            let revision = &loaded.revision;
            progress.started(&revision.service, Step::Drain);
            let began = Instant::now();
            revision.pool.settled().await;
            progress.finished(&revision.service, Step::Drain, began.elapsed(), None);
            self.announce_end(&loaded).await;
            let service = revision.service.clone();
            // It held its links while it drained.
            drop(loaded);
            self.parts.telemetry.metrics.forget_unused(&service);
        }
    }

    /// As [`Deployments::drain`], when nobody waits for it.
    pub(super) fn drain_in_background(self: &Arc<Self>, retired: Vec<Loaded>) {
        let deployments = self.clone();
        tokio::spawn(async move {
            deployments
                .drain(
                    retired,
                    &Progress::silent(&deployments.parts.telemetry.metrics),
                )
                .await
        });
    }
}

// === impl Deployed ===

impl Deployed {
    pub(super) fn empty() -> Self {
        Self {
            record: super::ServiceRecord::default(),
            loaded: BTreeMap::new(),
            overrides: Overrides::default(),
        }
    }

    /// Keeps in memory what is live, and what was: a rollback to it is a swap.
    fn unload(&mut self, parts: &Parts) {
        let record = &self.record;
        self.loaded.retain(|number, loaded| {
            let keep = record.weight(*number) > 0 || record.previous == Some(*number);
            if !keep {
                parts.forget(&loaded.revision.service, *number);
            }
            keep
        });
    }
}

/// What went wrong, as the API tells it.
pub(super) fn faults_of(error: &ChangeError) -> Vec<Fault> {
    match error {
        ChangeError::Refused(faults) => faults.clone(),
        other => vec![Fault {
            service: None,
            code: "host".to_owned(),
            message: other.to_string(),
        }],
    }
}
