//! Blobs as one of many hosts sees them, in buckets of their own.
//!
//! A container is the bucket of its name: an object is the value of a key there, and so is
//! that the container was made.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use super::keyvalue::{Call, MemoryKeyValue};
use crate::blobs::{Accounts, check_object};
use crate::keyvalue::checked;
use crate::log::{Millis, millis, time};
use crate::{
    BlobError, BlobReply, Blobs, BucketId, ContainerId, Content, Copying, ObjectId, ObjectInfo,
    Page, Reply, Source, StoreError, Upload, Usage,
};

/// Where a bucket has when its container was made.
const MADE: &str = "c";
/// What the keys of objects begin with; none has that alone.
const OBJECTS: &str = "o";

/// What is kept of each service. A clone has the same.
pub(super) type SharedAccounts = Arc<Mutex<Accounts>>;

/// [`Blobs`] on maps, for one caller. An object is no longer than a value may be.
#[derive(Clone)]
pub(super) struct MemoryBlobs {
    pub(super) buckets: Arc<MemoryKeyValue>,
    pub(super) accounts: SharedAccounts,
}

struct MemoryUpload {
    blobs: MemoryBlobs,
    service: String,
    quota: u64,
    bytes: Vec<u8>,
    failed: bool,
}

struct MemoryContent {
    info: ObjectInfo,
    left: Bytes,
}

// === impl MemoryBlobs ===

impl MemoryBlobs {
    /// Does it when the reply is polled, or not, and spoils its reply.
    async fn call<T: Send>(
        &self,
        call: impl FnOnce(&mut Call<'_>) -> Result<T, BlobError> + Send,
    ) -> Result<T, BlobError> {
        self.buckets.call(|own| Ok(call(own))).await?
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes over what is there, and counts it.
    fn put(&self, call: &mut Call<'_>, object: &ObjectId, raw: &[u8]) -> Result<(), BlobError> {
        let (bucket, key) = place(object)?;
        self.take(call, &bucket, &key)?;
        call.write(&bucket, &key, Some(raw))?;
        self.accounts().add(bucket.service(), parse(raw)?.0.size);
        Ok(())
    }

    fn take(&self, call: &mut Call<'_>, bucket: &BucketId, key: &str) -> Result<(), StoreError> {
        let Some(old) = call.newest(bucket, key) else {
            return Ok(());
        };
        call.write(bucket, key, None)?;
        if key != MADE {
            let size = parse(&old)?.0.size;
            self.accounts().subtract(bucket.service(), size);
        }
        Ok(())
    }

    /// Removes what is in a bucket, and the container.
    fn empty(&self, call: &mut Call<'_>, bucket: &BucketId) -> Result<(), StoreError> {
        for key in call.keys(bucket) {
            self.take(call, bucket, &key)?;
        }
        Ok(())
    }

    fn copy_now(
        &self,
        call: &mut Call<'_>,
        (from, to): (&ObjectId, &ObjectId),
        copying: Copying,
    ) -> Result<(), BlobError> {
        let (bucket, key) = place(from)?;
        let raw = call.newest(&bucket, &key);
        let raw = raw.ok_or_else(|| BlobError::NoObject(from.clone()))?;
        if from == to && copying.source == Source::Goes {
            return Ok(());
        }
        need(call, to.container())?;
        let (target, target_key) = place(to)?;
        let size = |raw: Option<&Vec<u8>>| raw.map_or(0, |raw| raw.len() as u64 - 8);
        let mut grows = size(Some(&raw));
        grows = grows.saturating_sub(size(call.newest(&target, &target_key).as_ref()));
        if copying.source == Source::Goes && bucket.service() == target.service() {
            grows = grows.saturating_sub(size(Some(&raw)));
        }
        self.accounts()
            .check(target.service(), grows, copying.quota)?;
        self.put(call, to, &encode(copying.now, &raw[8..]))?;
        match copying.source {
            Source::Goes => self.take(call, &bucket, &key)?,
            Source::Stays => {}
        }
        Ok(())
    }
}

impl Blobs for MemoryBlobs {
    fn create<'a>(&'a self, container: &'a ContainerId, now: SystemTime) -> BlobReply<'a, ()> {
        Box::pin(self.call(move |call| {
            let bucket = bucket(container)?;
            if call.newest(&bucket, MADE).is_some() {
                return Ok(());
            }
            Ok(call.write(&bucket, MADE, Some(&encode(now, &[])))?)
        }))
    }

    fn created<'a>(&'a self, container: &'a ContainerId) -> BlobReply<'a, Option<SystemTime>> {
        Box::pin(self.call(move |call| {
            let made = call.read(&bucket(container)?, MADE).value;
            made.map(|raw| Ok(parse(&raw)?.0.created)).transpose()
        }))
    }

    fn remove<'a>(&'a self, container: &'a ContainerId) -> BlobReply<'a, ()> {
        Box::pin(self.call(move |call| Ok(self.empty(call, &bucket(container)?)?)))
    }

    fn begin<'a>(&'a self, service: &'a str, quota: u64) -> BlobReply<'a, Box<dyn Upload>> {
        Box::pin(self.call(move |_| {
            let upload = MemoryUpload {
                blobs: self.clone(),
                service: checked(service.to_owned())?,
                quota,
                bytes: Vec::new(),
                failed: false,
            };
            Ok(Box::new(upload) as Box<dyn Upload>)
        }))
    }

    fn head<'a>(&'a self, object: &'a ObjectId) -> BlobReply<'a, Option<ObjectInfo>> {
        Box::pin(self.call(move |call| {
            let (bucket, key) = place(object)?;
            let raw = call.read(&bucket, &key).value;
            raw.map(|raw| Ok(parse(&raw)?.0)).transpose()
        }))
    }

    fn open<'a>(
        &'a self,
        object: &'a ObjectId,
        range: Range<u64>,
    ) -> BlobReply<'a, Box<dyn Content>> {
        Box::pin(self.call(move |call| {
            let (bucket, key) = place(object)?;
            let raw = call.read(&bucket, &key).value;
            let raw = raw.ok_or_else(|| BlobError::NoObject(object.clone()))?;
            let (info, bytes) = parse(&raw)?;
            let end = range.end.min(info.size);
            let part = range.start.min(end) as usize..end as usize;
            let left = Bytes::copy_from_slice(&bytes[part]);
            Ok(Box::new(MemoryContent { info, left }) as Box<dyn Content>)
        }))
    }

