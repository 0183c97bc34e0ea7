//! What goes into a log and comes out of it.

use std::sync::Arc;
use std::time::SystemTime;

/// A message to append.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// Messages of one key are delivered one after the other; those without one are
    /// not ordered. At most [`MAX_KEY`](super::MAX_KEY) bytes.
    pub key: Option<String>,
    /// Opaque. At most [`MAX_BODY`](super::MAX_BODY) bytes.
    pub body: Vec<u8>,
    /// Not delivered before; `None` is at once.
    pub due: Option<SystemTime>,
    /// Appended once though it may be sent twice.
    pub dedupe: Option<Dedupe>,
}

/// What tells that two messages are the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedupe {
    /// The sender's own id of the message; each queue knows its own.
    pub id: String,
    /// How long the id is remembered. A repetition does not make it longer.
    pub until: SystemTime,
}

/// How much may be in a queue, whatever its standing and however many subscribers need
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Messages.
    pub messages: u64,
    /// Bytes of all bodies and keys.
    pub bytes: u64,
}

/// A message that is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its number in the queue, greater than those of all before. Of a duplicate, the
    /// number that the first one got.
    pub id: u64,
    /// It had been appended before, and was not appended again.
    pub duplicate: bool,
}

/// Why a queue took nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue holds {there} {bound}, and may hold {limit}")]
pub struct Full {
    /// What there would be too much of.
    pub bound: Bound,
    /// How much there may be.
    pub limit: u64,
    /// How much there is.
    pub there: u64,
}

/// One of [`Bounds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The number of messages.
    Messages,
    /// The bytes of their bodies and keys.
    Bytes,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Messages => "messages",
            Self::Bytes => "bytes",
        })
    }
}

/// A subscriber of a queue: whose messages are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subscription<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The subscriber.
    pub subscriber: &'a str,
}

/// A message that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What ends it: see [`Log::ack`](super::Log::ack).
    pub receipt: Receipt,
    /// The message's number in the queue.
    pub id: u64,
    /// Its key.
    pub key: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
    /// How many attempts there were before, since it was appended or redriven.
    pub attempts: u32,
    /// When it was appended.
    pub enqueued: SystemTime,
    /// How the last attempt ended that failed.
    pub last_error: Option<String>,
}

/// One lease of one message. Of use until the lease is lost, however often it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The queue.
    pub queue: Arc<str>,
    /// Who claimed it.
    pub subscriber: Arc<str>,
    /// The message's number in the queue.
    pub id: u64,
    /// Which claim it was. Opaque.
    pub lease: u64,
}

/// When a message is to be delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Not before.
    pub due: SystemTime,
    /// The error of an attempt that failed; `None` if this was none, such as a delivery
    /// that a shutdown took back.
    pub attempt: Option<String>,
}

/// What becomes of a message that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// It goes to the dead letters, and its key goes on.
    Dead,
    /// Its key stands still, with the message at its head, until it is redriven. A
    /// message without a key goes to the dead letters.
    PauseKey,
}

/// How it is with a message for a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// Due, though perhaps behind another one of its key.
    Waiting,
    /// Claimed, and its lease goes on.
    InFlight,
    /// Appended with a delay that is not over.
    Delayed,
    /// Waits for its next attempt.
    Retrying,
    /// Given up, among the dead letters.
    Dead,
    /// Given up, at the head of a key that stands still.
    Paused,
}

/// Which messages to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peek<'a> {
    /// For whom; `None` is for all of them, and those that wait for the first one.
    pub subscriber: Option<&'a str>,
    /// Only those; `None` is all.
    pub standing: Option<Standing>,
    /// Only messages with a greater number: the last one of the page before, or 0.
    pub after: u64,
    /// How many messages at most. A message comes once for each subscriber.
    pub most: usize,
    /// How much of each body, in bytes.
    pub body: usize,
}

/// A message that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeked {
    /// Its number in the queue.
    pub id: u64,
    /// For whom; `None` if it waits for the first subscriber.
    pub subscriber: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// The start of its body.
    pub body: Vec<u8>,
    /// The length of its whole body, in bytes.
    pub size: u64,
    /// How many attempts there were, since it was appended or redriven.
    pub attempts: u32,
    /// When it was appended.
    pub enqueued: SystemTime,
    /// When it may be delivered, or might have been; when the lease ends of one in
    /// flight.
    pub due: SystemTime,
    /// How it is with it.
    pub standing: Standing,
    /// How the last attempt ended that failed.
    pub last_error: Option<String>,
}

/// What is in a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Messages that somebody still needs.
    pub messages: u64,
    /// Bytes of their bodies and keys.
    pub bytes: u64,
    /// By the name of the subscriber.
    pub subscribers: Vec<SubscriberStats>,
}

/// What waits for a subscriber: the number of messages in each [`Standing`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriberStats {
    /// Its name.
    pub name: String,
    /// Due.
    pub waiting: u64,
    /// Claimed.
    pub in_flight: u64,
    /// Appended with a delay.
    pub delayed: u64,
    /// Waiting for the next attempt.
    pub retrying: u64,
    /// Dead letters.
    pub dead: u64,
    /// Keys that stand still.
    pub paused_keys: u64,
    /// When the oldest message was appended that is neither delayed nor dead.
    pub oldest: Option<SystemTime>,
}

/// Which dead and paused messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redrive {
    /// All.
    All,
    /// Those with these numbers, as far as they are dead or paused.
    Ids(Vec<u64>),
}

/// What to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// What is neither in flight nor dead.
    Waiting,
    /// The dead letters.
    Dead,
    /// Everything: the leases of what is in flight are lost.
    All,
}
