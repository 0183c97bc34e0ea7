//! All upstreams by name: what is declared, and what joins and leaves.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::eviction::SWEEP;
use super::instance::{Registration, Status};
use super::watch::{Forces, Watch};
use super::{HttpClient, Members, Upstream, health};
use crate::breaker::Forced;
use crate::gate::Gate;
use crate::intake::Intakes;
use stoa_engine::capabilities::outbound::trust::Trust;
use stoa_settings::config::faults::meant;
use stoa_settings::upstream::{UpstreamSettings, target};
use stoa_telemetry::Metrics;

/// Unused connections are closed before the servers of most frameworks close theirs,
/// which would race with the next request: Node's and uvicorn's do after 5 s.
const IDLE: Duration = Duration::from_secs(4);
/// Unused connections kept for each instance.
const IDLE_CONNECTIONS: usize = 64;

/// Instances of all upstreams at most: far above any fleet behind one host.
const MOST: usize = 10_000;

/// All upstreams.
pub struct Upstreams {
    current: ArcSwap<BTreeMap<Arc<str>, Arc<Upstream>>>,
    change: Mutex<()>,
    changed: watch::Sender<u64>,
    forces: Forces,
    intakes: Intakes,
    trust: Arc<Trust>,
    metrics: Arc<Metrics>,
}

/// What a client speaks.
#[derive(Clone, Copy)]
enum Versions {
    /// As the server has it; unused connections are kept.
    All,
    /// HTTP/1.1, on a connection for each request.
    Http1,
}

/// No instance of that name has joined: its holder should join anew.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{upstream} has no instance {id:?} that joined{hint}")]
pub struct NotRegistered {
    /// The upstream.
    pub upstream: String,
    /// The instance.
    pub id: String,
    /// What may have been meant.
    pub hint: String,
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all().keys()).finish()
    }
}

