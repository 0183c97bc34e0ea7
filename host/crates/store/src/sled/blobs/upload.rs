//! A content on its way to its file.

use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;

use super::files::{Digest, Files, NewFile, Pin, blocking};
use super::names::Names;
use super::stored::Entry;
use crate::{BlobError, BlobReply, ObjectId, ObjectInfo, StoreError, Upload};

/// What is written at once, in bytes: enough that handing it to another thread costs
/// little beside writing it.
const PIECE: usize = 256 << 10;

/// [`Upload`] to a file.
pub(super) struct DiskUpload {
    incoming: Incoming,
    /// None after an error.
    writing: Option<Writing>,
}

/// What counts as coming in, until it is dropped.
struct Incoming {
    names: Arc<Names>,
    service: String,
    quota: u64,
    bytes: u64,
}

struct Writing {
    file: NewFile,
    hash: Context,
    /// What is not in the file yet.
    buffer: Vec<u8>,
}

// === impl DiskUpload ===

impl DiskUpload {
    pub(super) async fn begin(
        names: Arc<Names>,
        service: String,
        quota: u64,
    ) -> Result<Self, StoreError> {
        let files = Arc::clone(&names.files);
        let file = blocking(move || files.create()).await?;
        Ok(Self {
            incoming: Incoming {
                names,
                service,
                quota,
                bytes: 0,
            },
            writing: Some(Writing {
                file,
                hash: Context::new(&SHA256),
                buffer: Vec::new(),
            }),
        })
    }

    fn writing(&mut self) -> Result<Writing, StoreError> {
        let failed = || StoreError::Io("the blob could not be written before".into());
        self.writing.take().ok_or_else(failed)
    }
}

impl Upload for DiskUpload {
    fn write(&mut self, bytes: Bytes) -> BlobReply<'_, ()> {
        Box::pin(async move {
            let mut writing = self.writing()?;
            self.incoming.admit(bytes.len() as u64)?;
            writing.buffer.extend_from_slice(&bytes);
            if writing.buffer.len() >= PIECE {
                let spilt = blocking(move || writing.spill().map(|()| writing));
                writing = spilt.await?;
            }
            self.writing = Some(writing);
            Ok(())
        })
    }

    fn finish(
        mut self: Box<Self>,
        object: ObjectId,
        now: SystemTime,
    ) -> BlobReply<'static, ObjectInfo> {
        Box::pin(async move {
            let (incoming, container) = (&self.incoming, object.container());
            if container.service() != incoming.service {
                return Err(BlobError::NotOwn {
                    service: incoming.service.clone(),
                    container: container.clone(),
                });
            }
            let names = Arc::clone(&incoming.names);
            names.need(container)?;
            let mut writing = self.writing()?;
            let written = blocking(move || writing.spill().map(|()| writing)).await?;
            let (file, digest) = written.end()?;
            let pin = names.files.pin(digest).await;
            let pin = keep(&names.files, file, pin).await?;
            let entry = Entry::new(now, self.incoming.bytes, digest);
            let replaced = names.name(&object, &entry, pin)?;
            // It counts as kept.
            self.incoming.bytes = 0;
            names.settle(replaced).await?;
            Ok(entry.info())
        })
    }
}

/// Both go to the thread that works on the file: it may be at it longer than who waits.
async fn keep(files: &Arc<Files>, mut file: NewFile, pin: Pin) -> Result<Pin, StoreError> {
    let files = Arc::clone(files);
    blocking(move || files.keep(&mut file, &pin).map(|()| pin)).await
}

// === impl Incoming ===

impl Incoming {
    fn admit(&mut self, more: u64) -> Result<(), BlobError> {
        let mut accounts = self.names.accounts();
        accounts.admit(&self.service, more, self.quota)?;
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.names.accounts().settle(&self.service, self.bytes);
    }
}

// === impl Writing ===

impl Writing {
    /// Puts into the file what is not there yet. Blocks.
    fn spill(&mut self) -> Result<(), StoreError> {
        self.hash.update(&self.buffer);
        let written = self.file.file.write_all(&self.buffer);
        written.map_err(|fault| StoreError::io("writing a blob", &fault))?;
        self.buffer.clear();
        Ok(())
    }

    fn end(self) -> Result<(NewFile, Digest), StoreError> {
        let digest = self.hash.finish();
        let digest = Digest::try_from(digest.as_ref());
        let digest = digest.map_err(|_| StoreError::Io("a digest has a strange length".into()))?;
        Ok((self.file, digest))
    }
}
