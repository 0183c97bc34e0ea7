//! Durable state: what guests keep in buckets and in blobs, what waits in queues, what the host knows
//! of itself, and which of many hosts does what.
//!
//! The traits say what state can do; [`Store`] is the one for a single machine.
//! A write whose future completed is on disk and survives `kill -9` and the loss
//! of power. A read never waits for the disk's acknowledgement: it may see a
//! write that is still on its way there. A later write to the same [`Store`] that
//! completes puts that one on disk too.
//!
//! Nothing here knows of WebAssembly, of grants or of limits for guests.

mod blobs;
mod commit;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod disk;
mod error;
mod expiring;
mod keyvalue;
mod leases;
pub mod log;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
mod moment;
mod records;
mod secret;
pub mod secrets;
mod sled;

pub use self::blobs::{
    BlobError, BlobReply, Blobs, ContainerId, Content, Copying, MAX_OBJECT_NAME, ObjectId,
    ObjectInfo, Source, Upload, Usage,
};
pub use self::commit::{Append, Commit, Swap, Uncommitted};
pub use self::disk::bytes_in;
pub use self::error::StoreError;
pub use self::expiring::{Expiring, KeyDigest, OWNER};
pub use self::keyvalue::{BucketId, Current, KeyValue, MAX_KEY, MAX_VALUE, Page};
pub use self::leases::{Held, Lease, Leases, Term};
pub use self::log::Log;
pub use self::moment::{Flushed, Moment, Watch};
pub use self::records::{Change, Records};
pub use self::secret::{make_secret, read_secret};
pub use self::sled::Store;

use futures::future::{BoxFuture, Either, Ready};

/// An answer of the store: ready at once, or a future where it must wait. Only
/// the second kind allocates.
pub type Reply<'a, T> = Either<Ready<Result<T, StoreError>>, BoxFuture<'a, Result<T, StoreError>>>;

/// A reply that is there already.
pub fn ready<'a, T>(result: Result<T, StoreError>) -> Reply<'a, T> {
    Either::Left(futures::future::ready(result))
}

/// A reply that takes its time.
pub fn waiting<'a, T>(
    reply: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> Reply<'a, T> {
    Either::Right(Box::pin(reply))
}
