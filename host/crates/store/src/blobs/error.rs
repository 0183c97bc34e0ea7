//! Why blobs could not be written or read.

use super::{ContainerId, MAX_OBJECT_NAME, ObjectId};
use crate::StoreError;

/// What [`Blobs`](crate::Blobs) refuse, and what they fail with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BlobError {
    /// The engine failed, or could not take a name.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service would keep more than it may.
    #[error(
        "{service} has {used} bytes of blobs, of {quota} that it may have, and {more} more don't fit"
    )]
    Full {
        /// Whose blobs they are.
        service: String,
        /// What it has, with what is coming in.
        used: u64,
        /// What it may have.
        quota: u64,
        /// What was to come.
        more: u64,
    },
    /// The container is not there.
    #[error("there is no container {}: create it first", .0.name())]
    NoContainer(ContainerId),
    /// The object is not there.
    #[error("there is no object {:?} in the container {}", .0.name(), .0.container().name())]
    NoObject(ObjectId),
    /// A name of an object that can't be one.
    #[error("expected an object's name of 1 to {MAX_OBJECT_NAME} bytes, found {found}")]
    BadObject {
        /// Bytes that it has.
        found: usize,
    },
    /// Another service's container was to get what counts as this one's.
    #[error("expected a container of {service}, for which it was written, found {container}")]
    NotOwn {
        /// Whose it is.
        service: String,
        /// Where it was to go.
        container: ContainerId,
    },
}
