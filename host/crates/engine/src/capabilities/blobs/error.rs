//! What a guest is told when blobs refuse.

use wasmtime::component::ResourceTableError;

use stoa_store::{BlobError, StoreError};
use stoa_telemetry::Seldom;

/// The disk fails each call of each service at once.
static UNUSABLE: Seldom = Seldom::new();

/// `wasi:blobstore/types.error`, or a trap where the guest broke the rules of the
/// component model.
#[derive(Debug)]
pub(super) enum Error {
    Told(String),
    Trap(wasmtime::Error),
}

impl Error {
    /// As the bindings have it.
    pub(super) fn told<T>(result: Result<T, Self>) -> wasmtime::Result<Result<T, String>> {
        match result {
            Ok(done) => Ok(Ok(done)),
            Err(Self::Told(text)) => Ok(Err(text)),
            Err(Self::Trap(fault)) => Err(fault),
        }
    }
}

impl From<BlobError> for Error {
    /// The guest's own faults are told to it, the host's go to the host's log: a guest can
    /// do nothing about a disk, and should not see the host's paths.
    fn from(fault: BlobError) -> Self {
        match fault {
            BlobError::Store(fault) => fault.into(),
            BlobError::Full { ref service, .. } => Self::Told(format!(
                "{fault}: delete objects, or raise `blobs` in [service.{service}.limits]"
            )),
            refused => Self::Told(refused.to_string()),
        }
    }
}

impl From<StoreError> for Error {
    fn from(fault: StoreError) -> Self {
        if matches!(fault, StoreError::BadName { .. } | StoreError::BadCursor) {
            return Self::Told(fault.to_string());
        }
        if UNUSABLE.is_due() {
            tracing::error!(%fault, "blobs can't be used");
        }
        Self::Told("the store can't do this now: the host's log has the reason".to_owned())
    }
}

impl From<ResourceTableError> for Error {
    fn from(fault: ResourceTableError) -> Self {
        match fault {
            ResourceTableError::Full => {
                Self::Told("too many resources are open: drop the handles that are done".to_owned())
            }
            other => Self::Trap(other.into()),
        }
    }
}
