//! Measurements in Prometheus' text form.
//!
//! The hot path never looks anything up: [`Metrics::route`], [`Metrics::call`] and
//! [`Metrics::pool`] are asked once, when a route, link or pool goes live, and give
//! handles whose `observe` is two relaxed additions. Pools are asked for their
//! state when somebody scrapes ([`Metrics::register_pool`]).
//!
//! Label sets go away again ([`Metrics::forget_revision`]), so a host that deploys
//! all day does not grow. Labels are bounded: route templates, not paths; known
//! methods and statuses, else `_OTHER`.
//!
//! Other parts add families of their own with [`Metrics::register`].

mod blob;
mod buckets;
mod cache;
mod call;
mod described;
mod histogram;
mod pool;
mod process;
mod queue;
mod resilience;
mod route;
mod schedule;
mod series;
mod shard;
mod steps;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use blob::BlobSample;
pub use cache::CacheMetrics;
pub use call::CallMetrics;
pub use histogram::Histogram;
pub use pool::{PoolMetrics, PoolReading, PoolSample};
pub use queue::{QueueMetrics, QueueReading, QueueSample};
pub use resilience::{BreakerMetrics, RetryMetrics};
pub use route::RouteMetrics;
pub use schedule::ScheduleMetrics;
pub use shard::{ActiveRequest, ActiveRequests, Held, PerThread, ShardedArc};

use super::lock;
use call::Calls;
use pool::Pools;
use process::Process;
use queue::Queues;
use resilience::Resilience;
use route::Routes;
use schedule::Schedules;
use steps::Steps;

/// `Content-Type` of what [`Metrics::encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One label whose values are words of the host's own code, so they are few.
type Word = [(&'static str, &'static str); 1];

/// Every measurement of one host.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    routes: Arc<Routes>,
    calls: Arc<Calls>,
    pools: Arc<Pools>,
    queues: Arc<Queues>,
    resilience: Arc<Resilience>,
    schedules: Arc<Schedules>,
    active_requests: Arc<ActiveRequests>,
    rejected: Family<Word, Counter>,
    idempotency: Family<Word, Counter>,
    cache: CacheMetrics,
    deploy_swaps: Family<Word, Counter>,
    deploy_steps: Arc<Steps>,
    registry_revision: Gauge,
    state_flush: Arc<Histogram>,
    disk: Family<Word, Gauge>,
}

