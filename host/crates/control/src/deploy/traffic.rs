//! Changes of what is deployed already: who gets the traffic, how large the
//! pools are, and the end of a service.

use std::sync::Arc;
use std::time::Instant;

use super::check::{self, Candidate, Candidates};
use super::configure;
use super::load::{assemble, check_health, compile, health_function, verify, warm};
use super::prepare::{present, setting_faults};
use super::progress::Progress;
use super::record::{LiveRecord, ScaleRecord, ServiceRecord};
use super::state::{Services, Turn};
use super::{ChangeError, Deployed, Deployments, Loaded, breakers, drain, fault, table};
use stoa_api::{Fault, PoolState, ScaleRequest, TrafficReply, TrafficRequest};
use stoa_engine::capabilities::config::Overrides;
use stoa_service::threads::Threads;
use stoa_settings::Pool;

impl Deployments {
    /// Moves traffic between revisions of a service: weights, promote, rollback.
    ///
    /// # Errors
    ///
    /// When the service or a revision is not there, the weights don't add up, or
    /// other services would break. Nothing has changed then.
    pub async fn traffic(
        self: &Arc<Self>,
        service: &str,
        request: &TrafficRequest,
    ) -> Result<TrafficReply, ChangeError> {
        let began = Instant::now();
        let mut services = self.services.turn().await;
        let deployed = self.find(&services, service)?;
        let live = wanted(service, &deployed.record, request)?;
        // An operator's change ends what the host was about to do.
        let edit = |record: &mut ServiceRecord| record.rollout = None;
        self.shift(&mut services, service, live, edit).await?;
        let live = services[service].live_revisions();
        Ok(TrafficReply {
            live,
            micros: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        })
    }

    /// Gives the traffic of a service to `live`, and changes its record with `edit`.
    pub(super) async fn shift(
        self: &Arc<Self>,
        services: &mut Turn<'_>,
        service: &str,
        live: Vec<LiveRecord>,
        edit: impl FnOnce(&mut ServiceRecord),
    ) -> Result<(), ChangeError> {
        let mut next = Services::clone(services);
        let Some(deployed) = next.get_mut(service) else {
            return self.find(services, service).map(|_| ());
        };
        for one in &live {
            self.load(service, deployed, one.revision).await?;
            warn_of_config(service, &deployed.record, one.revision);
        }
        deployed.record.set_live(live);
        edit(&mut deployed.record);
        let faults = self.misfits(&candidates(&next, service), services);
        if !faults.is_empty() {
            return Err(ChangeError::Refused(faults));
        }
        let table = table(&next, &self.declared()).map_err(ChangeError::Refused)?;
        for (_, loaded) in next[service].live() {
            loaded.revision.pool.resume();
        }
        let changed = [service.to_owned()];
        self.keep(&next, &changed).await?;
        self.publish(&next, &changed, table);
        let retired = self.replace(services, next, &changed);
        self.announce(service, services.get(service), &retired);
        self.drain_in_background(retired);
        Ok(())
    }

    /// Changes the size of a service's pools, at once and for later revisions too.
    ///
    /// # Errors
    ///
    /// When the service is not there, or the size makes no sense.
    pub async fn scale(
        &self,
        service: &str,
        request: &ScaleRequest,
    ) -> Result<PoolState, ChangeError> {
        let mut services = self.services.turn().await;
        let deployed = self.find(&services, service)?;
        let mut next = Services::clone(&services);
        let (min, max) = deployed.bounds();
        let (min, max) = (request.min.unwrap_or(min), request.max.unwrap_or(max));
        let size = Pool {
            min,
            max,
            ..Pool::default()
        };
        let faults = setting_faults(service, size.size_faults());
        if !faults.is_empty() {
            return Err(ChangeError::Refused(faults));
        }
        if let Some(deployed) = next.get_mut(service) {
            deployed.record.scale = Some(ScaleRecord { min, max });
        }
        self.keep(&next, &[service.to_owned()]).await?;
        services.commit(next);
        let deployed = &services[service];
        for loaded in deployed.loaded.values() {
            loaded.revision.pool.scale(min, max);
        }
        for (_, loaded) in deployed.live() {
            if let Err(error) = loaded.revision.pool.warm().await {
                let message = format!("{service} can't be scaled: {error}");
                return Err(ChangeError::Refused(vec![fault(
                    service,
                    "unhealthy",
                    message,
                )]));
            }
        }
        Ok(deployed.pool_state())
    }

