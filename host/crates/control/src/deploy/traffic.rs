//! Who gets the traffic of what is deployed already: weights, promote, rollback.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::check;
use super::commit::Committed;
use super::configure;
use super::effects::{Effects, Stop};
use super::record::{LiveRecord, ServiceRecord};
use super::state::{Linked, Names, State};
use super::{ChangeError, Deployments, fault};
use stoa_api::{TrafficReply, TrafficRequest};

/// What is there for a change of traffic beside the state.
pub(super) struct Ready<'a> {
    /// The names of all upstreams.
    pub(super) upstreams: &'a Names,
    /// Revisions of the service that are in memory for this change.
    pub(super) loaded: &'a BTreeMap<u64, Linked>,
}

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
        self.check_kept(service, request).await?;
        let change = |state: &State, ready: &Ready<'_>| traffic(state, service, request, ready);
        let made = self.shift(service, change).await?;
        let state = made.map_or_else(|| self.state.load_full(), |made| made.now);
        let deployed = state.services.get(service);
        Ok(TrafficReply {
            live: deployed.map_or_else(Vec::new, |deployed| deployed.live_revisions()),
            micros: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        })
    }

    /// Checks that the calls which are kept for a service fit the revisions in memory that
    /// are to get its traffic.
    async fn check_kept(&self, service: &str, request: &TrafficRequest) -> Result<(), ChangeError> {
        let state = self.state.load_full();
        let deployed = state.find(service, &self.upstream_names())?;
        for live in wanted(service, &deployed.record, request)? {
            let is_fresh = deployed.record.weight(live.revision) == 0;
            if let Some(loaded) = deployed.loaded.get(&live.revision).filter(|_| is_fresh) {
                self.check_recalled(&loaded.revision).await?;
            }
        }
        Ok(())
    }

    /// Makes a change of traffic. Revisions that it needs are brought into memory first,
    /// while others change what they like. `None` when it was for what is no longer so.
    pub(super) async fn shift(
        self: &Arc<Self>,
        service: &str,
        change: impl Fn(&State, &Ready<'_>) -> Result<(State, Effects), Stop>,
    ) -> Result<Option<Committed>, ChangeError> {
        let mut loaded = BTreeMap::new();
        let mut recalls = None;
        let made = loop {
            let made = self.change(|state| {
                let ready = Ready {
                    upstreams: &self.upstream_names(),
                    loaded: &loaded,
                };
                change(state, &ready)
            });
            match made.await {
                Ok(made) => break Ok(Some(made)),
                Err(Stop::Moved) => break Ok(None),
                Err(Stop::Error(error)) => break Err(error),
                // Another may be about to make it ready: both would have one gate.
                Err(Stop::Needs(_)) if recalls.is_none() => {
                    recalls = Some(self.recalls.lock().await);
                }
                Err(Stop::Needs(number)) => match self.recall(service, number).await {
                    Ok(one) => drop(loaded.insert(number, one)),
                    Err(error) => break Err(error),
                },
            };
        };
        if let Ok(Some(made)) = &made {
            made.now.warn_of_config(service);
        }
        if !loaded.is_empty() {
            let numbers = loaded.into_keys().collect();
            self.forget_unless_loaded(service, numbers).await;
        }
        made
    }

    /// A revision that was deployed before, in memory.
    async fn recall(self: &Arc<Self>, service: &str, number: u64) -> Result<Linked, ChangeError> {
        let state = self.state.load_full();
        let deployed = state.find(service, &self.upstream_names())?.clone();
        // It holds what may be undeployed meanwhile, and what was measured of that.
        drop(state);
        let Some(revision) = deployed.record.revision(number) else {
            return Err(no_revision(service, &deployed.record, number));
        };
        let overrides = deployed.overrides.clone();
        let loaded = self.revive(service, &deployed, revision).await?;
        Ok(Linked { loaded, overrides })
    }
}

/// The traffic as an operator wants it, which ends what the host was about to do.
pub(super) fn traffic(
    state: &State,
    service: &str,
    request: &TrafficRequest,
    ready: &Ready<'_>,
) -> Result<(State, Effects), Stop> {
    let deployed = state.find(service, ready.upstreams)?;
    let live = wanted(service, &deployed.record, request)?;
    shift(state, service, ready, |record| {
        record.set_live(live);
        record.rollout = None;
    })
}

/// Gives the traffic of a service to others, as `edit` writes it into its record.
pub(super) fn shift(
    state: &State,
    service: &str,
    ready: &Ready<'_>,
    edit: impl FnOnce(&mut ServiceRecord),
) -> Result<(State, Effects), Stop> {
    let mut next = state.clone();
    let deployed = next.find_mut(service, ready.upstreams)?;
    edit(&mut deployed.record);
    for live in &deployed.record.live {
        let number = live.revision;
        if deployed.loaded.contains_key(&number) {
            continue;
        }
        let is_of = |one: &&Linked| deployed.is_of(one);
        match ready.loaded.get(&number).filter(is_of) {
            Some(one) => deployed.loaded.insert(number, one.loaded.clone()),
            None => return Err(Stop::Needs(number)),
        };
    }
    check::fit(state, &next, service, ready.upstreams)?;
    Ok(Effects::of(state, next)?)
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

// === impl State ===

impl State {
    /// Says where a live revision does not take what an operator set since it was live.
    fn warn_of_config(&self, service: &str) {
        let Some(deployed) = self.services.get(service) else {
            return;
        };
        let record = &deployed.record;
        let live = record
            .live
            .iter()
            .filter_map(|live| record.revision(live.revision));
        for revision in live {
            for reason in configure::misfits(revision, &record.config.overrides) {
                tracing::warn!(
                    service.name = service,
                    service.version = revision.number,
                    "its configuration does not fit its schema: {reason}"
                );
            }
        }
    }
}
