//! Per-thread copies of what many threads count.
//!
//! One counter that all workers write costs each of them a cache miss a write.
//! Instead each thread writes to a shard of its own (as long as there are no more
//! threads than shards), and a scrape adds the shards up.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::gauge::ConstGauge;

/// More than this many shards cost more memory than they save misses.
const MOST_SHARDS: usize = 8;

/// How many shards there are: a power of two, at least one for each core up to
/// [`MOST_SHARDS`].
pub(super) fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        cores.next_power_of_two().min(MOST_SHARDS)
    })
}

/// A number that the calling thread keeps for life; taken modulo [`count`] it is
/// the thread's shard.
#[inline]
pub(super) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    const NONE: usize = usize::MAX;
    thread_local!(static NUMBER: Cell<usize> = const { Cell::new(NONE) });
    NUMBER.with(|number| {
        if number.get() == NONE {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

/// A copy of something for each thread, on cache lines of its own.
pub struct PerThread<T>(Box<[Padded<T>]>);

/// 128 bytes, since CPUs fetch lines in pairs.
#[repr(align(128))]
#[derive(Default)]
struct Padded<T>(T);

/// Something that all threads hold for the time of a request.
///
/// Each thread has a count of references of its own. Those of a plain [`Arc`] are one
/// number, on a cache line that every core would write for each request.
pub struct ShardedArc<T> {
    value: Arc<T>,
    /// Made by the first thread that needs it.
    shards: Box<[OnceLock<Held<T>>]>,
}

/// A reference to what a [`ShardedArc`] holds.
pub struct Held<T>(Arc<Padded<Arc<T>>>);

/// `http_server_active_requests`: how many requests are being answered.
pub struct ActiveRequests {
    shards: Box<[Arc<Shard>]>,
}

/// One request that is being answered, until this is dropped.
#[derive(Debug)]
#[must_use = "the request counts as answered as soon as this is dropped"]
pub struct ActiveRequest {
    /// Its reference is what is counted.
    _shard: Arc<Shard>,
}

/// Holds nothing: the references to it are the count, so that counting a request
/// up and down is one addition each, on a cache line of the thread's own.
#[derive(Debug)]
#[repr(align(128))]
struct Shard;

// === impl PerThread ===

impl<T> PerThread<T> {
    /// The copy of the current thread. Others may use it too, where there are more
    /// threads than copies.
    #[inline]
    pub fn own(&self) -> &T {
        &self.0[thread_number() & (self.0.len() - 1)].0
    }

    /// All copies.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|padded| &padded.0)
    }
}

impl<T: Default> Default for PerThread<T> {
    fn default() -> Self {
        Self((0..count()).map(|_| Padded::default()).collect())
    }
}

// === impl ShardedArc ===

impl<T> ShardedArc<T> {
    /// Holds `value`.
    pub fn new(value: Arc<T>) -> Self {
        Self {
            value,
            shards: (0..count()).map(|_| OnceLock::new()).collect(),
        }
    }

    /// What it holds.
    pub fn value(&self) -> &Arc<T> {
        &self.value
    }

    /// A reference that is counted where the current thread counts its own.
    #[inline]
    pub fn hold(&self) -> Held<T> {
        let shard = &self.shards[thread_number() & (self.shards.len() - 1)];
        let held = shard.get_or_init(|| Held(Arc::new(Padded(self.value.clone()))));
        Held(held.0.clone())
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

// === impl ActiveRequests ===

impl ActiveRequests {
    /// Counts a request in.
    #[inline]
    pub fn enter(&self) -> ActiveRequest {
        let shard = &self.shards[thread_number() & (self.shards.len() - 1)];
        ActiveRequest {
            _shard: Arc::clone(shard),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        // One reference to each shard is our own.
        let held = |shard| Arc::strong_count(shard) as u64 - 1;
        self.shards.iter().map(held).sum()
    }
}

impl Default for ActiveRequests {
    fn default() -> Self {
        Self {
            shards: (0..count()).map(|_| Arc::new(Shard)).collect(),
        }
    }
}

impl fmt::Debug for ActiveRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActiveRequests")
            .field("count", &self.count())
            .finish()
    }
}

impl Collector for ActiveRequests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        use prometheus_client::encoding::EncodeMetric;
        let gauge = ConstGauge::new(self.count());
        let family = encoder.encode_descriptor(
            "http_server_active_requests",
            "Requests being answered.",
            None,
            gauge.metric_type(),
        )?;
        gauge.encode(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_count_their_references_apart_and_keep_what_they_hold() {
        let value = Arc::new(7);
        let shared = ShardedArc::new(value.clone());
        let first = shared.hold();
        let second = shared.hold();
        assert!(Arc::ptr_eq(&first.0, &second.0), "of one thread");
        thread::scope(|scope| {
            for _ in 0..4 * count() {
                scope.spawn(|| assert_eq!(*shared.hold(), 7));
            }
        });
        let most = 2 + count();
        assert!(Arc::strong_count(&value) <= most, "one a shard at most");
        drop(shared);
        assert_eq!(*first, 7);
        drop((first, second));
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
