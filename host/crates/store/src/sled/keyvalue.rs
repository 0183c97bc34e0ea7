//! Buckets in one tree.

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sled::IVec;

use super::committer::Committer;
use super::fault;
use super::large::{INLINE_MAX, LargeValues, NewFile};
use super::stored::{self, Stored};
use crate::keyvalue::{check_key, check_value, checked, sum};
use crate::{BucketId, Current, KeyValue, Page, Reply, StoreError, ready, waiting};
use stoa_call::turns;

/// Entries handled between two chances for other tasks of the thread.
const SLICE: usize = 64;

/// [`KeyValue`] on a tree, with large values beside it.
pub(super) struct SledKeyValue {
    pub(super) tree: sled::Tree,
    pub(super) large: Arc<LargeValues>,
    pub(super) committer: Arc<Committer>,
}

/// An entry as the tree has it, and its value.
pub(super) struct Entry {
    pub(super) raw: IVec,
    pub(super) value: Vec<u8>,
}

/// Where a value is.
enum Found {
    Here(Option<Vec<u8>>),
    InFile,
}

/// A value ready to go into the tree.
pub(super) struct Prepared {
    pub(super) raw: Vec<u8>,
    file: Option<NewFile>,
}

// === impl SledKeyValue ===

impl KeyValue for SledKeyValue {
    fn get<'a>(&'a self, bucket: &'a BucketId, key: &'a str) -> Reply<'a, Option<Vec<u8>>> {
        let found = full_key(bucket, key).and_then(|full| Ok((self.inline(&full)?, full)));
        match found {
            Ok((Found::Here(value), _)) => ready(Ok(value)),
            Ok((Found::InFile, full)) => {
                waiting(async move { Ok(self.load(&full).await?.map(|entry| entry.value)) })
            }
            Err(error) => ready(Err(error)),
        }
    }

    fn set<'a>(&'a self, bucket: &'a BucketId, key: &'a str, value: &'a [u8]) -> Reply<'a, ()> {
        waiting(async move {
            let replaced = self.insert(&full_key(bucket, key)?, value).await?;
            self.committer.ticket(replaced).await
        })
    }

    fn delete<'a>(&'a self, bucket: &'a BucketId, key: &'a str) -> Reply<'a, ()> {
        waiting(async move {
            let replaced = self.remove(&full_key(bucket, key)?)?;
            // Also when it was gone: that may not be on disk yet.
            self.committer.ticket(replaced).await
        })
    }

    fn exists<'a>(&'a self, bucket: &'a BucketId, key: &'a str) -> Reply<'a, bool> {
        let found = full_key(bucket, key).and_then(|full| {
            let found = self.tree.contains_key(full);
            found.map_err(|error| fault("reading a bucket", error))
        });
        ready(found)
    }

    fn list<'a>(
        &'a self,
        bucket: &'a BucketId,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> Reply<'a, Page> {
        ready(self.page(bucket, cursor, limit.max(1)))
    }

    fn increment<'a>(&'a self, bucket: &'a BucketId, key: &'a str, delta: i64) -> Reply<'a, i64> {
        waiting(async move {
            let full = full_key(bucket, key)?;
            loop {
                let entry = self.load(&full).await?;
                let current = entry.as_ref().map(|entry| &entry.value[..]);
                let sum = sum(key, current, delta)?;
                let new = Stored::Inline(sum.to_string().as_bytes()).encode();
                if self.swap(&full, entry.as_ref(), &new)? {
                    let replaced = entry.and_then(|entry| self.file(&entry.raw));
                    self.committer.ticket(replaced).await?;
                    return Ok(sum);
                }
            }
        })
    }

    fn compare_and_swap<'a>(
        &'a self,
        bucket: &'a BucketId,
        key: &'a str,
        expected: Option<&'a [u8]>,
        new: &'a [u8],
    ) -> Reply<'a, Result<(), Current>> {
        waiting(async move {
            let full = full_key(bucket, key)?;
            let mut prepared = None;
            loop {
                let entry = self.load(&full).await?;
                if entry.as_ref().map(|entry| &entry.value[..]) != expected {
                    return Ok(Err(Current(entry.map(|entry| entry.value))));
                }
                let new = match prepared.take() {
                    Some(new) => new,
                    None => self.prepare(&full, new).await?,
                };
                if self.swap(&full, entry.as_ref(), &new.raw)? {
                    new.keep();
                    let replaced = entry.and_then(|entry| self.file(&entry.raw));
                    self.committer.ticket(replaced).await?;
                    return Ok(Ok(()));
                }
                prepared = Some(new);
            }
        })
    }

    fn get_many<'a>(
        &'a self,
        bucket: &'a BucketId,
        keys: &'a [String],
        room: usize,
    ) -> Reply<'a, Vec<Option<Vec<u8>>>> {
        waiting(async move {
            let mut values = Vec::with_capacity(keys.len());
            let mut left = room;
            for (at, key) in keys.iter().enumerate() {
                let value = self.get(bucket, key).await?;
                let size = value.as_ref().map_or(0, Vec::len);
                left = left
                    .checked_sub(size)
                    .ok_or(StoreError::TooLarge { limit: room })?;
                values.push(value);
                breathe(at).await;
            }
            Ok(values)
        })
    }

    fn set_many<'a>(
        &'a self,
        bucket: &'a BucketId,
        pairs: &'a [(String, Vec<u8>)],
    ) -> Reply<'a, ()> {
        waiting(async move {
            let mut replaced = Vec::new();
            for (at, (key, value)) in pairs.iter().enumerate() {
                replaced.extend(self.insert(&full_key(bucket, key)?, value).await?);
                breathe(at).await;
            }
            self.committer.ticket(replaced).await
        })
    }

    fn delete_many<'a>(&'a self, bucket: &'a BucketId, keys: &'a [String]) -> Reply<'a, ()> {
        waiting(async move {
            let mut replaced = Vec::new();
            for (at, key) in keys.iter().enumerate() {
                replaced.extend(self.remove(&full_key(bucket, key)?)?);
                breathe(at).await;
            }
            self.committer.ticket(replaced).await
        })
    }

    fn purge<'a>(&'a self, service: &'a str) -> Reply<'a, ()> {
        waiting(async move {
            let mut replaced = Vec::new();
            // No other name: what is not a bucket's begins with a NUL.
            let service = checked(service.to_owned())?;
            let all = self
                .tree
                .scan_prefix(stored::service_prefix(&service))
                .keys();
            for (at, key) in all.enumerate() {
                let key = key.map_err(|error| fault("listing a bucket", error))?;
                replaced.extend(self.remove(&key)?);
                breathe(at).await;
            }
            self.committer.ticket(replaced).await
        })
    }
}