impl Upstreams {
    /// None yet; which of them take requests is said by `intakes`.
    pub fn new(trust: Arc<Trust>, metrics: Arc<Metrics>, intakes: Intakes) -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwap::default(),
            change: Mutex::default(),
            changed: watch::Sender::default(),
            forces: Forces::default(),
            intakes,
            trust,
            metrics,
        })
    }

    /// An upstream by its name.
    pub fn get(&self, name: &str) -> Option<Arc<Upstream>> {
        self.current.load().get(name).cloned()
    }

    /// All of them, by name.
    pub fn all(&self) -> Arc<BTreeMap<Arc<str>, Arc<Upstream>>> {
        self.current.load_full()
    }

    /// Counts what joins, leaves and changes its state.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Makes an upstream, which gets no traffic before it is published. It has the
    /// members of the one of its name.
    pub fn make(&self, name: &str, number: u64, settings: &UpstreamSettings) -> Arc<Upstream> {
        let known = self.get(name).map(|before| before.members.clone());
        let members = || Arc::new(Members::new(self.watch(name)));
        Arc::new(Upstream {
            name: Arc::from(name),
            number,
            settings: settings.clone(),
            gate: Arc::new(Gate::of(self.intakes.of(name))),
            members: known.unwrap_or_else(members),
            client: self.client(settings, Versions::All),
            switching: self.client(settings, Versions::Http1),
            room: Arc::new(Semaphore::new(settings.limits.connections as usize)),
        })
    }

    fn client(&self, settings: &UpstreamSettings, versions: Versions) -> HttpClient {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(settings.limits.connect));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(self.trust.client_config())
            .https_or_http();
        let (connector, kept) = match versions {
            Versions::All => (
                connector.enable_all_versions().wrap_connector(http),
                IDLE_CONNECTIONS,
            ),
            Versions::Http1 => (connector.enable_http1().wrap_connector(http), 0),
        };
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(kept)
            .build(connector)
    }

    /// Replaces upstreams, or removes those with `None`.
    pub fn publish(&self, changes: BTreeMap<String, Option<Arc<Upstream>>>) {
        self.update(|all| {
            for (name, change) in changes {
                let Some(upstream) = change else {
                    if let Some(gone) = all.remove(name.as_str()) {
                        gone.members.dismiss();
                    }
                    continue;
                };
                let targets = upstream.settings.targets.iter();
                let targets: Vec<_> = targets.filter_map(|text| target(text).ok()).collect();
                let breaker = &upstream.settings.breaker;
                upstream.members.declare(&targets, breaker);
                health::begin(&upstream);
                all.insert(upstream.name.clone(), upstream);
            }
        });
    }

    /// Adds an instance, or replaces the one of its name. An upstream that nobody
    /// declared is there as long as it has instances.
    ///
    /// # Errors
    ///
    /// What is wrong with the registration.
    pub fn join(&self, name: &str, id: &str, registration: &Registration) -> Result<(), String> {
        let known = self.get(name).and_then(|one| one.members.get(id)).is_some();
        let counts = self.all();
        let counts = counts.values().map(|upstream| upstream.members.all().len());
        if !known && counts.sum::<usize>() >= MOST {
            return Err(format!(
                "this host has {MOST} instances of upstreams, which is the most"
            ));
        }
        if self.get(name).is_none() {
            let settings = UpstreamSettings::default();
            let made = self.make(name, 0, &settings);
            made.members
                .join(id, registration, &settings.breaker, Instant::now())?;
            self.update(|all| {
                all.entry(made.name.clone()).or_insert(made);
            });
        }
        if let Some(upstream) = self.get(name) {
            let breaker = &upstream.settings.breaker;
            upstream
                .members
                .join(id, registration, breaker, Instant::now())?;
        }
        self.tell();
        tracing::info!(upstream = name, instance = id, "an instance joined");
        Ok(())
    }

    /// Renews an instance's lease, and takes what it says of itself.
    ///
    /// # Errors
    ///
    /// When it has not joined, or was evicted.
    pub fn heartbeat(
        &self,
        name: &str,
        id: &str,
        status: Option<Status>,
    ) -> Result<(), NotRegistered> {
        let instance = self.instance(name, id)?;
        instance.renew(Instant::now());
        if let Some(status) = status {
            let before = instance.status();
            instance.report(status);
            if instance.status() != before {
                self.tell();
            }
        }
        Ok(())
    }

    /// Holds an instance at a state, or with `None` ends that.
    ///
    /// # Errors
    ///
    /// When there is no such instance.
    pub fn force(&self, name: &str, id: &str, status: Option<Status>) -> Result<(), NotRegistered> {
        self.instance(name, id)?.force(status);
        self.tell();
        Ok(())
    }

    /// Holds the breakers of all instances of an upstream, those of later ones too, or
    /// with `None` lets them go.
    pub fn hold_breakers(&self, name: &str, forced: Option<Forced>) {
        {
            let mut forces = self.forces.lock().unwrap_or_else(PoisonError::into_inner);
            match forced {
                Some(forced) => forces.insert(name.to_owned(), forced),
                None => forces.remove(name),
            };
        }
        if let Some(upstream) = self.get(name) {
            upstream.members.hold();
        }
    }

    /// Removes an instance that joined.
    ///
    /// # Errors
    ///
    /// When there is no such instance.
    pub fn leave(&self, name: &str, id: &str) -> Result<(), NotRegistered> {
        let left = self.get(name).is_some_and(|one| one.members.leave(id));
        if !left {
            return Err(self.not_registered(name, id));
        }
        self.forget_empty();
        self.tell();
        tracing::info!(upstream = name, instance = id, "an instance left");
        Ok(())
    }

    /// Ends leases that are over, every few seconds, until the upstreams are gone.
    pub fn begin_sweeps(self: &Arc<Self>) {
        let upstreams: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut sweeps = tokio::time::interval(SWEEP);
            loop {
                sweeps.tick().await;
                let Some(upstreams) = upstreams.upgrade() else {
                    return;
                };
                upstreams.sweep();
            }
        });
    }

    fn sweep(&self) {
        let mut evicted = false;
        for (name, upstream) in self.all().iter() {
            let swept = upstream.members.sweep(Instant::now());
            for id in &swept.evicted {
                evicted = true;
                tracing::warn!(
                    upstream = &**name,
                    instance = id,
                    "evicted: its lease is over"
                );
            }
            if let Some(stale) = swept.stale {
                tracing::warn!(
                    upstream = &**name,
                    stale = stale.as_secs(),
                    "nobody renews a lease: the last known instances are kept"
                );
            }
        }
        if evicted {
            self.forget_empty();
            self.tell();
        }
    }

    fn instance(&self, name: &str, id: &str) -> Result<Arc<super::Instance>, NotRegistered> {
        self.get(name)
            .and_then(|upstream| upstream.members.get(id))
            .ok_or_else(|| self.not_registered(name, id))
    }

    fn not_registered(&self, name: &str, id: &str) -> NotRegistered {
        let members = self.get(name).map(|upstream| upstream.members.all());
        let known = members.iter().flat_map(|members| members.iter());
        let known = known.map(|member| member.id.as_str());
        NotRegistered {
            upstream: name.to_owned(),
            id: id.to_owned(),
            hint: meant(id, known, "join with PUT first"),
        }
    }

    fn watch(&self, name: &str) -> Watch {
        Watch {
            upstream: Arc::from(name),
            metrics: self.metrics.clone(),
            changed: self.changed.clone(),
            forces: self.forces.clone(),
        }
    }

    fn forget_empty(&self) {
        self.update(|all| {
            all.retain(|_, upstream| upstream.number > 0 || !upstream.members.all().is_empty());
        });
    }

    fn update(&self, change: impl FnOnce(&mut BTreeMap<Arc<str>, Arc<Upstream>>)) {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.current.load().as_ref().clone();
        change(&mut all);
        self.current.store(Arc::new(all));
        self.tell();
    }

    /// Tells who counts the changes of one more.
    pub fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
