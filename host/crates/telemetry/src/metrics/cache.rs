//! What the response cache does.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Word;

/// The measurements of the response cache: requests to routes with `cache`, by
/// what became of them, and the bytes in use.
#[derive(Debug, Clone)]
pub struct CacheMetrics {
    /// Answered from memory.
    pub hit: Counter,
    /// The service was asked.
    pub miss: Counter,
    /// Answered from memory though it was not fresh any more.
    pub stale: Counter,
    /// Answered by what another asked for at the same time.
    pub coalesced: Counter,
    /// Not for the cache.
    pub bypass: Counter,
    /// Memory in use.
    pub bytes: Gauge,
}

impl CacheMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let requests: Family<Word, Counter> = Family::default();
        let of = |result| requests.get_or_create_owned(&[("result", result)]);
        let metrics = Self {
            hit: of("hit"),
            miss: of("miss"),
            stale: of("stale"),
            coalesced: of("coalesced"),
            bypass: of("bypass"),
            bytes: Gauge::default(),
        };
        registry.register(
            "stoa_cache_requests",
            "Requests to routes with a cache",
            requests,
        );
        registry.register_with_unit(
            "stoa_cache",
            "Memory of the response cache in use",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        metrics
    }
}