    /// Removes a service. Its state stays unless it is purged.
    ///
    /// # Errors
    ///
    /// When the service is not there, or others depend on it.
    pub async fn undeploy(self: &Arc<Self>, service: &str, purge: bool) -> Result<(), ChangeError> {
        let mut services = self.services.turn().await;
        if !services.contains_key(service) {
            let undeclared = self.undeclare(&services, service).await;
            undeclared.unwrap_or_else(|| self.find(&services, service).map(|_| ()))?;
            if purge {
                self.parts.gateway.forget_answers(service).await?;
            }
            return Ok(());
        }
        let mut next = Services::clone(&services);
        next.remove(service);
        let faults = self.misfits(&candidates(&next, service), &services);
        if !faults.is_empty() {
            return Err(ChangeError::Refused(faults));
        }
        let table = table(&next, &self.declared()).map_err(ChangeError::Refused)?;
        let changed = [service.to_owned()];
        let further = vec![breakers::released(service), drain::released(service)];
        self.keep_all(&next, &changed, further).await?;
        self.publish(&next, &changed, table);
        let loaded: Vec<u64> = services[service].loaded.keys().copied().collect();
        let retired = self.replace(&mut services, next, &changed);
        self.announce(service, None, &retired);
        // Before a service of its name may come: it begins with these numbers again.
        self.release_breakers(service);
        self.release_drain(service);
        for number in loaded {
            self.parts.forget(service, number);
        }
        // Draining may take as long as a call: other changes need not wait.
        drop(services);
        if purge {
            self.drain(retired, &Progress::silent(&self.parts.telemetry.metrics))
                .await;
            self.purge(service).await?;
        } else {
            self.drain_in_background(retired);
        }
        Ok(())
    }

    /// What keeps these services from working together, after those that are live now.
    fn misfits(&self, candidates: &Candidates<'_>, services: &Services) -> Vec<Fault> {
        check::faults(candidates, &present(services), &self.upstream_names())
    }

    /// Deletes what a service that is gone has left, unless one of its name has come.
    async fn purge(&self, service: &str) -> Result<(), ChangeError> {
        let purging = {
            let services = self.services.turn().await;
            if services.contains_key(service) {
                tracing::warn!("{service} is there again: its state stays");
                return Ok(());
            }
            // None of its name comes before this is over; other changes need not wait.
            self.purging.begin(service)
        };
        self.parts.keyvalue.purge(service).await?;
        self.parts.gateway.forget_answers(service).await?;
        drop(purging);
        Ok(())
    }

    /// Gets a revision into memory; one that is there already costs nothing.
    async fn load(
        self: &Arc<Self>,
        service: &str,
        deployed: &mut Deployed,
        number: u64,
    ) -> Result<(), ChangeError> {
        if deployed.loaded.contains_key(&number) {
            return Ok(());
        }
        let Some(record) = deployed.record.revision(number) else {
            return Err(no_revision(service, &deployed.record, number));
        };
        let loaded = self
            .revive(
                service,
                record.clone(),
                deployed.record.scale,
                deployed.overrides.clone(),
            )
            .await?;
        deployed.loaded.insert(number, loaded);
        Ok(())
    }

