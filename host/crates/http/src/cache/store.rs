//! The memory of a cache, bounded by bytes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderName;
use moka::sync::Cache;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use super::Key;
use super::entry::Entry;
use super::writes::{WriteSlot, Writes};

/// What stands at a key.
#[derive(Debug, Clone)]
pub enum Item {
    /// An answer.
    Answer(Arc<Entry>),
    /// Answers differ by these request headers, and stand at keys of their own.
    Vary(Arc<[HeaderName]>),
    /// The answers can't be shared: until then nobody waits for another's.
    Own(Instant),
}

/// When a service was asked: an answer is stored only if there was neither a purge nor
/// a write to its URI since, and is good until the next write, and until the service takes
/// it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Moment {
    purges: u64,
    slot: WriteSlot,
    writes: u32,
    recalls: u64,
}

/// Items by key.
pub struct CacheStore {
    items: Cache<Key, Stored>,
    used: Gauge,
    purges: AtomicU64,
    writes: Arc<Writes>,
}

#[derive(Clone)]
struct Stored {
    item: Item,
    /// The endpoint that it came from.
    endpoint: u64,
    asked: Moment,
}

impl CacheStore {
    /// A memory of at most `bytes`; with 0 nothing is stored. `used` shows the bytes in use,
    /// and `writes` are counted where what is stored must heed them.
    pub fn new(bytes: u64, used: Gauge, writes: Arc<Writes>) -> Self {
        let shown = used.clone();
        let items = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, stored: &Stored| u32::try_from(size(&stored.item)).unwrap_or(u32::MAX))
            .eviction_listener(move |_, stored, _| {
                shown.dec_by(gauge(size(&stored.item)));
            })
            .build();
        Self {
            items,
            used,
            purges: AtomicU64::new(0),
            writes,
        }
    }

    /// What stands at a key, for who asks now.
    pub fn get(&self, key: &Key, now: &Moment) -> Option<Item> {
        let stored = self.items.get(key)?;
        stored.asked.is_good(now).then_some(stored.item)
    }

    /// To be taken before a stored answer is looked for, or its service asked, which has
    /// taken back its answers so often.
    pub fn moment(&self, slot: WriteSlot, recalls: u64) -> Moment {
        Moment {
            purges: self.purges.load(Ordering::Acquire),
            slot,
            writes: self.writes.count(slot),
            recalls,
        }
    }

    /// Stores what came of an endpoint that was `asked` then, unless it was purged or
    /// written since.
    pub fn put(&self, key: Key, endpoint: u64, item: Item, asked: Moment) {
        let has_room = self.items.policy().max_capacity() != Some(0);
        if has_room && self.moment(asked.slot, asked.recalls) == asked {
            self.used.inc_by(gauge(size(&item)));
            let stored = Stored {
                item,
                endpoint,
                asked,
            };
            self.items.insert(key, stored);
            // A purge in between did not see it.
            if self.moment(asked.slot, asked.recalls) != asked {
                self.items.invalidate(&key);
            }
            self.make_room();
        }
    }

    /// By themselves the items are counted now and then: many large ones may come
    /// before that. Their writer pays, who has waited for a service.
    fn make_room(&self) {
        let most = self.items.policy().max_capacity().unwrap_or(u64::MAX);
        if u64::try_from(self.used.get()).is_ok_and(|used| used > most) {
            self.items.run_pending_tasks();
        }
    }

    /// Removes the answers that `which` names, and says how many there were.
    pub fn purge(&self, which: impl Fn(&Entry) -> bool) -> u64 {
        self.remove(|stored| match &stored.item {
            Item::Answer(entry) => which(entry),
            Item::Vary(_) | Item::Own(_) => false,
        })
    }

    /// Removes everything of endpoints that are not live.
    pub fn keep(&self, live: impl Iterator<Item = u64>) {
        if self.used.get() > 0 {
            let live: HashSet<u64> = live.collect();
            self.remove(|stored| !live.contains(&stored.endpoint));
        }
    }

    /// Says how many were good.
    fn remove(&self, which: impl Fn(&Stored) -> bool) -> u64 {
        self.purges.fetch_add(1, Ordering::AcqRel);
        let mut removed = 0;
        for (key, stored) in &self.items {
            if which(&stored) {
                self.items.invalidate(&*key);
                removed += u64::from(stored.asked.writes == self.writes.count(stored.asked.slot));
            }
        }
        self.items.run_pending_tasks();
        removed
    }
}

impl Moment {
    /// Whether an answer that was asked for then is good for who asks now.
    fn is_good(&self, now: &Self) -> bool {
        (self.writes, self.recalls) == (now.writes, now.recalls)
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
impl Moment {
    /// After so many writes.
    pub fn after(writes: u32) -> Self {
        Self {
            writes,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cache::entry::Lives;

    fn writes() -> Arc<Writes> {
        Arc::new(Writes::new(|path| path.into()))
    }

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
        let store = CacheStore::new(10_000, used.clone(), writes());
        for n in 0..100 {
            store.put([n; 32], 1, answer("a", "t", 1000), Moment::default());
            assert!(used.get() <= 10_000, "{}", used.get());
        }
        assert!(used.get() > 5_000, "{}", used.get());
        store.keep(std::iter::empty());
        assert_eq!(used.get(), 0);
    }

    #[test]
    fn what_a_service_takes_back_is_gone_and_so_is_what_was_under_way() {
        let store = CacheStore::new(1 << 20, Gauge::default(), writes());
        let at = |recalls| store.moment(WriteSlot::default(), recalls);
        let before = at(0);
        store.put([1; 32], 1, answer("a", "t", 10), before);
        assert!(store.get(&[1; 32], &at(0)).is_some());
        assert!(store.get(&[1; 32], &at(1)).is_none());
        store.put([2; 32], 1, answer("a", "t", 10), before);
        assert!(store.get(&[2; 32], &at(1)).is_none());
        store.put([2; 32], 1, answer("a", "t", 10), at(1));
        assert!(store.get(&[2; 32], &at(1)).is_some());
    }

    #[test]
    fn a_purge_takes_what_it_names_and_what_was_asked_for_before() {
        let store = CacheStore::new(1 << 20, Gauge::default(), writes());
        let asked = store.moment(WriteSlot::default(), 0);
        store.put([1; 32], 1, answer("a", "t", 10), asked);
        store.put([2; 32], 2, answer("b", "t", 10), asked);
        store.put(
            [3; 32],
            2,
            Item::Own(Instant::now() + Duration::from_secs(1)),
            asked,
        );
        assert_eq!(store.purge(|entry| &*entry.service == "a"), 1);
        assert!(store.get(&[1; 32], &asked).is_none() && store.get(&[2; 32], &asked).is_some());
        store.put([1; 32], 1, answer("a", "t", 10), asked);
        assert!(store.get(&[1; 32], &asked).is_none());
        store.keep(std::iter::once(1));
        assert!(store.get(&[2; 32], &asked).is_none() && store.get(&[3; 32], &asked).is_none());
    }
}
