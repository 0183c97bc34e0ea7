//! HTTP in front of the services.
//!
//! ```text
//!  accept ─► connection ─► handle ─► table: method + host + path ─► endpoint
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
mod asked;
mod client;
mod compress;
mod connection;
mod cors;
mod endpoint;
mod finish;
mod forward;
mod handle;
pub mod identity;
mod input;
mod neighbours;
pub mod openapi;
mod origin;
mod rate;
mod respond;
mod security;
pub mod table;
pub mod transcode;
mod vary;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config;
use crate::telemetry::metrics::{ActiveRequests, Metrics, RouteMetrics};

use identity::Identity;

pub use endpoint::Endpoint;
pub use neighbours::Neighbourhood;
use rate::Rates;
use security::Security;
pub use table::Table;

/// The gateway of one host.
pub struct Gateway {
    table: ArcSwap<Table>,
    settings: config::Gateway,
    access_log: config::AccessLog,
    identity: Arc<Identity>,
    rates: Rates,
    security: Security,
    metrics: Arc<Metrics>,
    active: Arc<ActiveRequests>,
    /// For requests that no route takes.
    unrouted: Arc<RouteMetrics>,
}

impl Gateway {
    /// A gateway without routes.
    pub fn new(
        config: &config::Config,
        identity: Arc<Identity>,
        metrics: &Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            table: ArcSwap::default(),
            settings: config.gateway.clone(),
            access_log: config.log.access,
            identity,
            rates: Rates::new(config.gateway.rate.as_ref()),
            security: Security::new(&config.gateway.security),
            active: metrics.active_requests(),
            unrouted: metrics.unrouted(),
            metrics: metrics.clone(),
        })
    }

    /// Sends new requests by `table` from now on.
    pub fn publish(&self, table: Table) {
        self.rates.attach(table.endpoints());
        self.table.store(Arc::new(table));
    }

    /// Keeps the gateway's memory small, for ever.
    pub async fn tend(&self) {
        self.rates.tend().await;
    }
}
