//! A write of a bucket and messages of queues in one step.

use std::time::SystemTime;

use super::log::{Bounds, Full, NewMessage};
use super::{BucketId, Current, Reply};

/// Writes and appends what belongs together: all of it, or nothing.
pub trait Commit: Send + Sync {
    /// Writes a value if what is there is what was expected, and appends messages. All of
    /// it is there after a crash, or nothing; when the reply is there, it is on disk.
    ///
    /// # Errors
    /// As [`KeyValue::compare_and_swap`](super::KeyValue::compare_and_swap) and
    /// [`Log::append`](super::Log::append). [`Uncommitted`]: nothing has changed.
    fn commit<'a>(
        &'a self,
        swap: Swap<'a>,
        appends: Vec<Append>,
        now: SystemTime,
    ) -> Reply<'a, Result<(), Uncommitted>>;
}

/// A value to write over another.
#[derive(Debug, Clone, Copy)]
pub struct Swap<'a> {
    /// The bucket.
    pub bucket: &'a BucketId,
    /// The key.
    pub key: &'a str,
    /// What must be there; `None` is nothing.
    pub expected: Option<&'a [u8]>,
    /// What is to be there.
    pub new: &'a [u8],
}

/// A message to append to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The queue.
    pub queue: String,
    /// The message.
    pub message: NewMessage,
    /// How much may be in the queue with it. Of several for one queue, the first counts.
    pub bounds: Bounds,
}

/// Why nothing was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uncommitted {
    /// Something else is there than was expected.
    Stale(Current),
    /// A queue would pass its bounds.
    Full {
        /// The queue.
        queue: String,
        /// Which bound.
        full: Full,
    },
}
