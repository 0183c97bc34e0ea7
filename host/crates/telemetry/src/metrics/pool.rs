//! Pools: their instances, queues and memory, asked for at each scrape, and the
//! waits and instantiations that they record, by service and revision.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::buckets;
use super::described::Described;
use super::histogram::Histogram;
use super::series::Series;
use crate::lock;

/// What a pool shows of itself.
pub trait PoolReading: Send + Sync {
    /// The service whose revision it runs.
    fn service(&self) -> &str;
    /// The number of that revision.
    fn revision(&self) -> u64;
    /// Its state right now. Called at each scrape, so it must not wait.
    fn read(&self) -> PoolSample;
}

/// The state of a pool at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolSample {
    /// Instances that are being made.
    pub starting: u64,
    /// Instances that wait for a call.
    pub idle: u64,
    /// Instances that serve a call.
    pub busy: u64,
    /// Instances that finish their calls and take no more.
    pub draining: u64,
    /// Calls that wait for an instance.
    pub queued: u64,
    /// Calls that may be worked on at the same time.
    pub limit: u64,
    /// Linear memory of all instances, in bytes.
    pub memory_bytes: u64,
}

/// What a pool records.
#[derive(Debug)]
pub struct PoolMetrics {
    /// How long each call waited for an instance, also those that found one at once.
    pub queue_wait: Histogram,
    /// How long it took to make each instance.
    pub instantiate: Histogram,
}

/// All pools.
#[derive(Default)]
pub(super) struct Pools {
    recorded: Series<Key, PoolMetrics>,
    readings: Mutex<Vec<Weak<dyn PoolReading>>>,
}

/// Service and revision.
type Key = (String, u64);

// === impl PoolSample ===

impl AddAssign for PoolSample {
    fn add_assign(&mut self, other: Self) {
        self.starting += other.starting;
        self.idle += other.idle;
        self.busy += other.busy;
        self.draining += other.draining;
        self.queued += other.queued;
        self.limit = self.limit.max(other.limit);
        self.memory_bytes += other.memory_bytes;
    }
}

// === impl Pools ===

impl Pools {
    pub(super) fn of(&self, service: &str, revision: u64) -> Arc<PoolMetrics> {
        let key = (service.to_owned(), revision);
        self.recorded.get_or_insert(key, || PoolMetrics {
            queue_wait: Histogram::new(buckets::QUEUE_WAIT),
            instantiate: Histogram::new(buckets::INSTANTIATE),
        })
    }

    pub(super) fn register(&self, pool: Weak<dyn PoolReading>) {
        let mut readings = lock(&self.readings);
        readings.retain(|pool| pool.strong_count() > 0);
        readings.push(pool);
    }

    pub(super) fn forget(&self, service: &str, revision: u64) {
        self.recorded
            .retain(|(name, number), _| name != service || *number != revision);
    }

    /// The state of each revision's pools: two of one revision (one drains while
    /// the other starts) are one series, as a scraper refuses a label set twice.
    fn samples(&self) -> BTreeMap<Key, PoolSample> {
        // Pools are asked without the lock: `read` may take locks of its own.
        let live: Vec<_> = lock(&self.readings)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let mut samples = BTreeMap::<Key, PoolSample>::new();
        for pool in live {
            let key = (pool.service().to_owned(), pool.revision());
            *samples.entry(key).or_default() += pool.read();
        }
        samples
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools")
            .field("registered", &lock(&self.readings).len())
            .finish_non_exhaustive()
    }
}

impl Collector for Pools {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let samples = self.samples();
        encode_instances(&samples, &mut encoder)?;
        encode_gauge(&DEPTH, &samples, |sample| sample.queued, &mut encoder)?;
        encode_gauge(&LIMIT, &samples, |sample| sample.limit, &mut encoder)?;
        encode_gauge(
            &MEMORY,
            &samples,
            |sample| sample.memory_bytes,
            &mut encoder,
        )?;
        let recorded = self.recorded.snapshot();
        encode_histogram(&WAIT, &recorded, |pool| &pool.queue_wait, &mut encoder)?;
        encode_histogram(&START, &recorded, |pool| &pool.instantiate, &mut encoder)
    }
}

const DEPTH: Described = Described {
    name: "stoa_pool_queue_depth",
    help: "Calls waiting for an instance.",
    unit: None,
};
const LIMIT: Described = Described {
    name: "stoa_pool_concurrency_limit",
    help: "Calls that may be worked on at the same time.",
    unit: None,
};
const MEMORY: Described = Described {
    name: "stoa_guest_memory",
    help: "Linear memory of all instances.",
    unit: Some(Unit::Bytes),
};
const WAIT: Described = Described {
    name: "stoa_pool_queue_wait",
    help: "Wait of a call for an instance.",
    unit: Some(Unit::Seconds),
};
const START: Described = Described {
    name: "stoa_instantiate",
    help: "Time to make an instance.",
    unit: Some(Unit::Seconds),
};

fn encode_instances(
    samples: &BTreeMap<Key, PoolSample>,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    let name = "stoa_pool_instances";
    let mut family =
        encoder.encode_descriptor(name, "Instances by state.", None, MetricType::Gauge)?;
    for ((service, revision), sample) in samples {
        let revision = revision.to_string();
        let states = [
            ("starting", sample.starting),
            ("idle", sample.idle),
            ("busy", sample.busy),
            ("draining", sample.draining),
        ];
        for (state, value) in states {
            let labels = [
                ("service", &**service),
                ("revision", &*revision),
                ("state", state),
            ];
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
    }
    Ok(())
}

fn encode_gauge(
    described: &Described,
    samples: &BTreeMap<Key, PoolSample>,
    value: impl Fn(&PoolSample) -> u64,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    let mut family = described.begin(encoder, MetricType::Gauge)?;
    for ((service, revision), sample) in samples {
        let labels = [
            ("service", service.clone()),
            ("revision", revision.to_string()),
        ];
        family
            .encode_family(&labels)?
            .encode_gauge(&value(sample))?;
    }
    Ok(())
}

fn encode_histogram(
    described: &Described,
    recorded: &[(Key, Arc<PoolMetrics>)],
    histogram: impl Fn(&PoolMetrics) -> &Histogram,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), fmt::Error> {
    let mut family = described.begin(encoder, MetricType::Histogram)?;
    for ((service, revision), pool) in recorded {
        let labels = [
            ("service", service.clone()),
            ("revision", revision.to_string()),
        ];
        histogram(pool).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
