//! What is deployed, and how that changes.
//!
//! ```text
//!  verify ─► compile ─► link ─► warm ─► commit ─► drain
//!  (at any time)        (one deployment   (one    (in the
//!                        at a time)       change)  background)
//! ```
//!
//! A change is a function from the [`state`] to the next one, which knows nothing of the
//! host; [`effects`] are what the way between them asks for, and [`commit`] is the one
//! door by which it goes. It is checked as a whole before anything happens: services that
//! come together may depend on each other in any order. It is written down before it is
//! seen, so a crash at any moment leaves either the old state or the new one. What takes
//! long is made ready before, for the state as it was, and checked again.
//!
//! - [`Deployments`] is the facade; [`state`] is what readers find meanwhile, without
//!   waiting; [`record`] is what is kept on disk;
//! - the changes: [`change`] deploys what [`arrive`] fits in, [`traffic`] moves traffic,
//!   [`scale`] sets sizes, [`configure`] values, [`undeploy`] removes, [`drain`] has
//!   services take no calls, [`breakers`] shows and holds breakers, [`schedules`] pauses
//!   what the clock calls, [`rollout`] walks canaries and swaps back what [`verdict`] finds worse, [`restore`] starts over after
//!   a restart;
//! - [`sweep`] removes what nothing needs any more, [`view`] tells what is there.

mod announce;
mod announce_upstreams;
mod arrive;
mod breakers;
mod candidates;
mod change;
mod check;
mod commit;
mod components;
mod configure;
mod declared;
mod deploying;
mod drain;
mod effects;
mod guest_log;
mod handlers;
mod load;
mod prepare;
mod progress;
mod purging;
mod queues;
mod record;
mod restore;
mod rollout;
mod scale;
mod schedules;
mod state;
mod sweep;
#[cfg(test)]
mod tests;
mod traffic;
mod undeploy;
mod upstream;
mod verdict;
mod view;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
pub use components::{ComponentError, Components};
pub use schedules::ScheduleError;
use state::{Deployed, State};
use stoa_api::Fault;
use stoa_engine::capabilities::outbound::outgoing::Neighbours;
use stoa_engine::capabilities::outbound::trust::Trust;
use stoa_engine::{Runtime, RuntimeError};
use stoa_gateway::Gateway;
use stoa_mesh::discovery::Discovery;
use stoa_mesh::queue::Queues;
use stoa_mesh::upstream::Upstreams;
use stoa_mesh::{Guards, Registry, Schedules};
use stoa_service::contract::ContractFault;
use stoa_service::threads::Threads;
use stoa_settings::config::Keep;
use stoa_settings::config::faults::meant;
use stoa_store::secrets::Secrets;
use stoa_store::{Blobs, Commit, KeyValue, Records, StoreError};
use stoa_telemetry::Telemetry;

/// What the deployments need of the host.
pub struct Parts {
    /// Compiles and links.
    pub runtime: Arc<Runtime>,
    /// Where live revisions are found by other services.
    pub registry: Arc<Registry>,
    /// Services that are no components.
    pub upstreams: Arc<Upstreams>,
    /// Calls that are kept for later.
    pub queues: Arc<Queues>,
    /// What stands before each live revision.
    pub guards: Arc<Guards>,
    /// Functions that the clock calls.
    pub schedules: Arc<Schedules>,
    /// Where members are found by who watches them.
    pub discovery: Arc<Discovery>,
    /// How services reach each other over HTTP.
    pub neighbours: Arc<dyn Neighbours>,
    /// Whose certificates outgoing TLS believes.
    pub trust: Arc<Trust>,
    /// Where routes go.
    pub gateway: Arc<Gateway>,
    /// Uploaded components.
    pub components: Components,
    /// The host's own records.
    pub records: Arc<dyn Records>,
    /// The services' state.
    pub keyvalue: Arc<dyn KeyValue>,
    /// Writes of it and calls of queues in one step.
    pub commits: Arc<dyn Commit>,
    /// The services' blobs.
    pub blobs: Arc<dyn Blobs>,
    /// What services may read of the operator's secrets.
    pub secrets: Arc<Secrets>,
    /// Logs and metrics.
    pub telemetry: Telemetry,
    /// The region that this host serves.
    pub region: Option<Arc<str>>,
    /// Linear memory that an instance may be given at most, in bytes.
    pub max_memory: u64,
    /// What calls run on.
    pub threads: Arc<Threads>,
    /// How much is kept of what is over.
    pub keep: Keep,
}

/// All services of the host.
pub struct Deployments {
    parts: Parts,
    /// What readers find.
    state: ArcSwap<State>,
    /// Held by who makes the next state.
    writers: Arc<tokio::sync::Mutex<()>>,
    deploying: deploying::Deploying,
    /// Held by who makes a revision ready again.
    recalls: tokio::sync::Mutex<()>,
    marks: rollout::Marks,
    purging: purging::Purging,
    /// A record could not be read: nobody knows which components it needs.
    unread: AtomicBool,
}

