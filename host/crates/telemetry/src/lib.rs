//! What the host tells its operators: logs and metrics.
//!
//! - [`logs`]: one stream of ECS records from the host and its guests, on standard
//!   error, in a ring for `stoa logs` and live for `stoa logs -f`.
//! - [`metrics`]: what Prometheus scrapes, with handles that are resolved when a
//!   revision, route or link goes live, so that recording costs nanoseconds.
//!
//! A leaf: everything may use it, and it knows nothing of gateway, mesh, service
//! or engine. What it shows of them (pools, for one) comes through traits that
//! they implement. There is no global state but the installed log subscriber, so
//! a test can have as many [`Metrics`] and [`LogHandle`]s as it likes.

pub mod logs;
pub mod metrics;
mod seldom;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use logs::LogHandle;
pub use metrics::Metrics;
pub use seldom::Seldom;

/// The two of them together, as a host hands them around.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// Where records go, and where they are read.
    pub logs: LogHandle,
    /// Where measurements go.
    pub metrics: Arc<Metrics>,
}

impl Telemetry {
    /// Ties the two: metrics also count the log records that were dropped.
    pub fn new(logs: LogHandle) -> Self {
        let metrics = Arc::new(Metrics::new());
        metrics.register(logs.clone());
        Self { logs, metrics }
    }
}

/// Locks, also after a panic elsewhere: nothing here is left half-changed by one,
/// and telemetry must not spread another's failure.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
