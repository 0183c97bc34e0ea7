//! Objects that are being written.
//!
//! A task takes what the guest writes, a piece at a time, and hands it to the store: while
//! it waits for the disk, the guest waits for it. It ends with its value, and with it what
//! was not finished.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::error::Error;
use crate::capabilities::CapabilitiesView;
use stoa_store::{ObjectId, Upload};

/// What a guest may write at once, in bytes: as much as WASI's own streams.
const PERMIT: usize = 64 << 10;

/// `wasi:blobstore/types.outgoing-value`.
#[derive(Default)]
pub struct Outgoing {
    target: Option<ObjectId>,
    writing: Option<Writing>,
    failure: Failure,
}

/// The task that writes, and that a file is open for it.
struct Writing {
    task: AbortOnDropJoinHandle<Option<Box<dyn Upload>>>,
    _open: OwnedSemaphorePermit,
}

/// Why it could not be written.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<String>>>);

/// The stream that takes its content.
struct Body {
    pieces: mpsc::Sender<Bytes>,
    failure: Failure,
    /// Why, was said.
    told: bool,
}

// === impl CapabilitiesView ===

impl CapabilitiesView<'_> {
    pub(super) async fn begin_body(
        &mut self,
        value: &Resource<Outgoing>,
    ) -> Result<Option<Resource<DynOutputStream>>, Error> {
        if self.table.get(value)?.writing.is_some() {
            return Ok(None);
        }
        let begun = match self.begin_upload().await {
            Ok(begun) => begun,
            Err(Error::Told(reason)) => {
                self.table.get(value)?.failure.set(reason);
                return Ok(None);
            }
            Err(trap) => return Err(trap),
        };
        let (upload, open) = begun;
        let (pieces, taken) = mpsc::channel(1);
        let outgoing = self.table.get_mut(value)?;
        let failure = outgoing.failure.clone();
        outgoing.writing = Some(Writing {
            task: spawn(write(upload, taken, failure.clone())),
            _open: open,
        });
        let body: DynOutputStream = Box::new(Body {
            pieces,
            failure,
            told: false,
        });
        Ok(Some(self.table.push_child(body, value)?))
    }

    async fn begin_upload(&mut self) -> Result<(Box<dyn Upload>, OwnedSemaphorePermit), Error> {
        let open = self.open_blob()?;
        let granted = &self.ctx.granted;
        let quota = granted.blob_limits.quota;
        let upload = granted.blobs.begin(&granted.service, quota).await?;
        Ok((upload, open))
    }

    /// Says where a value goes that is being written.
    pub(super) fn aim(
        &mut self,
        value: &Resource<Outgoing>,
        target: ObjectId,
    ) -> Result<(), Error> {
        let outgoing = self.table.get_mut(value)?;
        if let Some(there) = &outgoing.target {
            return Err(Error::Told(format!(
                "expected a value without a name, found the one of {:?}: write another value, or copy the object",
                there.name()
            )));
        }
        outgoing.target = Some(target);
        Ok(())
    }

    pub(super) async fn finish_outgoing(&mut self, value: Resource<Outgoing>) -> Result<(), Error> {
        // Its stream must be gone: else this is a trap.
        let outgoing = self.table.delete(value)?;
        let told = |reason: Option<String>| {
            Error::Told(reason.unwrap_or_else(|| "the value could not be written".to_owned()))
        };
        if let reason @ Some(_) = outgoing.failure.get() {
            return Err(told(reason));
        }
        let target = outgoing.target.ok_or_else(|| {
            told(Some(
                "expected `write-data` to say where the value goes before `finish`".to_owned(),
            ))
        })?;
        let upload = match outgoing.writing {
            Some(writing) => writing.task.await,
            None => Some(self.begin_upload().await?.0),
        };
        let upload = upload.ok_or_else(|| told(outgoing.failure.get()))?;
        upload.finish(target, SystemTime::now()).await?;
        Ok(())
    }
}

/// Writes until there is no more. Nothing if it failed.
async fn write(
    mut upload: Box<dyn Upload>,
    mut pieces: mpsc::Receiver<Bytes>,
    failure: Failure,
) -> Option<Box<dyn Upload>> {
    while let Some(piece) = pieces.recv().await {
        if let Err(error) = upload.write(piece).await {
            failure.set(match Error::from(error) {
                Error::Told(reason) => reason,
                Error::Trap(fault) => fault.to_string(),
            });
            return None;
        }
    }
    Some(upload)
}

// === impl Failure ===

impl Failure {
    fn set(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    fn get(&self) -> Option<String> {
        let reason = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reason.clone()
    }
}

// === impl Body ===

impl Body {
    /// It takes no more: says why, once.
    fn closed(&mut self) -> StreamError {
        match self.failure.get() {
            Some(reason) if !self.told => {
                self.told = true;
                StreamError::LastOperationFailed(wasmtime::Error::msg(reason))
            }
            _ => StreamError::Closed,
        }
    }
}

impl OutputStream for Body {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > PERMIT {
            return Err(StreamError::trap("more was written than was permitted"));
        }
        match self.pieces.try_send(bytes) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.closed()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(StreamError::trap("it was written without a permit"))
            }
        }
    }

    // What was written is on disk when its value is finished, and not before.
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self.pieces.capacity() {
            _ if self.pieces.is_closed() => Err(self.closed()),
            0 => Ok(0),
            _ => Ok(PERMIT),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        // Closed is ready, too.
        drop(self.pieces.reserve().await);
    }
}
