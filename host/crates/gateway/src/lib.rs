//! HTTP in front of the services.
//!
//! ```text
//!  accept ─► (tls) ─► connection ─► handle ─► table: method + host + path ─► plan
//!                             │                                              │
//!                             │     stage ─► stage ─► … ─► serve: function │ handler │ upstream
//!                             ◄── finish ◄── stage ◄── …     │
//!                                       respond: the one place that picks a status
//! ```
//!
//! A request is served on its connection's task from its first byte to its last:
//! no task is made for it and no lock is held while it waits. Knows nothing of
//! how revisions come to be; it is handed a [`Table`] of plans.

pub mod accept;
mod astray;
#[cfg(test)]
mod budgets;
mod cache;
mod client;
mod connection;
mod endpoint;
mod exchange;
mod find;
mod finish;
mod forward;
mod handle;
mod idempotency;
pub mod identity;
mod input;
mod neighbours;
mod onward;
pub mod openapi;
mod origin;
mod plan;
mod rate;
mod respond;
mod security;
mod serve;
mod stages;
pub mod table;
#[cfg(test)]
mod testing;
mod websocket;

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use stoa_engine::capabilities::cache::KeptAnswers;
use stoa_http::peers::{self, Peers};
use stoa_http::proxies::{Proxies, ProxyProtocol};
use stoa_http::shutdown::Holds;
use stoa_mesh::Guards;
use stoa_mesh::upstream::Upstream;
use stoa_service::revision::Revision;
use stoa_settings::{Route, config};
use stoa_store::{Expiring, Log, StoreError};
use stoa_telemetry::metrics::{ActiveRequests, Metrics, RouteMetrics};

use identity::Identity;

use cache::ResponseCache;
use endpoint::{Behind, Endpoint};
use idempotency::Idempotency;
pub use neighbours::Neighbourhood;
pub use plan::Plan;
use plan::{Shared, Unrouted};
use rate::Rates;
use security::Security;
pub use table::Table;

/// The gateway of one host.
pub struct Gateway {
    table: ArcSwap<Table>,
    settings: config::Gateway,
    /// For further connections.
    room: Arc<Semaphore>,
    peers: Arc<Peers>,
    proxies: Proxies,
    shared: Shared,
    security: Security,
    metrics: Arc<Metrics>,
    active: Arc<ActiveRequests>,
    /// The way back of answers that no route gives.
    unrouted: Unrouted,
    /// Where they are counted.
    nowhere: Arc<RouteMetrics>,
    /// For calls that go on without their clients.
    holds: Holds,
    /// Where queues keep calls.
    log: Arc<dyn Log>,
}

/// What a gateway works with.
pub struct Parts {
    /// Who may call.
    pub identity: Arc<Identity>,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Where answers to idempotency keys are kept.
    pub answers: Arc<dyn Expiring>,
    /// For calls that go on without their clients.
    pub holds: Holds,
    /// Where queues keep calls.
    pub log: Arc<dyn Log>,
}

impl Gateway {
    /// A gateway without routes.
    pub fn new(config: &config::Config, parts: Parts) -> Arc<Self> {
        let Parts {
            identity,
            metrics,
            answers,
            holds,
            log,
        } = parts;
        // Each listener holds a place for its next connection.
        let further = usize::from(config.tls.is_on());
        let room = peers::room(config.gateway.max_connections) + further;
        Arc::new(Self {
            table: ArcSwap::default(),
            settings: config.gateway.clone(),
            room: Arc::new(Semaphore::new(room)),
            peers: Peers::new(config.gateway.max_connections_per_address),
            proxies: proxies(&config.gateway),
            shared: Shared {
                identity,
                rates: Rates::new(config.gateway.rate.as_ref()),
                cache: ResponseCache::new(config.gateway.cache_bytes, &metrics),
                idempotency: Idempotency::new(
                    answers,
                    metrics.clone(),
                    holds.clone(),
                    config.keep.answers,
                ),
                compression: config.gateway.compression,
                access_log: config.log.access,
            },
            security: Security::new(&config.gateway.security),
            active: metrics.active_requests(),
            unrouted: Unrouted::new(config.gateway.compression),
            nowhere: metrics.unrouted(),
            holds,
            log,
            metrics,
        })
    }

    /// The way of the requests of a revision's route.
    ///
    /// # Errors
    ///
    /// Every reason why the revision can't serve it.
    pub fn plan(
        &self,
        route: &Route,
        revision: &Arc<Revision>,
        guards: &Guards,
    ) -> Result<Plan, Vec<String>> {
        let behind = Behind {
            guards,
            log: &self.log,
            metrics: &self.metrics,
        };
        let endpoint = Endpoint::new(route, revision, &behind)?;
        Plan::compile(endpoint, &self.shared)
    }

    /// The way of the requests of an upstream's route.
    ///
    /// # Errors
    ///
    /// Why an upstream can't serve it.
    pub fn plan_outside(
        &self,
        route: &Route,
        upstream: &Arc<Upstream>,
    ) -> Result<Plan, Vec<String>> {
        let endpoint = Endpoint::upstream(route, upstream, &self.metrics)?;
        Plan::compile(endpoint, &self.shared)
    }

    /// Sends new requests by `table` from now on.
    pub fn publish(&self, table: Table) {
        let table = Arc::new(table);
        self.table.store(table.clone());
        let live = table.plans().map(|plan| plan.endpoint.id);
        self.shared.cache.keep(live);
    }

    /// Where requests go now.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Removes answers from the response cache: of a service, with a tag, or all.
    /// Says how many there were.
    pub fn purge_cache(&self, service: Option<&str>, tag: Option<&str>) -> u64 {
        self.shared.cache.purge(service, tag)
    }

    /// The kept answers, for the services that gave them.
    pub fn answers(&self) -> Arc<dyn KeptAnswers> {
        self.shared.cache.tags().clone()
    }

    /// The tags that cached answers can have.
    pub fn cache_tags(&self) -> BTreeSet<String> {
        let table = self.table.load();
        let routes = table.routes().iter();
        let caches = routes.filter_map(|(_, plan)| plan.route().cache.as_ref());
        caches
            .flat_map(|cache| cache.tags.iter().cloned())
            .collect()
    }

    /// Forgets the answers that are kept for keys of requests to a service.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn forget_answers(&self, service: &str) -> Result<(), StoreError> {
        self.shared.idempotency.purge(service).await
    }

    /// Removes answers that are kept no longer.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.shared.idempotency.sweep().await
    }

    /// Keeps the gateway's memory small, for ever.
    pub async fn tend(&self) {
        self.shared.rates.tend().await;
    }
}

fn proxies(settings: &config::Gateway) -> Proxies {
    let protocol = match settings.proxy_protocol {
        config::ProxyProtocol::Off => ProxyProtocol::Off,
        config::ProxyProtocol::Required => ProxyProtocol::Required {
            timeout: settings.header_timeout,
        },
    };
    Proxies::new(settings.trusted_proxies.clone(), protocol)
}
