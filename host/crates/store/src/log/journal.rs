//! What is written down of queues, and what keeps it.

use std::sync::Arc;

use super::index::Millis;
use crate::StoreError;

/// What tells two messages of a queue apart for [`super::Dedupe`]: a hash of the id.
pub(crate) type Digest = [u8; 16];

/// Keeps the changes of queues, in the order in which they were applied.
pub(crate) trait Journal: Send + Sync + 'static {
    /// There when all that was applied before is on disk.
    type Durable: Future<Output = Result<(), StoreError>> + Send + 'static;

    /// Ask before a change: what can't become durable should not be visible.
    fn check(&self) -> Result<(), StoreError>;

    /// Applies changes of one queue, all or none, without waiting for the disk.
    fn apply(&self, queue: &str, writes: &[Write]) -> Result<(), StoreError>;

    /// See [`Self::Durable`].
    fn durable(&self) -> Self::Durable;

    /// The first `most` bytes of a message's body.
    fn body(&self, queue: &str, id: u64, most: usize) -> Result<Option<Vec<u8>>, StoreError>;

    /// What was marked last of a message for a subscriber.
    fn mark(&self, queue: &str, id: u64, subscriber: &str) -> Result<Option<Mark>, StoreError>;

    /// The message with that id, and how long it is remembered.
    fn remembered(&self, queue: &str, of: &Digest) -> Result<Option<Remembered>, StoreError>;
}

/// A change to a queue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Write {
    /// Numbers below may be given out.
    Reserve(u64),
    /// Messages before that number wait for nobody who may still come: those that no
    /// subscriber needs are to be removed.
    Floor(u64),
    /// A message is there.
    Message(Record),
    /// A message is gone, and all marks of it.
    Gone(Gone),
    /// How it is with a message for a subscriber; without a mark it is as it was
    /// appended.
    Mark {
        id: u64,
        subscriber: Arc<str>,
        mark: Mark,
    },
    /// There is a subscriber, which gets the messages from `from` on.
    Subscriber { name: Arc<str>, from: u64 },
    /// There is none of that name any more. Marks for it mean nothing from now on.
    NoSubscriber { name: Arc<str> },
    /// The id of a message is to be remembered.
    Remember { of: Digest, what: Remembered },
    /// Ids that were remembered until `now` are forgotten, `most` at most.
    ForgetUntil { now: Millis, most: usize },
}

/// A message as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) body: Vec<u8>,
    pub(crate) enqueued: Millis,
    pub(crate) due: Millis,
}

/// A message to remove.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gone {
    pub(crate) id: u64,
    /// Bytes of its body.
    pub(crate) size: usize,
    /// Bytes of its key.
    pub(crate) key: usize,
    /// There may be marks of it.
    pub(crate) marked: bool,
}

/// What became of a message for a subscriber.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    pub(crate) verdict: Verdict,
    /// Since it was appended or redriven.
    pub(crate) attempts: u32,
    /// For [`Verdict::Again`]: not before; 0 is at once.
    pub(crate) due: Millis,
    /// How the last attempt ended that failed.
    pub(crate) error: Option<String>,
}

/// See [`Mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done with it: others still need it.
    Done,
    /// It is to be delivered again.
    Again,
    /// A dead letter.
    Dead,
    /// Its key stands still with it.
    Paused,
}

/// A message whose repetition would be a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) id: u64,
    pub(crate) until: Millis,
}

// === impl Mark ===

impl Mark {
    /// The subscriber is done with it.
    pub(crate) fn done() -> Self {
        Self {
            verdict: Verdict::Done,
            attempts: 0,
            due: 0,
            error: None,
        }
    }
}
