//! The handles of a family by their labels.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::lock;

/// Labels → handle. Ordered, so that two scrapes list them alike.
#[derive(Debug)]
pub(super) struct Series<K, V>(Mutex<BTreeMap<K, Arc<V>>>);

impl<K: Ord + Clone, V> Series<K, V> {
    /// The handle for `key`, made by `make` when there is none.
    pub(super) fn get_or_insert(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut entries = lock(&self.0);
        Arc::clone(entries.entry(key).or_insert_with(|| Arc::new(make())))
    }

    /// Drops each handle for which `keep` is false.
    pub(super) fn retain(&self, mut keep: impl FnMut(&K, &Arc<V>) -> bool) {
        lock(&self.0).retain(|key, handle| keep(key, handle));
    }

    /// All of them, so that a scrape holds the lock for a copy only.
    pub(super) fn snapshot(&self) -> Vec<(K, Arc<V>)> {
        let entries = lock(&self.0);
        let copy = |(key, handle): (&K, &Arc<V>)| (key.clone(), Arc::clone(handle));
        entries.iter().map(copy).collect()
    }
}

impl<K, V> Default for Series<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
