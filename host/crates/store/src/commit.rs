//! A write of a bucket and messages of queues in one step.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::log::{Bounds, Full, NewMessage, check_message};
use super::{BucketId, Current, Reply, StoreError};

/// Writes and appends what belongs together: all of it, or nothing.
///
/// Who has it from the same engine as a [`KeyValue`](super::KeyValue) is the same caller:
/// what was committed is a write of its own.
pub trait Commit: Send + Sync {
    /// Writes a value if what is there is what was expected, and appends messages. All of
    /// it is there after a crash, or nothing; when the reply is there, it is on disk.
    ///
    /// # Errors
    /// As [`KeyValue::compare_and_swap`](super::KeyValue::compare_and_swap) and
    /// [`Log::append`](super::Log::append). [`Uncommitted`]: nothing has changed. After
    /// another error it may have been committed or not.
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

/// Messages by queue, in the order of their names: two commits that want the same queues
/// do not wait for each other.
pub(crate) type ByQueue = BTreeMap<String, (Bounds, Vec<NewMessage>)>;

/// What a commit appends to each queue.
///
/// # Errors
/// As [`Log::append`](super::Log::append) has for a message that can't be one.
pub(crate) fn by_queue(appends: Vec<Append>) -> Result<ByQueue, StoreError> {
    let mut by_queue = ByQueue::new();
    for append in appends {
        check_message(&append.queue, &append.message)?;
        let of = by_queue.entry(append.queue);
        let (_, messages) = of.or_insert_with(|| (append.bounds, Vec::new()));
        messages.push(append.message);
    }
    Ok(by_queue)
}
