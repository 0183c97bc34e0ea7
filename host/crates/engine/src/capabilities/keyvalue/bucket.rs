//! What a bucket does, for every version of the interface.

use std::sync::Arc;
use std::time::SystemTime;

use super::error::Error;
use super::limits::Limits;
use crate::capabilities::Granted;
use stoa_store::{Append, BucketId, Commit, Current, KeyValue, Page, Swap, Uncommitted};

/// An open bucket. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    id: Arc<BucketId>,
    store: Arc<dyn KeyValue>,
    commits: Arc<dyn Commit>,
    limits: Limits,
}

impl Bucket {
    pub(super) fn new(id: BucketId, granted: &Granted) -> Self {
        Self {
            id: Arc::new(id),
            store: Arc::clone(&granted.keyvalue),
            commits: Arc::clone(&granted.commits),
            limits: granted.limits,
        }
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.check_key(key)?;
        Ok(self.store.get(&self.id, key).await?)
    }

    pub(super) async fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.check_key(key)?;
        self.check_value(value)?;
        Ok(self.store.set(&self.id, key, value).await?)
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), Error> {
        self.check_key(key)?;
        Ok(self.store.delete(&self.id, key).await?)
    }

    pub(super) async fn exists(&self, key: &str) -> Result<bool, Error> {
        self.check_key(key)?;
        Ok(self.store.exists(&self.id, key).await?)
    }

    pub(super) async fn list(&self, cursor: Option<&str>) -> Result<Page, Error> {
        Ok(self.store.list(&self.id, cursor, self.limits.page).await?)
    }

    pub(super) async fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        self.check_key(key)?;
        Ok(self.store.increment(&self.id, key, delta).await?)
    }

    /// Writes `new` if `expected` is there, and keeps `appends` in the same step.
    pub(super) async fn swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
        appends: Vec<Append>,
    ) -> Result<Result<(), Current>, Error> {
        self.check_value(new)?;
        if appends.is_empty() {
            let swapped = self.store.compare_and_swap(&self.id, key, expected, new);
            return Ok(swapped.await?);
        }
        let swap = Swap {
            bucket: &self.id,
            key,
            expected,
            new,
        };
        match self
            .commits
            .commit(swap, appends, SystemTime::now())
            .await?
        {
            Ok(()) => Ok(Ok(())),
            Err(Uncommitted::Stale(current)) => Ok(Err(current)),
            Err(Uncommitted::Full { queue, full }) => {
                Err(Error::Other(format!("{queue} keeps no more calls: {full}")))
            }
        }
    }

    /// Keys with their values, in the order of `keys`.
    pub(super) async fn get_many(
        &self,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Error> {
        self.check_keys(&keys)?;
        let values = self
            .store
            .get_many(&self.id, &keys, self.limits.answer)
            .await?;
        Ok(keys
            .into_iter()
            .zip(values)
            .map(|(key, value)| Some((key, value?)))
            .collect())
    }

    pub(super) async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), Error> {
        self.check_batch(pairs.len())?;
        for (key, value) in pairs {
            self.check_key(key)?;
            self.check_value(value)?;
        }
        Ok(self.store.set_many(&self.id, pairs).await?)
    }

    pub(super) async fn delete_many(&self, keys: &[String]) -> Result<(), Error> {
        self.check_keys(keys)?;
        Ok(self.store.delete_many(&self.id, keys).await?)
    }

    fn check_keys(&self, keys: &[String]) -> Result<(), Error> {
        self.check_batch(keys.len())?;
        keys.iter().try_for_each(|key| self.check_key(key))
    }

    fn check_key(&self, key: &str) -> Result<(), Error> {
        within("a key", self.limits.key, key.len(), "bytes")
    }

    fn check_value(&self, value: &[u8]) -> Result<(), Error> {
        within("a value", self.limits.value, value.len(), "bytes")
    }

    fn check_batch(&self, len: usize) -> Result<(), Error> {
        within("a batch", self.limits.batch, len, "keys")
    }
}

fn within(what: &str, limit: usize, found: usize, unit: &str) -> Result<(), Error> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::Other(format!(
        "expected {what} of at most {limit} {unit}, found {found}"
    )))
}
