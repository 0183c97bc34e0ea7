//! Buckets as one of many hosts sees them.
//!
//! Each of them reads its own writes, and never goes back; what others wrote it may not
//! have heard of yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::buckets::{Buckets, State, Version};
use super::faults::Chance;
use crate::keyvalue::{check_key, check_value, checked, sum};
use crate::{BucketId, Current, KeyValue, Page, Reply, StoreError, waiting};

/// [`KeyValue`] on maps, for one caller.
pub(super) struct MemoryKeyValue {
    buckets: Buckets,
    chance: Chance,
    seen: Mutex<Seen>,
}

/// The writes that a caller knows of, by their keys.
type Seen = HashMap<(BucketId, String), u64>;

/// A call while it is done: nobody else does anything meanwhile.
pub(super) struct Call<'a> {
    state: MutexGuard<'a, State>,
    of: &'a MemoryKeyValue,
    /// What the caller knows of when it has the reply.
    learnt: Seen,
}

// === impl MemoryKeyValue ===

impl MemoryKeyValue {
    pub(super) fn new(buckets: Buckets, chance: Chance) -> Self {
        let seen = Mutex::default();
        Self {
            buckets,
            chance,
            seen,
        }
    }

    /// Does it when the reply is polled, or not, and spoils its reply.
    pub(super) fn call<'a, T: Send + 'a>(
        &'a self,
        call: impl FnOnce(&mut Call<'_>) -> Result<T, StoreError> + Send + 'a,
    ) -> Reply<'a, T> {
        waiting(async move {
            let fault = self.chance.fault();
            fault.refuse()?;
            fault.before().await;
            let (done, learnt) = self.now(call)?;
            fault.after().await?;
            for (at, number) in learnt {
                let mut seen = self.seen();
                let known = seen.entry(at).or_default();
                *known = number.max(*known);
            }
            Ok(done)
        })
    }

    fn now<T>(
        &self,
        call: impl FnOnce(&mut Call<'_>) -> Result<T, StoreError>,
    ) -> Result<(T, Seen), StoreError> {
        let mut own = Call {
            state: self.buckets.lock(),
            of: self,
            learnt: Seen::new(),
        };
        let done = call(&mut own)?;
        Ok((done, own.learnt))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyValue for MemoryKeyValue {
    fn get<'a>(&'a self, bucket: &'a BucketId, key: &'a str) -> Reply<'a, Option<Vec<u8>>> {
        self.call(move |call| {
            check_key(key)?;
            Ok(call.read(bucket, key).value)
        })
    }

    fn set<'a>(&'a self, bucket: &'a BucketId, key: &'a str, value: &'a [u8]) -> Reply<'a, ()> {
        self.call(move |call| call.write(bucket, key, Some(value)))
    }

    fn delete<'a>(&'a self, bucket: &'a BucketId, key: &'a str) -> Reply<'a, ()> {
        self.call(move |call| call.write(bucket, key, None))
    }

    fn exists<'a>(&'a self, bucket: &'a BucketId, key: &'a str) -> Reply<'a, bool> {
        self.call(move |call| {
            check_key(key)?;
            Ok(call.read(bucket, key).value.is_some())
        })
    }

    fn list<'a>(
        &'a self,
        bucket: &'a BucketId,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> Reply<'a, Page> {
        self.call(move |call| call.page(bucket, cursor, limit.max(1)))
    }

    fn increment<'a>(&'a self, bucket: &'a BucketId, key: &'a str, delta: i64) -> Reply<'a, i64> {
        self.call(move |call| {
            let current = call.state.newest(bucket, key).value;
            let sum = sum(key, current.as_deref(), delta)?;
            call.write(bucket, key, Some(sum.to_string().as_bytes()))?;
            Ok(sum)
        })
    }

    fn compare_and_swap<'a>(
        &'a self,
        bucket: &'a BucketId,
        key: &'a str,
        expected: Option<&'a [u8]>,
        new: &'a [u8],
    ) -> Reply<'a, Result<(), Current>> {
        self.call(move |call| {
            if let Err(current) = call.expect(bucket, key, expected)? {
                return Ok(Err(current));
            }
            call.write(bucket, key, Some(new)).map(Ok)
        })
    }

    fn get_many<'a>(
        &'a self,
        bucket: &'a BucketId,
        keys: &'a [String],
        room: usize,
    ) -> Reply<'a, Vec<Option<Vec<u8>>>> {
        self.call(move |call| {
            keys.iter().try_for_each(|key| check_key(key))?;
            let values = keys.iter().map(|key| call.read(bucket, key).value);
            let values: Vec<_> = values.collect();
            let size: usize = values.iter().flatten().map(Vec::len).sum();
            match size <= room {
                true => Ok(values),
                false => Err(StoreError::TooLarge { limit: room }),
            }
        })
    }

    fn set_many<'a>(
        &'a self,
        bucket: &'a BucketId,
        pairs: &'a [(String, Vec<u8>)],
    ) -> Reply<'a, ()> {
        waiting(async move {
            for (key, value) in pairs {
                self.set(bucket, key, value).await?;
            }
            Ok(())
        })
    }

    fn delete_many<'a>(&'a self, bucket: &'a BucketId, keys: &'a [String]) -> Reply<'a, ()> {
        waiting(async move {
            for key in keys {
                self.delete(bucket, key).await?;
            }
            Ok(())
        })
    }

    fn purge<'a>(&'a self, service: &'a str) -> Reply<'a, ()> {
        self.call(move |call| {
            checked(service.to_owned())?;
            for bucket in call.state.of(service) {
                for key in call.state.keys_after(&bucket, None) {
                    call.write(&bucket, &key, None)?;
                }
            }
            Ok(())
        })
    }
}

