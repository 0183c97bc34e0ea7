//! Typed values in a key-value bucket.
//!
//! An aggregate lives in one key as JSON and changes by compare-and-swap: that is
//! all a service needs to be correct under concurrency and across a crash.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use crate::page::{self, Page};
use crate::store::{self, Memory, Store};
use crate::{Error, unavailable};

/// Values of one type, by key.
pub struct Bucket<T> {
    store: Arc<dyn Store>,
    values: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Bucket<T> {
    /// Opens one of the service's buckets.
    #[cfg(target_family = "wasm")]
    pub fn open(name: &str) -> Result<Self, Error> {
        Ok(Self::over(Arc::new(crate::store::Wasi::open(name)?)))
    }

    /// An empty bucket for unit tests.
    pub fn in_memory() -> Self {
        Self::over(Arc::new(Memory::default()))
    }

    /// A bucket whose bytes are in `store`.
    pub fn over(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            values: PhantomData,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Result<Option<T>, Error> {
        self.store
            .get(key)?
            .map(|bytes| decode(key, &bytes))
            .transpose()
    }

    /// The values of many keys, in their order.
    pub fn get_many(&self, keys: &[String]) -> Result<Vec<Option<T>>, Error> {
        let found = self.store.get_many(keys)?;
        let decoded = |(key, bytes): (&String, Option<Vec<u8>>)| {
            bytes.map(|bytes| decode(key, &bytes)).transpose()
        };
        keys.iter().zip(found).map(decoded).collect()
    }

    /// Writes a value, whatever was there. For anything that others may write at
    /// the same time, use [`update`](Self::update).
    pub fn set(&self, key: &str, value: &T) -> Result<(), Error> {
        self.store.set(key, &encode(value)?)
    }

    /// Removes a key; does nothing if it is not there.
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.store.delete(key)
    }

    /// Changes a value by compare-and-swap and returns what was written. `change`
    /// gets the current value, runs again when another caller was faster, and
    /// writes nothing when it fails.
    pub fn update<E: From<Error>>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.update_if(key, |current| change(current).map(Change::Write))
    }

    /// As [`update`](Self::update), where `change` may also leave the key alone.
    pub fn update_if<E: From<Error>>(
        &self,
        key: &str,
        change: impl FnMut(Option<T>) -> Result<Change<T>, E>,
    ) -> Result<T, E> {
        self.update_by(key, change, |change| self.store.update(key, change))
    }

    /// As [`update_if`](Self::update_if); what `change` tells queues is kept in the same
    /// step as what it writes, or not at all. What it tells and does not write for is
    /// forgotten.
    pub fn update_telling<E: From<Error>>(
        &self,
        key: &str,
        change: impl FnMut(Option<T>) -> Result<Change<T>, E>,
    ) -> Result<T, E> {
        self.update_by(key, change, |change| self.store.update_telling(key, change))
    }

    fn update_by<E: From<Error>>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> Result<Change<T>, E>,
        update: impl FnOnce(&mut store::Change<'_>) -> Result<(), Error>,
    ) -> Result<T, E> {
        let mut outcome = None;
        update(&mut |bytes| {
            let current = bytes.map(|bytes| decode(key, &bytes)).transpose()?;
            match change(current) {
                Ok(Change::Write(value)) => {
                    let bytes = encode(&value)?;
                    outcome = Some(Ok(value));
                    Ok(Some(bytes))
                }
                Ok(Change::Leave(value)) => {
                    outcome = Some(Ok(value));
                    Ok(None)
                }
                Err(error) => {
                    outcome = Some(Err(error));
                    Ok(None)
                }
            }
        })?;
        outcome.expect("a store that succeeds has asked for the change")
    }

    /// Some keys in byte order, and the cursor of those that follow.
    pub fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Error> {
        self.store.keys(cursor)
    }

    /// A page of the values that `keep` accepts, in the order of their keys.
    pub fn list(
        &self,
        cursor: Option<&str>,
        limit: usize,
        keep: impl Fn(&T) -> bool,
    ) -> Result<Page<T>, Error> {
        page::scan(
            cursor,
            limit,
            |from| self.store.keys(from),
            |keys| {
                let found = self.get_many(&keys)?;
                Ok(found.into_iter().map(|value| value.filter(&keep)).collect())
            },
        )
    }
}

/// What an update decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// Write this value.
    Write(T),
    /// Write nothing and return this value.
    Leave(T),
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|fault| unavailable!("a value can't be written: {fault}"))
}

fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|fault| {
        tracing::error!("the value of {key} is not what this revision writes: {fault}");
        unavailable!("{key} can't be read")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrent_updates_all_count() {
        let bucket = Bucket::<u64>::in_memory();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..50 {
                        let added = bucket.update("n", |n| Ok::<_, Error>(n.unwrap_or(0) + 1));
                        added.expect("memory does not fail");
                    }
                });
            }
        });
        assert_eq!(bucket.get("n").expect("memory does not fail"), Some(200));
    }

    #[test]
    fn failed_change_writes_nothing() {
        let bucket = Bucket::<u64>::in_memory();
        bucket.set("n", &1).expect("memory does not fail");
        let refused = bucket.update("n", |_| Err(crate::conflict!("no")));
        assert!(matches!(refused, Err(Error::Conflict(_))));
        let left = bucket.update_if("n", |n| Ok::<_, Error>(Change::Leave(n.unwrap_or(0) + 5)));
        assert_eq!(left.expect("nothing fails"), 6);
        assert_eq!(bucket.get("n").expect("memory does not fail"), Some(1));
    }

    #[test]
    fn unreadable_value_is_an_error_and_stays() {
        let store = Arc::new(Memory::default());
        store.set("n", b"\"text\"").expect("memory does not fail");
        let bucket = Bucket::<u64>::over(store.clone());
        assert!(matches!(bucket.get("n"), Err(Error::Unavailable(_))));
        assert!(bucket.update("n", |_| Ok::<_, Error>(1)).is_err());
        assert_eq!(
            store.get("n").expect("memory does not fail"),
            Some(b"\"text\"".to_vec())
        );
    }

    #[test]
    fn pages_join_to_the_whole_list() {
        let bucket = Bucket::<u32>::in_memory();
        for n in 0..50 {
            bucket
                .set(&format!("{n:02}"), &n)
                .expect("memory does not fail");
        }
        for limit in [1, 3, 7, 8, 100] {
            let (mut all, mut cursor) = (Vec::new(), None);
            loop {
                let page = bucket
                    .list(cursor.as_deref(), limit, |n| n % 3 != 0)
                    .expect("good cursor");
                assert!(page.items.len() <= limit);
                all.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(
                all,
                (0..50).filter(|n| n % 3 != 0).collect::<Vec<_>>(),
                "limit {limit}"
            );
        }
    }
}
