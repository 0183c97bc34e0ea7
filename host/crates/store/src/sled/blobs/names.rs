//! Names of contents, and what each service keeps.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sled::{Batch, IVec, Tree};
use stoa_call::turns;

use super::files::{Digest, Files, Pin};
use super::stored::{self, Entry};
use crate::blobs::Accounts;
use crate::log::millis;
use crate::sled::committer::Committer;
use crate::sled::fault;
use crate::sled::keyvalue::{last_key, next_cursor};
use crate::{BlobError, ContainerId, Copying, ObjectId, Page, Source, StoreError};

/// Names that are removed in one batch.
const SLICE: usize = 256;

/// Names in a tree.
pub(in crate::sled) struct Names {
    pub(super) tree: Tree,
    pub(super) files: Arc<Files>,
    pub(super) committer: Arc<Committer>,
    /// Held from reading what is there until what replaces it is.
    accounts: Mutex<Accounts>,
    /// All files were looked at once since the start.
    pub(super) swept: AtomicBool,
}

/// A change of names while it is put together.
struct Change<'a> {
    accounts: MutexGuard<'a, Accounts>,
    batch: Batch,
    /// Objects that go, by their keys.
    gone: Vec<(Vec<u8>, Entry)>,
}

// === impl Names ===

impl Names {
    /// Adds up what is there: reads the entries, not the files.
    pub(in crate::sled) fn open(
        tree: Tree,
        files: Arc<Files>,
        committer: Arc<Committer>,
    ) -> Result<Arc<Self>, StoreError> {
        let mut accounts = Accounts::default();
        for entry in tree.scan_prefix(stored::OBJECTS) {
            let (key, raw) = entry.map_err(|error| fault("listing blobs", error))?;
            accounts.add(stored::service(&key)?, Entry::decode(&raw)?.size);
        }
        Ok(Arc::new(Self {
            tree,
            files,
            committer,
            accounts: Mutex::new(accounts),
            swept: AtomicBool::new(false),
        }))
    }