// === impl Call ===

impl Call<'_> {
    /// What the caller reads at a key.
    pub(super) fn read(&mut self, bucket: &BucketId, key: &str) -> Version {
        let at = (bucket.clone(), key.to_owned());
        let known = self.of.seen().get(&at).copied().unwrap_or_default();
        let mut versions = self.state.versions(bucket, key);
        versions.retain(|version| version.number >= known);
        let version = self.of.chance.stale(versions);
        self.learnt.insert(at, version.number);
        version
    }

    /// What is there, whoever wrote it.
    pub(super) fn newest(&self, bucket: &BucketId, key: &str) -> Option<Vec<u8>> {
        self.state.newest(bucket, key).value
    }

    /// The keys that are or were in a bucket.
    pub(super) fn keys(&self, bucket: &BucketId) -> Vec<String> {
        self.state.keys_after(bucket, None)
    }

    /// The buckets of a service.
    pub(super) fn buckets_of(&self, service: &str) -> Vec<BucketId> {
        self.state.of(service)
    }

    /// What is there, whoever wrote it, as far as it is not what is expected.
    pub(super) fn expect(
        &mut self,
        bucket: &BucketId,
        key: &str,
        expected: Option<&[u8]>,
    ) -> Result<Result<(), Current>, StoreError> {
        check_key(key)?;
        let number = self.state.newest(bucket, key).number;
        self.learnt.insert((bucket.clone(), key.to_owned()), number);
        Ok(self.state.check(bucket, key, expected))
    }

    pub(super) fn write(
        &mut self,
        bucket: &BucketId,
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        check_key(key)?;
        value.map_or(Ok(()), check_value)?;
        let number = self.state.write(bucket, key, value);
        self.learnt.insert((bucket.clone(), key.to_owned()), number);
        Ok(())
    }

    pub(super) fn page(
        &mut self,
        bucket: &BucketId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let last = cursor.map(last_key).transpose()?;
        let mut keys = Vec::new();
        for key in self.state.keys_after(bucket, last.as_deref()) {
            if self.read(bucket, &key).value.is_none() {
                continue;
            }
            if keys.len() == limit {
                let cursor = keys.last().map(|last: &String| hex::encode(last));
                return Ok(Page { keys, cursor });
            }
            keys.push(key);
        }
        Ok(Page { keys, cursor: None })
    }
}

fn last_key(cursor: &str) -> Result<String, StoreError> {
    let key = hex::decode(cursor).map_err(|_| StoreError::BadCursor)?;
    String::from_utf8(key).map_err(|_| StoreError::BadCursor)
}