impl SledKeyValue {
    /// The value if the tree has it, without waiting.
    fn inline(&self, full: &[u8]) -> Result<Found, StoreError> {
        let Some(raw) = self.raw(full)? else {
            return Ok(Found::Here(None));
        };
        Ok(match Stored::decode(&raw)? {
            Stored::Inline(value) => Found::Here(Some(value.to_vec())),
            Stored::Large(_) => Found::InFile,
        })
    }

    fn raw(&self, full: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.tree
            .get(full)
            .map_err(|error| fault("reading a bucket", error))
    }

    /// The entry with its value, from its file where it has one.
    pub(super) async fn load(&self, full: &[u8]) -> Result<Option<Entry>, StoreError> {
        let mut seen: Option<IVec> = None;
        loop {
            let Some(raw) = self.raw(full)? else {
                return Ok(None);
            };
            let pointer = match Stored::decode(&raw)? {
                Stored::Inline(value) => {
                    return Ok(Some(Entry {
                        value: value.to_vec(),
                        raw,
                    }));
                }
                Stored::Large(pointer) => pointer,
            };
            let large = Arc::clone(&self.large);
            if let Some(value) = blocking(move || large.read(&pointer)).await? {
                return Ok(Some(Entry { raw, value }));
            }
            // A file goes when its entry was replaced: look again, once for
            // each new entry.
            if seen.as_ref() == Some(&raw) {
                return Err(StoreError::Corrupt(
                    format!("the value {} is missing", pointer.id).into(),
                ));
            }
            seen = Some(raw);
        }
    }

