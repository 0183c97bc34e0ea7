//! What would be in buckets, and what of it a replica may still not know.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{BucketId, Current};

/// States of a key that a read may find, the last one included.
const KEPT: usize = 8;

/// Buckets as maps. A clone has the same ones.
#[derive(Clone, Default)]
pub(super) struct Buckets(Arc<Mutex<State>>);

/// All buckets.
#[derive(Default)]
pub(super) struct State {
    written: u64,
    buckets: HashMap<BucketId, BTreeMap<String, Versions>>,
}

/// What was at a key, the newest last.
type Versions = VecDeque<Version>;

/// What is or was at a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Version {
    /// Of the write that left it; 0 before the first one.
    pub(super) number: u64,
    pub(super) value: Option<Vec<u8>>,
}

// === impl Buckets ===

impl Buckets {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// What is at a key.
    pub(super) fn newest(&self, bucket: &BucketId, key: &str) -> Version {
        let versions = self.versions(bucket, key);
        versions.last().cloned().unwrap_or_default()
    }

    /// What may be read at a key: the oldest first.
    pub(super) fn versions(&self, bucket: &BucketId, key: &str) -> Vec<Version> {
        let found = self.buckets.get(bucket).and_then(|keys| keys.get(key));
        found.map_or_else(
            || vec![Version::default()],
            |all| all.iter().cloned().collect(),
        )
    }

    /// Says which write it is.
    pub(super) fn write(&mut self, bucket: &BucketId, key: &str, value: Option<&[u8]>) -> u64 {
        self.written += 1;
        let number = self.written;
        let keys = self.buckets.entry(bucket.clone()).or_default();
        let versions = keys.entry(key.to_owned());
        let versions = versions.or_insert_with(|| [Version::default()].into());
        if versions.len() == KEPT {
            versions.pop_front();
        }
        let value = value.map(<[u8]>::to_vec);
        versions.push_back(Version { number, value });
        number
    }

    /// Whether what is expected is there.
    pub(super) fn check(
        &self,
        bucket: &BucketId,
        key: &str,
        expected: Option<&[u8]>,
    ) -> Result<(), Current> {
        let found = self.newest(bucket, key).value;
        match found.as_deref() == expected {
            true => Ok(()),
            false => Err(Current(found)),
        }
    }

    /// The keys after one that are or were in a bucket, in the order of their bytes.
    pub(super) fn keys_after(&self, bucket: &BucketId, last: Option<&str>) -> Vec<String> {
        let Some(keys) = self.buckets.get(bucket) else {
            return Vec::new();
        };
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = keys.range::<str, _>((from, Bound::Unbounded));
        keys.map(|(key, _)| key.clone()).collect()
    }

    /// The buckets of a service.
    pub(super) fn of(&self, service: &str) -> Vec<BucketId> {
        let all = self.buckets.keys();
        let own = all.filter(|bucket| bucket.service() == service);
        own.cloned().collect()
    }
}