    /// A revision that was deployed before, ready to serve.
    pub(super) async fn revive(
        self: &Arc<Self>,
        service: &str,
        record: super::record::RevisionRecord,
        scale: Option<ScaleRecord>,
        overrides: Overrides,
    ) -> Result<Loaded, ChangeError> {
        let deployments = self.clone();
        let name = service.to_owned();
        let assembled = Threads::compile(move || {
            let verified = verify(&deployments.parts, &name, &record.component)?;
            let prepared = compile(&deployments.parts, &name, &record.component, verified)?;
            assemble(
                &deployments.parts,
                &name,
                &record,
                &prepared,
                scale,
                overrides,
            )
        });
        let loaded = match assembled.await {
            Some(loaded) => loaded.map_err(ChangeError::Refused)?,
            None => {
                let message = format!("{service} could not be loaded; see the host's log");
                return Err(ChangeError::Refused(vec![fault(
                    service,
                    "not_compilable",
                    message,
                )]));
            }
        };
        warm(&loaded).await.map_err(ChangeError::Refused)?;
        if let Some(function) = health_function(&loaded) {
            let checked = check_health(&loaded, function).await;
            checked.map_err(|fault| ChangeError::Refused(vec![fault]))?;
        }
        Ok(loaded)
    }
}

/// The live revisions that a request asks for.
fn wanted(
    service: &str,
    record: &ServiceRecord,
    request: &TrafficRequest,
) -> Result<Vec<LiveRecord>, ChangeError> {
    let all = |revision| {
        Ok(vec![LiveRecord {
            revision,
            weight: 100,
        }])
    };
    let refuse = |message: String| {
        Err(ChangeError::Refused(vec![fault(
            service, "traffic", message,
        )]))
    };
    match request {
        TrafficRequest::Promote => match record.live.iter().map(|live| live.revision).max() {
            Some(newest) => all(newest),
            None => refuse(format!("{service} has no live revision")),
        },
        TrafficRequest::Rollback { to: Some(revision) } => match record.revision(*revision) {
            Some(_) => all(*revision),
            None => Err(no_revision(service, record, *revision)),
        },
        // A canary is the change to take back before the one that was promoted.
        TrafficRequest::Rollback { to: None } if record.live.len() > 1 => {
            all(record.live[0].revision)
        }
        TrafficRequest::Rollback { to: None } => match record.previous {
            Some(previous) => all(previous),
            None => refuse(format!("{service} has had no other revision to go back to")),
        },
        TrafficRequest::Weights(weights) => {
            if let Some(unknown) = weights
                .keys()
                .find(|revision| record.revision(**revision).is_none())
            {
                return Err(no_revision(service, record, *unknown));
            }
            let sum: u32 = weights.values().map(|weight| u32::from(*weight)).sum();
            if sum != 100 {
                return refuse(format!(
                    "weights of {service}: expected them to add up to 100, found {sum}"
                ));
            }
            Ok(weights
                .iter()
                .map(|(revision, weight)| LiveRecord {
                    revision: *revision,
                    weight: *weight,
                })
                .collect())
        }
    }
}

/// Says where a revision does not take what an operator set since it was live.
fn warn_of_config(service: &str, record: &ServiceRecord, number: u64) {
    let misfits = record
        .revision(number)
        .map(|revision| configure::misfits(revision, &record.config.overrides));
    for reason in misfits.into_iter().flatten() {
        tracing::warn!(
            service.name = service,
            service.version = number,
            "its configuration does not fit its schema: {reason}"
        );
    }
}

/// What will be live, with the changed service as the newcomer.
pub(super) fn candidates<'a>(next: &'a Services, changed: &str) -> Candidates<'a> {
    next.iter()
        .map(|(name, deployed)| {
            let candidate = |loaded: &'a Loaded| Candidate {
                contract: &loaded.revision.contract,
                settings: &loaded.revision.settings,
                is_new: name == changed,
            };
            (
                name.as_str(),
                deployed
                    .live()
                    .map(|(_, loaded)| candidate(loaded))
                    .collect(),
            )
        })
        .collect()
}

fn no_revision(service: &str, record: &ServiceRecord, revision: u64) -> ChangeError {
    let known: Vec<_> = record
        .revisions
        .iter()
        .map(|revision| revision.number.to_string())
        .collect();
    ChangeError::NoRevision {
        service: service.to_owned(),
        revision,
        deleted: match (1..=record.newest).contains(&revision) {
            true => " any more: the oldest are deleted (setting keep.revisions of the host)",
            false => "",
        },
        known: known.join(", "),
    }
}
