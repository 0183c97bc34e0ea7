//! HTTP in front of the services.
//!
//! ```text
//!  accept ─► (tls) ─► connection ─► handle ─► table: method + host + path ─► endpoint
//!                             │                                        │
//!                             │        function: transcode ─► mesh::call
//!                             │        wasi:http: pass on  ─► mesh::http
//!                             ◄── respond: the one place that picks a status
//! ```
//!
//! A request is served on its connection's task from its first byte to its last:
//! no task is made for it and no lock is held while it waits. Knows nothing of
//! how revisions come to be; it is handed a [`Table`] of endpoints.

pub mod accept;
mod astray;
#[cfg(test)]
mod budgets;
mod cache;
mod connection;
mod cors;
mod endpoint;
mod exchange;
mod finish;
mod forward;
mod handle;
mod idempotency;
pub mod identity;
mod input;
mod min_rate;
mod neighbours;
mod onward;
pub mod openapi;
mod origin;
mod rate;
mod respond;
mod rest;
mod security;
mod serve;
pub mod table;
#[cfg(test)]
mod testing;
pub mod transcode;
mod validators;
mod websocket;

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use stoa_call::Principal;
use stoa_http::peers::{self, Peers};
use stoa_http::proxies::{Proxies, ProxyProtocol};
use stoa_http::shutdown::Holds;
use stoa_settings::config;
use stoa_store::{Expiring, StoreError};
use stoa_telemetry::metrics::{ActiveRequests, Metrics, RouteMetrics};

use identity::Identity;

use cache::ResponseCache;
pub use endpoint::Endpoint;
use idempotency::Idempotency;
pub use neighbours::Neighbourhood;
use rate::Rates;
use security::Security;
pub use table::Table;

/// Who is at the other end of a connection: the principal of a certificate, or nobody yet.
type Client = stoa_http::client::Client<Principal>;

/// The gateway of one host.
pub struct Gateway {
    table: ArcSwap<Table>,
    settings: config::Gateway,
    /// For further connections.
    room: Arc<Semaphore>,
    peers: Arc<Peers>,
    proxies: Proxies,
    access_log: config::AccessLog,
    identity: Arc<Identity>,
    rates: Rates,
    security: Security,
    metrics: Arc<Metrics>,
    active: Arc<ActiveRequests>,
    /// For requests that no route takes.
    unrouted: Arc<RouteMetrics>,
    idempotency: Arc<Idempotency>,
    cache: Arc<ResponseCache>,
    /// For calls that go on without their clients.
    holds: Holds,
}

impl Gateway {
    /// A gateway without routes.
    pub fn new(
        config: &config::Config,
        identity: Arc<Identity>,
        metrics: &Arc<Metrics>,
        answers: Arc<dyn Expiring>,
        holds: Holds,
    ) -> Arc<Self> {
        // Each listener holds a place for its next connection.
        let further = usize::from(config.tls.is_on());
        let room = peers::room(config.gateway.max_connections) + further;
        Arc::new(Self {
            table: ArcSwap::default(),
            settings: config.gateway.clone(),
            room: Arc::new(Semaphore::new(room)),
            peers: Peers::new(config.gateway.max_connections_per_address),
            proxies: proxies(&config.gateway),
            access_log: config.log.access,
            identity,
            rates: Rates::new(config.gateway.rate.as_ref()),
            security: Security::new(&config.gateway.security),
            active: metrics.active_requests(),
            unrouted: metrics.unrouted(),
            cache: ResponseCache::new(config.gateway.cache_bytes, metrics),
            idempotency: Idempotency::new(
                answers,
                metrics.clone(),
                holds.clone(),
                config.keep.answers,
            ),
            holds,
            metrics: metrics.clone(),
        })
    }

    /// Sends new requests by `table` from now on.
    pub fn publish(&self, table: Table) {
        self.rates.attach(table.endpoints());
        self.cache.expect(table.endpoints());
        let table = Arc::new(table);
        self.table.store(table.clone());
        self.cache
            .keep(table.endpoints().map(|endpoint| endpoint.id));
    }

    /// Where requests go now.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Removes answers from the response cache: of a service, with a tag, or all.
    /// Says how many there were.
    pub fn purge_cache(&self, service: Option<&str>, tag: Option<&str>) -> u64 {
        self.cache.purge(service, tag)
    }

    /// The tags that cached answers can have.
    pub fn cache_tags(&self) -> BTreeSet<String> {
        let table = self.table.load();
        let routes = table.routes().iter();
        let caches = routes.filter_map(|(_, endpoint)| endpoint.route.cache.as_ref());
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
        self.idempotency.purge(service).await
    }

    /// Removes answers that are kept no longer.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.idempotency.sweep().await
    }

    /// Keeps the gateway's memory small, for ever.
    pub async fn tend(&self) {
        self.rates.tend().await;
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
