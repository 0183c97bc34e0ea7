//! The memory of the cache, bounded by bytes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderName;
use moka::sync::Cache;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use super::Key;
use super::entry::Entry;

/// What stands at a key.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// An answer.
    Answer(Arc<Entry>),
    /// Answers differ by these request headers, and stand at keys of their own.
    Vary(Arc<[HeaderName]>),
    /// The answers can't be shared: until then nobody waits for another's.
    Own(Instant),
}

/// Items by key, each with the endpoint that it came from.
pub(super) struct Shelf {
    items: Cache<Key, (u64, Item)>,
    used: Gauge,
    /// Counts purges: an answer that was asked for before one is not stored after it.
    purges: AtomicU64,
}

impl Shelf {
    pub(super) fn new(bytes: u64, used: Gauge) -> Self {
        let shown = used.clone();
        let items = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, (_, item)| u32::try_from(size(item)).unwrap_or(u32::MAX))
            .eviction_listener(move |_, (_, item), _| {
                shown.dec_by(gauge(size(&item)));
            })
            .build();
        Self {
            items,
            used,
            purges: AtomicU64::new(0),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Item> {
        self.items.get(key).map(|(_, item)| item)
    }

    /// To be given to [`Self::put`]; taken before the service is asked.
    pub(super) fn moment(&self) -> u64 {
        self.purges.load(Ordering::Acquire)
    }

    pub(super) fn put(&self, key: Key, endpoint: u64, item: Item, asked: u64) {
        let has_room = self.items.policy().max_capacity() != Some(0);
        if has_room && self.moment() == asked {
            self.used.inc_by(gauge(size(&item)));
            self.items.insert(key, (endpoint, item));
        }
    }

    /// Removes the answers that `which` names, and says how many there were.
    pub(super) fn purge(&self, which: impl Fn(&Entry) -> bool) -> u64 {
        self.remove(|_, item| matches!(item, Item::Answer(entry) if which(entry)))
    }

    /// Removes everything of endpoints that are not live.
    pub(super) fn keep(&self, live: impl Iterator<Item = u64>) {
        if self.used.get() > 0 {
            let live: HashSet<u64> = live.collect();
            self.remove(|endpoint, _| !live.contains(&endpoint));
        }
    }

    fn remove(&self, which: impl Fn(u64, &Item) -> bool) -> u64 {
        self.purges.fetch_add(1, Ordering::AcqRel);
        let mut removed = 0;
        for (key, (endpoint, item)) in &self.items {
            if which(endpoint, &item) {
                self.items.invalidate(&*key);
                removed += 1;
            }
        }
        self.items.run_pending_tasks();
        removed
    }
}

/// Bytes that an item takes, about.
fn size(item: &Item) -> usize {
    /// Its key and its place in the tables of the memory.
    const BESIDE: usize = 200;
    match item {
        Item::Answer(entry) => BESIDE + entry.size(),
        Item::Vary(names) => BESIDE + names.iter().map(|name| name.as_str().len()).sum::<usize>(),
        Item::Own(_) => BESIDE,
    }
}

fn gauge(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gateway::cache::entry::Lives;

    fn answer(service: &str, tag: &str, length: usize) -> Item {
        Item::Answer(Arc::new(Entry {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: vec![0; length].into(),
            service: service.into(),
            tags: vec![tag.to_owned()],
            anyone: false,
            key: [0; 32],
            vary: Vec::new(),
            lives: Lives::default(),
            stored: Instant::now(),
        }))
    }

    #[test]
    fn it_never_holds_more_than_its_bytes() {
        let used = Gauge::default();
        let shelf = Shelf::new(10_000, used.clone());
        for n in 0..100 {
            shelf.put([n; 32], 1, answer("a", "t", 1000), 0);
            shelf.items.run_pending_tasks();
            assert!(used.get() <= 10_000, "{}", used.get());
        }
        assert!(used.get() > 5_000, "{}", used.get());
        shelf.keep(std::iter::empty());
        assert_eq!(used.get(), 0);
    }

    #[test]
    fn a_purge_takes_what_it_names_and_what_was_asked_for_before() {
        let shelf = Shelf::new(1 << 20, Gauge::default());
        let asked = shelf.moment();
        shelf.put([1; 32], 1, answer("a", "t", 10), asked);
        shelf.put([2; 32], 2, answer("b", "t", 10), asked);
        shelf.put(
            [3; 32],
            2,
            Item::Own(Instant::now() + Duration::from_secs(1)),
            asked,
        );
        assert_eq!(shelf.purge(|entry| &*entry.service == "a"), 1);
        assert!(shelf.get(&[1; 32]).is_none() && shelf.get(&[2; 32]).is_some());
        shelf.put([1; 32], 1, answer("a", "t", 10), asked);
        assert!(shelf.get(&[1; 32]).is_none());
        shelf.keep(std::iter::once(1));
        assert!(shelf.get(&[2; 32]).is_none() && shelf.get(&[3; 32]).is_none());
    }
}
