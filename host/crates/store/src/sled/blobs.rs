//! Blobs: names in a tree, contents in files.
//!
//! A content is on disk, under its name there, before the batch that names it; a file that
//! no name leads to goes after the batch that took the last one is on disk. So a crash at
//! any point leaves whole objects, and at worst files to [collect](Blobs::collect).

mod collect;
mod content;
mod files;
mod names;
mod stored;
mod upload;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use self::content::DiskContent;
pub(super) use self::files::Files;
pub(super) use self::names::Names;
use self::upload::DiskUpload;
use crate::blobs::check_object;
use crate::keyvalue::checked;
use crate::{
    BlobError, BlobReply, Blobs, ContainerId, Content, Copying, ObjectId, ObjectInfo, Page, Reply,
    StoreError, Upload, Usage, waiting,
};

/// [`Blobs`] on a tree and files.
pub(super) struct SledBlobs(pub(super) Arc<Names>);

impl Blobs for SledBlobs {
    fn create<'a>(&'a self, container: &'a ContainerId, now: SystemTime) -> BlobReply<'a, ()> {
        Box::pin(async move {
            self.0.create(container, now)?;
            Ok(self.0.durable().await?)
        })
    }

    fn created<'a>(&'a self, container: &'a ContainerId) -> BlobReply<'a, Option<SystemTime>> {
        Box::pin(async move { Ok(self.0.created(container)?) })
    }

    fn remove<'a>(&'a self, container: &'a ContainerId) -> BlobReply<'a, ()> {
        Box::pin(async move {
            let unnamed = self.0.remove(container).await?;
            Ok(self.0.settle(unnamed).await?)
        })
    }

    fn begin<'a>(&'a self, service: &'a str, quota: u64) -> BlobReply<'a, Box<dyn Upload>> {
        Box::pin(async move {
            let service = checked(service.to_owned())?;
            let upload = DiskUpload::begin(Arc::clone(&self.0), service, quota).await?;
            Ok(Box::new(upload) as Box<dyn Upload>)
        })
    }

    fn head<'a>(&'a self, object: &'a ObjectId) -> BlobReply<'a, Option<ObjectInfo>> {
        Box::pin(async move { Ok(self.0.object(object)?.map(|found| found.info())) })
    }

    fn open<'a>(
        &'a self,
        object: &'a ObjectId,
        range: Range<u64>,
    ) -> BlobReply<'a, Box<dyn Content>> {
        Box::pin(async move {
            let mut seen = None;
            loop {
                let found = self.0.object(object)?;
                let found = found.ok_or_else(|| BlobError::NoObject(object.clone()))?;
                if let Some(file) = self.0.files.open(found.digest).await? {
                    let content = DiskContent::new(file, found, range);
                    return Ok(Box::new(content) as Box<dyn Content>);
                }
                // A file goes when no name leads to it: look again, once for each entry.
                if seen == Some(found) {
                    let missing = format!("the content of {object:?} is missing");
                    return Err(StoreError::Corrupt(missing.into()).into());
                }
                seen = Some(found);
            }
        })
    }

    fn list<'a>(
        &'a self,
        container: &'a ContainerId,
        cursor: Option<&'a str>,
        limit: usize,
    ) -> BlobReply<'a, Page> {
        Box::pin(async move { Ok(self.0.page(container, cursor, limit.max(1))?) })
    }

    fn delete<'a>(&'a self, container: &'a ContainerId, names: &'a [String]) -> BlobReply<'a, ()> {
        Box::pin(async move {
            names.iter().try_for_each(|name| check_object(name))?;
            let unnamed = self.0.delete(container, names).await?;
            Ok(self.0.settle(unnamed).await?)
        })
    }

    fn copy<'a>(
        &'a self,
        from: &'a ObjectId,
        to: &'a ObjectId,
        copying: Copying,
    ) -> BlobReply<'a, ()> {
        Box::pin(async move {
            let unnamed = self.0.copy(from, to, copying).await?;
            Ok(self.0.settle(unnamed).await?)
        })
    }

    fn purge<'a>(&'a self, service: &'a str) -> Reply<'a, ()> {
        waiting(async move {
            let service = checked(service.to_owned())?;
            let unnamed = self.0.purge(&service).await?;
            self.0.settle(unnamed).await
        })
    }

    fn collect(&self) -> Reply<'_, u64> {
        waiting(self.0.collect())
    }

    fn usage(&self) -> Vec<(String, Usage)> {
        self.0.accounts().usage()
    }
}
