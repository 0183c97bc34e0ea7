//! Deploying: the steps from a request to live services.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::mpsc;

use super::arrive::{Around, Bringing, arrive, plan};
use super::commit::Committed;
use super::effects::Stop;
use super::prepare::{request_faults, warm_all};
use super::progress::Progress;
use super::state::{Linked, Loaded, State};
use super::{ChangeError, Deployments};
use stoa_api::{DeployEvent, DeployRequest, Fault, Step};

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
            Ok((revisions, ending)) => {
                if wait {
                    self.drain(ending, &progress).await;
                } else {
                    self.drain_in_background(ending);
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
        let names = request.services.iter().map(|one| one.service.clone());
        let upstreams = request.upstreams.iter().map(|one| one.upstream.clone());
        let names: Vec<_> = names.chain(upstreams).collect();
        let _begun = self.deploying.begin(names.clone()).await;
        let bringing = Bringing {
            request: &request,
            prepared: &prepared,
            at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        };
        let made = loop {
            match self.bring(&bringing, progress).await {
                Ok(made) => break made,
                Err(Stop::Error(error)) => return Err(error),
                // The state is another than the one that it was made ready for.
                Err(Stop::Moved | Stop::Needs(_)) => {}
            }
        };
        let numbers = names.into_iter().filter_map(|name| {
            let number = made.now.newest(&name)?;
            Some((name, number))
        });
        Ok((numbers.collect(), made.ending))
    }

    /// Makes what is compiled live, if all fits together and starts.
    async fn bring(
        self: &Arc<Self>,
        bringing: &Bringing<'_>,
        progress: &Progress,
    ) -> Result<Committed, Stop> {
        let state = self.state.load_full();
        let services = bringing.request.services.iter();
        let numbers = services.map(|request| {
            let newest = state.newest(&request.service).unwrap_or_default();
            (&request.service, newest + 1)
        });
        let numbers: Vec<_> = numbers.collect();
        let mut linked = BTreeMap::new();
        let made = self.link_and_swap(state, bringing, &mut linked, progress);
        let made = made.await;
        if made.is_err() {
            for one in linked.values() {
                self.announce_failure(&one.loaded).await;
            }
            // It holds what is measured of it.
            drop(linked);
            for (service, number) in numbers {
                self.forget_unless_loaded(service, vec![number]).await;
            }
        }
        made
    }

    /// Links and warms for `state`; what is linked is left in `linked`.
    async fn link_and_swap(
        self: &Arc<Self>,
        state: Arc<State>,
        bringing: &Bringing<'_>,
        linked: &mut BTreeMap<String, Linked>,
        progress: &Progress,
    ) -> Result<Committed, Stop> {
        let services = || bringing.prepared.keys();
        let began = Instant::now();
        services().for_each(|service| progress.started(service, Step::Link));
        let (next, faults) = self.around(|around| plan(&state, bringing, around));
        *linked = self.link_all(next, bringing.prepared, faults)?;
        // Refused before anything of it starts, if it will be.
        self.around(|around| arrive(&state, bringing, linked, around))?;
        self.check_stored(linked).await?;
        // It holds what may be undeployed meanwhile, and what was measured of that.
        drop(state);
        let took = began.elapsed();
        services().for_each(|service| progress.finished(service, Step::Link, took, None));
        for one in linked.values() {
            self.announce_start(&one.loaded).await;
        }
        warm_all(linked.values().map(|one| &one.loaded), progress).await?;
        services().for_each(|service| progress.started(service, Step::Swap));
        let began = Instant::now();
        let change = |state: &State| self.around(|around| arrive(state, bringing, linked, around));
        let made = self.commit(change).await?;
        for one in linked.values() {
            let revision = &one.loaded.revision;
            tracing::info!(
                service.name = &*revision.service,
                service.version = revision.number,
                "deployed"
            );
        }
        let took = began.elapsed();
        services().for_each(|service| progress.finished(service, Step::Swap, took, None));
        Ok(made)
    }

    fn around<T>(&self, run: impl FnOnce(&Around<'_>) -> T) -> T {
        run(&Around {
            upstreams: self.upstream_names(),
            is_purging: &|service| self.purging.has(service),
            lately: &|service, number| self.lately(service, number),
            work_out: &|name, record| self.work_out(name, record),
            keep: self.parts.keep.revisions,
        })
    }
}

// === impl State ===

impl State {
    /// The newest revision of a service, or the number of an upstream.
    fn newest(&self, name: &str) -> Option<u64> {
        let service = self.services.get(name).map(|one| one.record.newest);
        service.or_else(|| self.upstreams.get(name).map(|one| one.number()))
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
