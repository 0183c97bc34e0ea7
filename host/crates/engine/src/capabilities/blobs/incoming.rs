//! Objects that are being read.

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult};

use super::error::Error;
use crate::capabilities::CapabilitiesView;
use stoa_store::{Content, ObjectId};

/// What is read ahead of a guest, in bytes: as much as WASI's own streams.
const PIECE: usize = 64 << 10;

/// `wasi:blobstore/types.incoming-value`.
pub struct Incoming {
    content: Box<dyn Content>,
    /// A file is open for it.
    open: OwnedSemaphorePermit,
}

/// The stream that gives its content.
struct Body {
    content: Box<dyn Content>,
    /// What was read, and not taken.
    ahead: Bytes,
    failure: Option<Error>,
    _open: OwnedSemaphorePermit,
}

// === impl Incoming ===

impl Incoming {
    /// Bytes in it.
    pub(super) fn size(&self) -> u64 {
        self.content.left()
    }
}

// === impl CapabilitiesView ===

impl CapabilitiesView<'_> {
    /// Begins to read an object, from its byte `start` to its byte `end`, that one included.
    pub(super) async fn open_incoming(
        &mut self,
        object: &ObjectId,
        (start, end): (u64, u64),
    ) -> Result<Resource<Incoming>, Error> {
        if end < start {
            return Err(Error::Told(format!(
                "expected a range that ends where it begins or after, found {start} to {end}"
            )));
        }
        let open = self.open_blob()?;
        let range = start..end.saturating_add(1);
        let content = self.ctx.granted.blobs.open(object, range).await?;
        let size = content.info().size;
        if start > size {
            return Err(Error::Told(format!(
                "expected a range that begins within the {size} bytes of {:?}, found {start}",
                object.name()
            )));
        }
        Ok(self.table.push(Incoming { content, open })?)
    }

    pub(super) async fn consume_whole(
        &mut self,
        value: Resource<Incoming>,
    ) -> Result<Vec<u8>, Error> {
        let mut incoming = self.table.delete(value)?;
        let (size, limit) = (incoming.size(), self.ctx.granted.blob_limits.whole);
        if size > limit {
            return Err(Error::Told(format!(
                "expected at most {limit} bytes to read at once, found {size}: read them as a stream"
            )));
        }
        let mut whole = Vec::with_capacity(size as usize);
        while incoming.size() > 0 {
            whole.extend_from_slice(&incoming.content.read(PIECE).await?);
        }
        Ok(whole)
    }

    pub(super) fn consume_stream(
        &mut self,
        value: Resource<Incoming>,
    ) -> Result<Resource<DynInputStream>, Error> {
        let Incoming { content, open } = self.table.delete(value)?;
        let body: DynInputStream = Box::new(Body {
            content,
            ahead: Bytes::new(),
            failure: None,
            _open: open,
        });
        Ok(self.table.push(body)?)
    }
}

// === impl Body ===

impl InputStream for Body {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if !self.ahead.is_empty() {
            return Ok(self.ahead.split_to(size.min(self.ahead.len())));
        }
        match self.failure.take() {
            Some(Error::Told(reason)) => {
                // It does not go on behind what could not be read.
                self.failure = Some(Error::Told(reason.clone()));
                Err(StreamError::LastOperationFailed(wasmtime::Error::msg(
                    reason,
                )))
            }
            Some(Error::Trap(fault)) => Err(StreamError::Trap(fault)),
            None if self.content.left() == 0 => Err(StreamError::Closed),
            None => Ok(Bytes::new()),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        if !self.ahead.is_empty() || self.failure.is_some() || self.content.left() == 0 {
            return;
        }
        match self.content.read(PIECE).await {
            Ok(bytes) => self.ahead = bytes,
            Err(error) => self.failure = Some(error.into()),
        }
    }
}