    /// Writes without waiting for the log; returns the file that it replaced.
    async fn insert(&self, full: &[u8], value: &[u8]) -> Result<Option<PathBuf>, StoreError> {
        self.committer.check()?;
        let new = self.prepare(full, value).await?;
        let old = self
            .tree
            .insert(full, &new.raw[..])
            .map_err(|error| fault("writing a bucket", error))?;
        new.keep();
        Ok(old.and_then(|raw| self.file(&raw)))
    }

    fn remove(&self, full: &[u8]) -> Result<Option<PathBuf>, StoreError> {
        self.committer.check()?;
        let old = self
            .tree
            .remove(full)
            .map_err(|error| fault("writing a bucket", error))?;
        Ok(old.and_then(|raw| self.file(&raw)))
    }

    /// Puts `new` where `old` is; `false` when something else is there.
    fn swap(&self, full: &[u8], old: Option<&Entry>, new: &[u8]) -> Result<bool, StoreError> {
        self.committer.check()?;
        let old = old.map(|entry| &entry.raw[..]);
        let swapped = self.tree.compare_and_swap(full, old, Some(new));
        Ok(swapped
            .map_err(|error| fault("writing a bucket", error))?
            .is_ok())
    }

    /// Puts a large value into its file; it is on disk after that.
    pub(super) async fn prepare(&self, full: &[u8], value: &[u8]) -> Result<Prepared, StoreError> {
        check_value(value)?;
        if value.len() <= INLINE_MAX {
            return Ok(Prepared {
                raw: Stored::Inline(value).encode(),
                file: None,
            });
        }
        let (large, full, value) = (Arc::clone(&self.large), full.to_vec(), value.to_vec());
        let file = blocking(move || large.write(&full, &value)).await?;
        Ok(Prepared {
            raw: Stored::Large(file.pointer).encode(),
            file: Some(file),
        })
    }

    /// The file of an entry that is no longer there.
    pub(super) fn file(&self, raw: &[u8]) -> Option<PathBuf> {
        match Stored::decode(raw) {
            Ok(Stored::Large(pointer)) => Some(self.large.path(&pointer)),
            _ => None,
        }
    }

    fn page(
        &self,
        bucket: &BucketId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let prefix = stored::key(bucket, "");
        let from = match cursor {
            None => Bound::Included(prefix.clone()),
            Some(cursor) => Bound::Excluded(stored::key(bucket, &last_key(cursor)?)),
        };
        let mut keys = Vec::new();
        for full in self.tree.range((from, Bound::Unbounded)).keys() {
            let full = full.map_err(|error| fault("listing a bucket", error))?;
            let Some(key) = full.strip_prefix(&prefix[..]) else {
                break;
            };
            if keys.len() == limit {
                let cursor = keys.last().map(next_cursor);
                return Ok(Page { keys, cursor });
            }
            keys.push(String::from_utf8_lossy(key).into_owned());
        }
        Ok(Page { keys, cursor: None })
    }
}

// === impl Prepared ===

impl Prepared {
    pub(super) fn keep(self) {
        if let Some(file) = self.file {
            file.keep();
        }
    }
}

/// Where the tree keeps `key` of `bucket`, if it can be one.
pub(super) fn full_key(bucket: &BucketId, key: &str) -> Result<Vec<u8>, StoreError> {
    check_key(key)?;
    Ok(stored::key(bucket, key))
}

/// A cursor is the last key of its page: it stays right whatever is written.
pub(super) fn next_cursor(last: &String) -> String {
    BASE64.encode(last)
}

/// The key that a cursor is.
pub(super) fn last_key(cursor: &str) -> Result<String, StoreError> {
    let key = BASE64.decode(cursor).map_err(|_| StoreError::BadCursor)?;
    String::from_utf8(key).map_err(|_| StoreError::BadCursor)
}

async fn breathe(at: usize) {
    if at % SLICE == SLICE - 1 {
        turns::hand_back().await;
    }
}

/// Does what waits for the disk on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|fault| {
        Err(StoreError::Io(
            format!("a disk access was not finished: {fault}").into(),
        ))
    })
}
