//! Why the store could not do what it was asked.

use std::path::PathBuf;
use std::sync::Arc;

/// A failure of the store. Cheap to clone: one failed flush fails many writes.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process has the data directory.
    #[error("the data directory {} is in use by {holder}: stop that host, or choose another directory with --data", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// Who has it, as far as it is known.
        holder: String,
    },
    /// The data directory can't be made, read or written.
    #[error("the data directory {} can't be used: {reason}: check its owner and permissions, or choose another with --data", dir.display())]
    NotWritable {
        /// The data directory.
        dir: PathBuf,
        /// What the operating system said.
        reason: Arc<str>,
    },
    /// What is on disk is not what was written.
    #[error(
        "stored data is damaged: {0}: restore a backup, or move the data directory away to begin with an empty one"
    )]
    Corrupt(Arc<str>),
    /// The disk is full.
    #[error("no space left for the store: {0}: free some space and restart the host")]
    NoSpace(Arc<str>),
    /// The disk failed otherwise.
    #[error("the store could not reach its disk: {0}")]
    Io(Arc<str>),
    /// An earlier write failed to reach the disk. What the operating system
    /// keeps in memory can't be trusted after that, so nothing is written until
    /// a restart has read the disk again.
    #[error("the store stopped writing after a failure, restart the host: {0}")]
    Stopped(Arc<str>),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A name of a bucket, container, service, queue or subscriber that can't be one.
    #[error("expected a name of 1 to {max} bytes without control characters, and without '/' if it is a bucket's, a container's or a service's, found {found:?}", max = super::BucketId::MAX_NAME)]
    BadName {
        /// The name.
        found: String,
    },
    /// Only a decimal number of 64 bits can be incremented.
    #[error(
        "expected a decimal number between -2^63 and 2^63-1 at {key:?} to increment, found {found}"
    )]
    NotANumber {
        /// The key.
        key: String,
        /// The start of the value, for people.
        found: String,
    },
    /// The sum does not fit 64 bits.
    #[error(
        "adding {delta} to {current} at {key:?} would leave the range of a signed 64-bit number"
    )]
    Overflow {
        /// The key.
        key: String,
        /// The number that is there, and stays.
        current: i64,
        /// What was to be added.
        delta: i64,
    },
    /// A cursor that no listing gave out.
    #[error(
        "expected a cursor that an earlier page of this bucket returned: begin the listing again without one"
    )]
    BadCursor,
    /// An answer would hold more than the caller has room for, or something to write
    /// is longer than it may be.
    #[error("expected at most {limit} bytes, found more: ask for, or send, less at once")]
    TooLarge {
        /// The room, in bytes.
        limit: usize,
    },
}

impl StoreError {
    /// Sorts an error of the operating system.
    pub(super) fn io(doing: &str, fault: &std::io::Error) -> Self {
        let text = format!("{doing}: {fault}").into();
        match fault.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::NoSpace(text)
            }
            _ => Self::Io(text),
        }
    }
}
