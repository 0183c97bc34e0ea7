//! What a container does.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::OwnedSemaphorePermit;

use super::error::Error;
use super::naming::{self, Access};
use crate::capabilities::{CapabilitiesView, Granted};
use stoa_store::{BlobError, ContainerId, Copying, ObjectId, ObjectInfo, Page, Source};

/// `wasi:blobstore/container.container`: it is there as far as is known.
#[derive(Clone)]
pub struct Container {
    granted: Arc<Granted>,
    /// As the guest calls it.
    name: String,
    id: ContainerId,
}

/// `wasi:blobstore/container.stream-object-names`.
pub struct Names {
    container: Container,
    cursor: Option<String>,
    ended: bool,
}

/// An object as a guest names it: its container and itself.
pub(super) type Named<'a> = (&'a str, &'a str);

// === impl CapabilitiesView ===

impl CapabilitiesView<'_> {
    /// A container, whether or not it is there.
    fn container(&self, name: &str, access: Access) -> Result<Container, Error> {
        let granted = &self.ctx.granted;
        Ok(Container {
            id: naming::resolve(granted, name, access)?,
            granted: Arc::clone(granted),
            name: name.to_owned(),
        })
    }

    pub(super) async fn create(&mut self, name: &str) -> Result<Container, Error> {
        let container = self.container(name, Access::Write)?;
        let blobs = &self.ctx.granted.blobs;
        blobs.create(&container.id, SystemTime::now()).await?;
        Ok(container)
    }

    pub(super) async fn find(&mut self, name: &str) -> Result<Container, Error> {
        let container = self.container(name, Access::Read)?;
        container.created().await?;
        Ok(container)
    }

    pub(super) async fn exists(&mut self, name: &str) -> Result<bool, Error> {
        let container = self.container(name, Access::Read)?;
        let created = self.ctx.granted.blobs.created(&container.id).await?;
        Ok(created.is_some())
    }

    pub(super) async fn remove(&mut self, name: &str) -> Result<(), Error> {
        let container = self.container(name, Access::Write)?;
        Ok(self.ctx.granted.blobs.remove(&container.id).await?)
    }

    pub(super) async fn copy(
        &mut self,
        from: Named<'_>,
        to: Named<'_>,
        source: Source,
    ) -> Result<(), Error> {
        let access = match source {
            Source::Stays => Access::Read,
            Source::Goes => Access::Write,
        };
        let from = self.container(from.0, access)?.object(from.1)?;
        let to = self.container(to.0, Access::Write)?.object(to.1)?;
        let granted = &self.ctx.granted;
        let copying = Copying {
            source,
            quota: granted.blob_limits.quota,
            now: SystemTime::now(),
        };
        Ok(granted.blobs.copy(&from, &to, copying).await?)
    }

    /// That one more object is open, until it is dropped.
    pub(super) fn open_blob(&self) -> Result<OwnedSemaphorePermit, Error> {
        let permit = Arc::clone(&self.ctx.open_blobs).try_acquire_owned();
        permit.map_err(|_| {
            let open = self.ctx.granted.blob_limits.open;
            Error::Told(format!(
                "expected at most {open} objects to be read and written at a time: drop those that are done"
            ))
        })
    }
}

// === impl Container ===

impl Container {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// An object of it, whether or not it is there.
    pub(super) fn object(&self, name: &str) -> Result<ObjectId, Error> {
        Ok(ObjectId::new(self.id.clone(), name)?)
    }

    /// One that may be changed.
    pub(super) fn object_to_write(&self, name: &str) -> Result<ObjectId, Error> {
        self.check_write()?;
        self.object(name)
    }

    pub(super) async fn created(&self) -> Result<u64, Error> {
        let created = self.granted.blobs.created(&self.id).await?;
        let created = created.ok_or_else(|| BlobError::NoContainer(self.id.clone()))?;
        Ok(seconds(created))
    }

    pub(super) async fn head(&self, name: &str) -> Result<Option<ObjectInfo>, Error> {
        Ok(self.granted.blobs.head(&self.object(name)?).await?)
    }

    /// When an object was written, and its bytes.
    pub(super) async fn info(&self, name: &str) -> Result<(u64, u64), Error> {
        let object = self.object(name)?;
        let found = self.granted.blobs.head(&object).await?;
        let found = found.ok_or(BlobError::NoObject(object))?;
        Ok((seconds(found.created), found.size))
    }

    pub(super) async fn delete(&self, names: &[String]) -> Result<(), Error> {
        self.check_write()?;
        let (limit, found) = (self.granted.blob_limits.names, names.len());
        if found > limit {
            return Err(Error::Told(format!(
                "expected at most {limit} names at once, found {found}"
            )));
        }
        Ok(self.granted.blobs.delete(&self.id, names).await?)
    }

    pub(super) async fn clear(&self) -> Result<(), Error> {
        self.check_write()?;
        loop {
            let Page { keys, cursor } = self.page(None, usize::MAX).await?;
            self.granted.blobs.delete(&self.id, &keys).await?;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    pub(super) fn names(&self) -> Names {
        Names {
            container: self.clone(),
            cursor: None,
            ended: false,
        }
    }

    async fn page(&self, cursor: Option<&str>, most: usize) -> Result<Page, Error> {
        let limit = most.min(self.granted.blob_limits.names);
        Ok(self.granted.blobs.list(&self.id, cursor, limit).await?)
    }

    /// A handle may have been got for reading.
    fn check_write(&self) -> Result<(), Error> {
        naming::resolve(&self.granted, &self.name, Access::Write).map(drop)
    }
}

// === impl Names ===

impl Names {
    /// The next ones, and whether they are the last: `most`, or as many as are given at
    /// once.
    pub(super) async fn next(&mut self, most: u64) -> Result<(Vec<String>, bool), Error> {
        if self.ended || most == 0 {
            return Ok((Vec::new(), self.ended));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let page = self.container.page(self.cursor.as_deref(), most).await?;
        self.ended = page.cursor.is_none();
        self.cursor = page.cursor;
        Ok((page.keys, self.ended))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