    pub(super) fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // There is nothing under the lock that a panic could leave half changed.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn create(
        &self,
        container: &ContainerId,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        self.committer.check()?;
        let _change = self.accounts();
        if self.created(container)?.is_none() {
            let made = millis(now).to_be_bytes().to_vec();
            let inserted = self.tree.insert(stored::container(container), made);
            inserted.map_err(|error| fault("writing a container", error))?;
        }
        Ok(())
    }

    pub(super) fn created(
        &self,
        container: &ContainerId,
    ) -> Result<Option<SystemTime>, StoreError> {
        let raw = self.get(&stored::container(container))?;
        raw.map(|raw| stored::made(&raw)).transpose()
    }

    /// Whether a container is there.
    pub(super) fn need(&self, container: &ContainerId) -> Result<(), BlobError> {
        match self.created(container)? {
            Some(_) => Ok(()),
            None => Err(BlobError::NoContainer(container.clone())),
        }
    }

    pub(super) fn object(&self, object: &ObjectId) -> Result<Option<Entry>, StoreError> {
        self.entry(&stored::object(object))
    }

    /// Gives a content that is on disk its name; what came in counts as kept. Says which
    /// contents lost a name.
    pub(super) fn name(
        &self,
        object: &ObjectId,
        entry: &Entry,
        pin: Pin,
    ) -> Result<Vec<Digest>, BlobError> {
        let mut change = self.change()?;
        self.need(object.container())?;
        self.put(&mut change, object, entry)?;
        let service = object.container().service();
        let unnamed = self.apply(change, |accounts| {
            accounts.settle(service, entry.size);
            accounts.add(service, entry.size);
        })?;
        pin.named();
        Ok(unnamed)
    }

    /// As [`Blobs::copy`](crate::Blobs::copy). Says which contents lost a name.
    pub(super) async fn copy(
        &self,
        from: &ObjectId,
        to: &ObjectId,
        copying: Copying,
    ) -> Result<Vec<Digest>, BlobError> {
        let missing = || BlobError::NoObject(from.clone());
        loop {
            let seen = self.object(from)?.ok_or_else(missing)?;
            if from == to && copying.source == Source::Goes {
                return Ok(Vec::new());
            }
            let pin = self.files.pin(seen.digest).await;
            let mut change = self.change()?;
            let found = self.object(from)?.ok_or_else(missing)?;
            if found.digest != seen.digest {
                continue;
            }
            self.need(to.container())?;
            let grows = self.growth(from, to, (found.size, copying.source))?;
            let service = to.container().service();
            change.accounts.check(service, grows, copying.quota)?;
            let entry = Entry::new(copying.now, found.size, found.digest);
            self.put(&mut change, to, &entry)?;
            if copying.source == Source::Goes {
                change.take(&stored::object(from), found);
            }
            let unnamed = self.apply(change, |accounts| accounts.add(service, found.size))?;
            pin.named();
            return Ok(unnamed);
        }
    }

    /// How much more the service of a copy keeps after it.
    fn growth(
        &self,
        from: &ObjectId,
        to: &ObjectId,
        (size, source): (u64, Source),
    ) -> Result<u64, StoreError> {
        let replaced = self.object(to)?.map_or(0, |entry| entry.size);
        let own = from.container().service() == to.container().service();
        let goes = if own && source == Source::Goes {
            size
        } else {
            0
        };
        Ok(size.saturating_sub(replaced).saturating_sub(goes))
    }

    pub(super) async fn delete(
        &self,
        container: &ContainerId,
        names: &[String],
    ) -> Result<Vec<Digest>, StoreError> {
        let prefix = stored::objects_in(container);
        let mut unnamed = Vec::new();
        for slice in names.chunks(SLICE) {
            let keys = slice.iter().map(|name| [&prefix, name.as_bytes()].concat());
            // A name that stands there twice is one.
            unnamed.extend(self.take(keys.collect::<HashSet<_>>())?);
            turns::hand_back().await;
        }
        Ok(unnamed)
    }

    /// Removes a container; it goes with the last of what is in it.
    pub(super) async fn remove(&self, container: &ContainerId) -> Result<Vec<Digest>, StoreError> {
        let mut unnamed = self.take_all(&stored::objects_in(container)).await?;
        while let Some(more) = self.take_last(container)? {
            unnamed.extend(more);
            turns::hand_back().await;
        }
        Ok(unnamed)
    }

    /// Takes some of what has come into a container meanwhile, or the container where
    /// nothing has.
    fn take_last(&self, container: &ContainerId) -> Result<Option<Vec<Digest>>, StoreError> {
        let mut change = self.change()?;
        let rest = self.some(&stored::objects_in(container))?;
        if rest.is_empty() {
            change.batch.remove(stored::container(container));
            self.apply(change, |_| ())?;
            return Ok(None);
        }
        self.take_into(&mut change, rest)?;
        self.apply(change, |_| ()).map(Some)
    }

    /// Removes all containers of a service.
    pub(super) async fn purge(&self, service: &str) -> Result<Vec<Digest>, StoreError> {
        let objects = stored::of_service(b'o', service);
        let mut unnamed = self.take_all(&objects).await?;
        let mut batch = Batch::default();
        for key in self
            .tree
            .scan_prefix(stored::of_service(b'c', service))
            .keys()
        {
            batch.remove(key.map_err(|error| fault("listing containers", error))?);
        }
        self.write(batch)?;
        // What was written until the containers were gone.
        unnamed.extend(self.take_all(&objects).await?);
        Ok(unnamed)
    }

    async fn take_all(&self, prefix: &[u8]) -> Result<Vec<Digest>, StoreError> {
        let mut unnamed = Vec::new();
        loop {
            let some = self.some(prefix)?;
            if some.is_empty() {
                return Ok(unnamed);
            }
            unnamed.extend(self.take(some)?);
            turns::hand_back().await;
        }
    }

    fn some(&self, prefix: &[u8]) -> Result<Vec<IVec>, StoreError> {
        let keys = self.tree.scan_prefix(prefix).keys().take(SLICE);
        let keys = keys.map(|key| key.map_err(|error| fault("listing blobs", error)));
        keys.collect()
    }

    pub(super) fn page(
        &self,
        container: &ContainerId,
        from: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let prefix = stored::objects_in(container);
        let start = match from {
            None => Bound::Included(prefix.clone()),
            Some(from) => Bound::Excluded([&prefix[..], last_key(from)?.as_bytes()].concat()),
        };
        let mut keys = Vec::new();
        for key in self.tree.range((start, Bound::Unbounded)).keys() {
            let key = key.map_err(|error| fault("listing blobs", error))?;
            let Some(name) = key.strip_prefix(&prefix[..]) else {
                break;
            };
            if keys.len() == limit {
                let cursor = keys.last().map(next_cursor);
                return Ok(Page { keys, cursor });
            }
            keys.push(String::from_utf8_lossy(name).into_owned());
        }
        Ok(Page { keys, cursor: None })
    }

    fn change(&self) -> Result<Change<'_>, StoreError> {
        self.committer.check()?;
        Ok(Change {
            accounts: self.accounts(),
            batch: Batch::default(),
            gone: Vec::new(),
        })
    }

    fn put(
        &self,
        change: &mut Change<'_>,
        object: &ObjectId,
        entry: &Entry,
    ) -> Result<(), StoreError> {
        let key = stored::object(object);
        if let Some(old) = self.entry(&key)? {
            change.take(&key, old);
        }
        // After what takes the old one: of one batch the last word counts.
        change.batch.insert(stored::named(&entry.digest, &key), &[]);
        change.batch.insert(&key[..], entry.encode());
        Ok(())
    }

    fn take<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Digest>, StoreError> {
        let mut change = self.change()?;
        self.take_into(&mut change, keys)?;
        self.apply(change, |_| ())
    }

    fn take_into<K: AsRef<[u8]>>(
        &self,
        change: &mut Change<'_>,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<(), StoreError> {
        for key in keys {
            if let Some(old) = self.entry(key.as_ref())? {
                change.take(key.as_ref(), old);
            }
        }
        Ok(())
    }

    /// Makes a change, and counts it. Says which contents lost a name.
    fn apply(
        &self,
        mut change: Change<'_>,
        count: impl FnOnce(&mut Accounts),
    ) -> Result<Vec<Digest>, StoreError> {
        self.write(change.batch)?;
        count(&mut change.accounts);
        for (key, entry) in &change.gone {
            change.accounts.subtract(stored::service(key)?, entry.size);
        }
        let unnamed: Vec<_> = change.gone.iter().map(|(_, entry)| entry.digest).collect();
        // Also where who waits goes away before it is on disk.
        self.files.doubt(unnamed.iter().copied());
        Ok(unnamed)
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let applied = self.tree.apply_batch(batch);
        applied.map_err(|error| fault("writing names of blobs", error))
    }

    fn entry(&self, key: &[u8]) -> Result<Option<Entry>, StoreError> {
        self.get(key)?.map(|raw| Entry::decode(&raw)).transpose()
    }

    fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let found = self.tree.get(key);
        found.map_err(|error| fault("reading names of blobs", error))
    }
}

// === impl Change ===

impl Change<'_> {
    fn take(&mut self, key: &[u8], old: Entry) {
        self.batch.remove(stored::named(&old.digest, key));
        self.batch.remove(key);
        self.gone.push((key.to_vec(), old));
    }
}