    fn list<'a>(
        &'a self,
        container: &'a ContainerId,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> BlobReply<'a, Page> {
        Box::pin(self.call(move |call| {
            let first = hex::encode(OBJECTS);
            let cursor = cursor.unwrap_or(&first);
            let mut page = call.page(&bucket(container)?, Some(cursor), limit.max(1))?;
            for key in &mut page.keys {
                key.drain(..OBJECTS.len());
            }
            Ok(page)
        }))
    }

    fn delete<'a>(&'a self, container: &'a ContainerId, names: &'a [String]) -> BlobReply<'a, ()> {
        Box::pin(self.call(move |call| {
            names.iter().try_for_each(|name| check_object(name))?;
            let bucket = bucket(container)?;
            for name in names {
                self.take(call, &bucket, &format!("{OBJECTS}{name}"))?;
            }
            Ok(())
        }))
    }

    fn copy<'a>(
        &'a self,
        from: &'a ObjectId,
        to: &'a ObjectId,
        copying: Copying,
    ) -> BlobReply<'a, ()> {
        Box::pin(self.call(move |call| self.copy_now(call, (from, to), copying)))
    }

    fn purge<'a>(&'a self, service: &'a str) -> Reply<'a, ()> {
        self.buckets.call(move |call| {
            checked(service.to_owned())?;
            for bucket in call.buckets_of(service) {
                self.empty(call, &bucket)?;
            }
            Ok(())
        })
    }

    fn collect(&self) -> Reply<'_, u64> {
        self.buckets.call(|_| Ok(0))
    }

    fn usage(&self) -> Vec<(String, Usage)> {
        self.accounts().usage()
    }
}

// === impl MemoryUpload ===

impl Upload for MemoryUpload {
    fn write(&mut self, bytes: Bytes) -> BlobReply<'_, ()> {
        let admitted = match self.failed {
            true => Err(failed()),
            false => {
                let mut accounts = self.blobs.accounts();
                accounts.admit(&self.service, bytes.len() as u64, self.quota)
            }
        };
        self.failed = admitted.is_err();
        if admitted.is_ok() {
            self.bytes.extend_from_slice(&bytes);
        }
        Box::pin(std::future::ready(admitted))
    }

    fn finish(
        self: Box<Self>,
        object: ObjectId,
        now: SystemTime,
    ) -> BlobReply<'static, ObjectInfo> {
        Box::pin(async move {
            if self.failed {
                return Err(failed());
            }
            if object.container().service() != self.service {
                return Err(BlobError::NotOwn {
                    service: self.service.clone(),
                    container: object.container().clone(),
                });
            }
            let written = self.blobs.call(|call| {
                need(call, object.container())?;
                let raw = encode(now, &self.bytes);
                self.blobs.put(call, &object, &raw)?;
                Ok(parse(&raw)?.0)
            });
            written.await
        })
    }
}

impl Drop for MemoryUpload {
    fn drop(&mut self) {
        let incoming = self.bytes.len() as u64;
        self.blobs.accounts().settle(&self.service, incoming);
    }
}

// === impl MemoryContent ===

impl Content for MemoryContent {
    fn info(&self) -> ObjectInfo {
        self.info
    }

    fn left(&self) -> u64 {
        self.left.len() as u64
    }

    fn read(&mut self, most: usize) -> BlobReply<'_, Bytes> {
        // Not before it is asked for: a reply that is dropped has read nothing.
        Box::pin(async move { Ok(self.left.split_to(most.min(self.left.len()))) })
    }
}

fn need(call: &Call<'_>, container: &ContainerId) -> Result<(), BlobError> {
    let made = call.newest(&bucket(container)?, MADE);
    made.map(drop)
        .ok_or_else(|| BlobError::NoContainer(container.clone()))
}

fn bucket(container: &ContainerId) -> Result<BucketId, StoreError> {
    BucketId::new(container.service(), container.name())
}

fn place(object: &ObjectId) -> Result<(BucketId, String), StoreError> {
    let key = format!("{OBJECTS}{}", object.name());
    Ok((bucket(object.container())?, key))
}

fn encode(now: SystemTime, bytes: &[u8]) -> Vec<u8> {
    [&millis(now).to_be_bytes(), bytes].concat()
}

fn parse(raw: &[u8]) -> Result<(ObjectInfo, &[u8]), StoreError> {
    let damaged = || StoreError::Corrupt("a blob has an unknown form".into());
    let (created, bytes) = raw.split_first_chunk().ok_or_else(damaged)?;
    let info = ObjectInfo {
        size: bytes.len() as u64,
        created: time(Millis::from_be_bytes(*created)),
    };
    Ok((info, bytes))
}

fn failed() -> BlobError {
    StoreError::Io("the blob could not be written before".into()).into()
}