/// Why a change did not happen. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The change itself is at fault.
    #[error("{}", together(.0))]
    Refused(Vec<Fault>),
    /// There is no such service.
    #[error("there is no service {service:?}{hint}")]
    NoService {
        /// What was asked for.
        service: String,
        /// What may have been meant.
        hint: String,
    },
    /// It is an upstream, and the question is for a service of components.
    #[error(
        "{0} is an upstream, which has no revisions, scale or configuration; `stoa show {0}` tells of it"
    )]
    IsUpstream(String),
    /// None of its revisions could be loaded.
    #[error("no live revision of {0} could be loaded: see the host's log")]
    NotLoaded(String),
    /// There is no such revision.
    #[error("{service} has no revision {revision}{deleted}; it has {known}")]
    NoRevision {
        /// The service.
        service: String,
        /// What was asked for.
        revision: u64,
        /// That there was, if there was.
        deleted: &'static str,
        /// What there is.
        known: String,
    },
    /// Values don't fit what they are for.
    #[error("{}", together(.0))]
    Invalid(Vec<Fault>),
    /// Its configuration has no such keys.
    #[error("{}", together(.0))]
    NoKey(Vec<Fault>),
    /// The client means to change another version than there is.
    #[error(
        "{what} has version {found}, and the change is for another: read it again and decide anew"
    )]
    Stale {
        /// What was to change.
        what: String,
        /// The version that there is.
        found: u64,
    },
    /// There is no such version to go back to.
    #[error("{0}")]
    NoVersion(String),
    /// The disk failed.
    #[error("the change could not be written down: {0}")]
    Store(#[from] StoreError),
}

impl ChangeError {
    /// There is no such service among those that are known.
    fn no_service<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Self {
        Self::NoService {
            service: name.to_owned(),
            hint: meant(name, known, "`stoa ls` lists those that are deployed"),
        }
    }

    /// Which services are at fault, and with what: for who is told the rest elsewhere.
    pub fn in_short(&self) -> String {
        let (Self::Refused(faults) | Self::Invalid(faults) | Self::NoKey(faults)) = self else {
            return self.to_string();
        };
        let short = |fault: &Fault| match &fault.service {
            Some(service) => format!("{service} ({})", fault.code),
            None => fault.code.clone(),
        };
        faults.iter().map(short).collect::<Vec<_>>().join(", ")
    }
}

impl Deployments {
    /// Nothing deployed yet; [`Deployments::restore`] brings back what was.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            state: ArcSwap::default(),
            writers: Arc::default(),
            recalls: tokio::sync::Mutex::default(),
            deploying: deploying::Deploying::default(),
            marks: rollout::Marks::default(),
            purging: purging::Purging::default(),
            unread: AtomicBool::default(),
        })
    }

    /// Uploaded components.
    pub fn components(&self) -> &Components {
        &self.parts.components
    }

    /// The operator's secrets.
    pub fn secrets(&self) -> &Secrets {
        &self.parts.secrets
    }

    /// Ends a window of every pool: drops what its peak did not need, and makes
    /// up for instances of the minimum that were lost.
    pub async fn tend_pools(&self) {
        let snapshot = self.parts.registry.snapshot();
        for live in snapshot.services.values().flat_map(|service| &service.live) {
            live.revision.pool.shrink();
            if let Err(fault) = live.revision.pool.warm().await {
                tracing::warn!(
                    service = &*live.revision.service,
                    "the pool's minimum could not be kept: {fault}"
                );
            }
        }
    }

    /// Whether there is a service or an upstream of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn check_name(&self, name: &str) -> Result<(), ChangeError> {
        self.state.load().check_name(name, &self.upstream_names())
    }

    fn find<'s>(&self, state: &'s State, name: &str) -> Result<&'s Deployed, ChangeError> {
        match state.services.get(name) {
            Some(deployed) => Ok(deployed),
            None => state.find(name, &self.upstream_names()),
        }
    }
}

// === impl Parts ===

impl Parts {
    /// Drops what was counted of a revision that is no longer loaded.
    fn forget(&self, service: &str, revision: u64) {
        // Guards hold what they measure.
        self.guards.forget(service, revision);
        self.telemetry.metrics.forget_revision(service, revision);
    }
}

fn together(faults: &[Fault]) -> String {
    let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
    messages.join("; ")
}

fn fault(service: &str, code: &str, message: impl Into<String>) -> Fault {
    Fault {
        service: Some(service.to_owned()),
        code: code.to_owned(),
        message: message.into(),
    }
}

fn contract_fault(service: &str, refused: &ContractFault) -> Fault {
    fault(service, refused.code.as_str(), refused.message.clone())
}

fn runtime_fault(service: &str, error: &RuntimeError) -> Fault {
    let code = match error {
        RuntimeError::Compile(_) => "not_compilable",
        RuntimeError::Link(_) => "not_linkable",
        RuntimeError::Engine(_) | RuntimeError::Cache(_) | RuntimeError::Clock(_) => "host",
    };
    fault(service, code, error.to_string())
}
