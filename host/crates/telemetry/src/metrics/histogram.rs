//! A histogram of durations that many threads record into at once.
//!
//! `prometheus_client`'s own takes a mutex for each observation. Recording here is
//! two relaxed additions on cache lines of the thread's own ([`shard`]): the bucket
//! and the sum. The count is the sum of the buckets, so a scrape that comes in
//! between never shows buckets that contradict it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::shard;

/// How durations are spread; shown in seconds.
pub struct Histogram {
    /// Upper bounds of all buckets but the last, which has none; in ns, ascending.
    bounds: &'static [u64],
    /// `lines_per_shard` for each shard.
    lines: Box<[Line]>,
    lines_per_shard: usize,
    /// Number of shards, a power of two, less one.
    mask: usize,
}

/// Cells of one thread on cache lines of their own (128 bytes, since CPUs fetch
/// lines in pairs). Cell 0 of a shard is its sum in ns, the others its buckets.
#[repr(align(128))]
#[derive(Default)]
struct Line([AtomicU64; CELLS]);

const CELLS: usize = 16;

// === impl Histogram ===

impl Histogram {
    /// An empty histogram with `bounds` in nanoseconds, which must ascend.
    pub(super) fn new(bounds: &'static [u64]) -> Self {
        debug_assert!(bounds.is_sorted(), "bounds must ascend: {bounds:?}");
        let shards = shard::count();
        let lines_per_shard = (bounds.len() + 2).div_ceil(CELLS);
        Self {
            bounds,
            lines: (0..shards * lines_per_shard)
                .map(|_| Line::default())
                .collect(),
            lines_per_shard,
            mask: shards - 1,
        }
    }

    /// The bounds of [`Histogram::of_requests`].
    pub const REQUESTS: &'static [u64] = super::buckets::REQUEST;

    /// An empty histogram with the buckets of requests.
    pub fn of_requests() -> Self {
        Self::new(super::buckets::REQUEST)
    }

    /// Records one duration.
    #[inline]
    pub fn observe(&self, took: Duration) {
        // 2^64 ns are 584 years; a sum of all durations won't overflow.
        let nanoseconds = took.as_nanos() as u64;
        let bucket = self.bounds.partition_point(|bound| *bound < nanoseconds);
        let shard = self.shard(shard::thread_number() & self.mask);
        cell(shard, 0).fetch_add(nanoseconds, Ordering::Relaxed);
        cell(shard, bucket + 1).fetch_add(1, Ordering::Relaxed);
    }

    /// Records that something took no time: one addition, for the sum stays as it is.
    #[inline]
    pub fn observe_zero(&self) {
        let shard = self.shard(shard::thread_number() & self.mask);
        cell(shard, 1).fetch_add(1, Ordering::Relaxed);
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.buckets().iter().sum()
    }

    /// The sum of all durations that were recorded.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.total(0))
    }

    fn shard(&self, number: usize) -> &[Line] {
        &self.lines[number * self.lines_per_shard..][..self.lines_per_shard]
    }

    /// The sum of one cell over all shards.
    fn total(&self, index: usize) -> u64 {
        let read = |number| cell(self.shard(number), index).load(Ordering::Relaxed);
        (0..=self.mask).map(read).sum()
    }

    /// What each bucket alone counted.
    pub fn buckets(&self) -> Vec<u64> {
        (1..=self.bounds.len() + 1)
            .map(|index| self.total(index))
            .collect()
    }
}

#[inline]
fn cell(shard: &[Line], index: usize) -> &AtomicU64 {
    &shard[index / CELLS].0[index % CELLS]
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = self.buckets();
        // The encoder adds the buckets up.
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / 1e9);
        let bounds = bounds.chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let count = counts.iter().sum();
        encoder.encode_histogram::<NoLabelSet>(self.sum().as_secs_f64(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// So that the registry and who records can share one.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Arc<Histogram>);

impl EncodeMetric for Shared {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.0.metric_type()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("sum", &self.sum())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::metrics::buckets;

    #[test]
    fn a_duration_on_a_bound_is_within_it() {
        let histogram = Histogram::new(&[10, 20]);
        for nanoseconds in [0, 10, 11, 20, 21, 1_000_000] {
            histogram.observe(Duration::from_nanos(nanoseconds));
        }
        assert_eq!(histogram.buckets(), [2, 2, 2]);
        assert_eq!(histogram.sum(), Duration::from_nanos(1_000_062));
    }

    #[test]
    fn no_time_is_in_the_first_bucket() {
        let [short, observed] = [0, 0].map(|_| Histogram::new(buckets::QUEUE_WAIT));
        short.observe_zero();
        observed.observe(Duration::ZERO);
        assert_eq!(short.buckets(), observed.buckets());
        assert_eq!((short.count(), short.sum()), (1, Duration::ZERO));
    }

    #[test]
    fn threads_lose_no_observation() {
        const THREADS: u64 = 12;
        const EACH: u64 = 20_000;
        let histogram = Histogram::new(buckets::REQUEST);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let histogram = &histogram;
                scope.spawn(move || {
                    for i in 0..EACH {
                        histogram.observe(Duration::from_nanos(thread * EACH + i));
                    }
                });
            }
        });
        let all = THREADS * EACH;
        assert_eq!(histogram.count(), all);
        assert_eq!(histogram.sum(), Duration::from_nanos(all * (all - 1) / 2));
        // 0..=50 µs is bucket 0, and so on by the bounds.
        assert_eq!(histogram.buckets()[..3], [50_001, 50_000, all - 100_001]);
    }

    #[test]
    fn shards_share_no_cache_line() {
        let histogram = Histogram::new(buckets::CALL);
        let address = |number| std::ptr::from_ref(&histogram.shard(number)[0]).addr();
        assert!((0..=histogram.mask).all(|number| address(number) % 128 == 0));
    }
}