impl Metrics {
    /// All families of the host, empty.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let metrics = Self {
            cache: CacheMetrics::new(&mut registry),
            registry: Mutex::new(registry),
            routes: Arc::default(),
            calls: Arc::default(),
            pools: Arc::default(),
            queues: Arc::default(),
            resilience: Arc::default(),
            schedules: Arc::default(),
            active_requests: Arc::default(),
            rejected: Family::default(),
            idempotency: Family::default(),
            deploy_swaps: Family::default(),
            deploy_steps: Arc::default(),
            registry_revision: Gauge::default(),
            state_flush: Arc::new(Histogram::new(buckets::FLUSH)),
            disk: Family::default(),
        };
        metrics.register_families();
        metrics
    }

    /// The text of one scrape; its type is [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Without its closing `# EOF` a scraper refuses the whole, which is right:
        // half of the numbers would look like a restart.
        if text::encode(&mut text, &lock(&self.registry)).is_err() {
            tracing::error!("a collector failed, so this scrape is incomplete and will be refused");
        }
        text
    }

    /// Adds families that are collected at each scrape.
    pub fn register(&self, collector: impl Collector) {
        lock(&self.registry).register_collector(Box::new(collector));
    }

    /// The requests that are answered right now.
    pub fn active_requests(&self) -> Arc<ActiveRequests> {
        Arc::clone(&self.active_requests)
    }

    /// The handle of a route (its template, such as `/products/{id}`) of a revision.
    /// The same arguments give the same handle.
    pub fn route(&self, route: &str, service: &str, revision: u64) -> Arc<RouteMetrics> {
        self.routes.of(route, service, revision)
    }

    /// The handle for requests that no route took: all its labels but method and
    /// status are empty.
    pub fn unrouted(&self) -> Arc<RouteMetrics> {
        self.routes.unrouted()
    }

    /// The handle of a link: calls of `function` (`shop:product/products.get`) that
    /// service `from` makes of service `to`.
    pub fn call(&self, from: &str, to: &str, function: &str) -> Arc<CallMetrics> {
        self.calls.of(from, to, function)
    }

    /// The handle of a revision's pool.
    pub fn pool(&self, service: &str, revision: u64) -> Arc<PoolMetrics> {
        self.pools.of(service, revision)
    }

    /// The handle of a breaker: of a revision, for calls that come over `link`.
    pub fn breaker(&self, service: &str, revision: u64, link: &str) -> Arc<BreakerMetrics> {
        self.resilience.breaker(service, revision, link)
    }

    /// The handle of the breaker before an upstream's instance.
    pub fn instance_breaker(&self, upstream: &str, id: &str, link: &str) -> Arc<BreakerMetrics> {
        self.resilience.instance(upstream, id, link)
    }

    /// Drops the label sets of an instance's breaker, unless somebody holds its handle.
    pub fn forget_instance(&self, upstream: &str, id: &str) {
        self.resilience.forget_instance(upstream, id);
    }

    /// The handle of a service's retries.
    pub fn retries(&self, service: &str) -> Arc<RetryMetrics> {
        self.resilience.retries(service)
    }

    /// The handle of a schedule: a service and the function that is called by the clock.
    pub fn schedule(&self, service: &str, function: &str) -> Arc<ScheduleMetrics> {
        self.schedules.of(service, function)
    }

    /// Drops the label sets of a schedule.
    pub fn forget_schedule(&self, service: &str, function: &str) {
        self.schedules.forget(service, function);
    }

    /// Asks `pool` for its state at each scrape, until it is dropped.
    pub fn register_pool(&self, pool: Weak<dyn PoolReading>) {
        self.pools.register(pool);
    }

    /// The handle of the deliveries of a queue to a service.
    pub fn queue(&self, queue: &str, subscriber: &str) -> Arc<QueueMetrics> {
        self.queues.of(queue, subscriber)
    }

    /// Asks for what queues hold at each scrape, until it is dropped.
    pub fn register_queues(&self, reading: Weak<dyn QueueReading>) {
        self.queues.register(reading);
    }

    /// Asks at each scrape what services keep in blobs. It must not wait.
    pub fn register_blobs(&self, read: impl Fn() -> Vec<BlobSample> + Send + Sync + 'static) {
        self.register(blob::Blobs(read));
    }

    /// Drops what nothing holds any more of queues.
    pub fn forget_unused_queues(&self) {
        self.queues.forget_unused();
    }

    /// The counter of requests that the host refused for `reason`, such as
    /// `queue-full`: one of a few words, never text from outside.
    pub fn rejected(&self, reason: &'static str) -> Counter {
        self.rejected.get_or_create_owned(&[("reason", reason)])
    }

    /// The counter of answers to requests with an idempotency key, by what became of
    /// them: `kept`, `replayed`, `cut` (too long to be kept), `lost` or `evicted`.
    pub fn idempotency(&self, result: &'static str) -> Counter {
        self.idempotency.get_or_create_owned(&[("result", result)])
    }

    /// The handles of the response cache.
    pub fn cache(&self) -> CacheMetrics {
        self.cache.clone()
    }

    /// Counts a deployment that ended with `result`, such as `swapped` or `refused`.
    pub fn deploy_swap(&self, result: &'static str) {
        self.deploy_swaps.get_or_create(&[("result", result)]).inc();
    }

    /// Records how long one step of a deployment (`compile`, `warm`) took.
    pub fn deploy_step(&self, step: &'static str, took: Duration) {
        self.deploy_steps.of(step).observe(took);
    }

    /// Tells which revision of the registry of services is live.
    pub fn set_registry_revision(&self, revision: u64) {
        // A count of changes; it does not reach 2^63.
        self.registry_revision.set(revision.cast_signed());
    }

    /// Tells how much disk one of a few things takes: `components`, `compiled`,
    /// `answers`, `state`, `values`, `blobs`.
    pub fn disk(&self, of: &'static str, bytes: u64) {
        let gauge = self.disk.get_or_create_owned(&[("of", of)]);
        gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Where the store records how long it took to make a group of writes durable.
    pub fn state_flush(&self) -> Arc<Histogram> {
        Arc::clone(&self.state_flush)
    }

    /// Drops the label sets of a retired revision, and of links of its service that
    /// nothing holds any more. Handles that are still held stay usable; what they
    /// record is no longer shown.
    pub fn forget_revision(&self, service: &str, revision: u64) {
        self.routes.forget(service, revision);
        self.pools.forget(service, revision);
        self.resilience.forget(service, revision);
        self.calls.forget_unused(service);
    }

    /// Drops what nothing holds any more of a service's links and retries.
    pub fn forget_unused(&self, service: &str) {
        self.calls.forget_unused(service);
        self.resilience.forget_unused(service);
    }

    fn register_families(&self) {
        self.register(Arc::clone(&self.routes));
        self.register(Arc::clone(&self.active_requests));
        self.register(Arc::clone(&self.pools));
        self.register(Arc::clone(&self.queues));
        self.register(Arc::clone(&self.calls));
        self.register(Arc::clone(&self.resilience));
        self.register(Arc::clone(&self.schedules));
        self.register(Arc::clone(&self.deploy_steps));
        self.register(Process::new());
        let mut registry = lock(&self.registry);
        registry.register(
            "stoa_rejected",
            "Requests refused by the host",
            self.rejected.clone(),
        );
        registry.register(
            "stoa_idempotency",
            "Answers to requests with an idempotency key",
            self.idempotency.clone(),
        );
        registry.register(
            "stoa_deploy_swaps",
            "Deployments, by how they ended",
            self.deploy_swaps.clone(),
        );
        registry.register(
            "stoa_registry_revision",
            "Number of the live state of the registry of services",
            self.registry_revision.clone(),
        );
        registry.register_with_unit(
            "stoa_state_flush",
            "Time to make a group of writes durable",
            Unit::Seconds,
            histogram::Shared(Arc::clone(&self.state_flush)),
        );
        registry.register_with_unit(
            "stoa_disk",
            "Disk that the host's data takes, looked at once a minute",
            Unit::Bytes,
            self.disk.clone(),
        );
        registry.register(
            "stoa_build",
            "The running host",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
