//! Queues of messages.

mod index;
pub(crate) mod journal;
mod local;
mod types;

use std::time::SystemTime;

use tokio::sync::watch;

pub(crate) use self::index::{Message, Millis};
pub(crate) use self::local::{Local, Queue, check_message, check_name, millis, time};
pub use self::types::{
    Again, Appended, Bound, Bounds, Dedupe, Delivery, Exhausted, Full, NewMessage, Peek, Peeked,
    Purge, QueueStats, Receipt, Redrive, Standing, SubscriberStats, Subscription,
};
use crate::Reply;

/// Longest body of a message, in bytes: what brokers take by default, so that a queue
/// can move to one.
pub const MAX_BODY: usize = 1 << 20;

/// Longest key of a message, in bytes: longer than most names or paths, and each message
/// that waits has its own in memory.
pub const MAX_KEY: usize = 1 << 10;

/// Longest name of a queue or a subscriber, in bytes: as a bucket's.
pub const MAX_NAME: usize = crate::BucketId::MAX_NAME;

/// Longest error kept with a message, in bytes; the rest of a longer one is cut off. It
/// is written anew with each attempt.
pub const MAX_ERROR: usize = 2 << 10;

/// Most bytes of bodies that one claim gives out, so that what it reads at once stays
/// small: the message that passes it is the last one.
pub const CLAIM_BYTES: usize = 4 << 20;

/// Queues of messages, durable, each message delivered at least once to each subscriber.
///
/// A queue comes into being when something is appended to it or subscribes to it. Its
/// name, and a subscriber's, has 1 to [`MAX_NAME`] bytes and no control characters.
/// Times are kept in milliseconds, and a queue's time does not go back: it is the
/// latest `now` that it was told.
///
/// A change begins when its method is called, in the order of the calls: its reply need
/// not be polled for that, and dropping it does not take the change back. The reply is
/// there when the change is on disk. What is on its way to the disk can already be
/// claimed.
///
/// # Errors
/// Every method gives [`StoreError`](crate::StoreError) when the disk fails, and
/// [`StoreError::BadName`](crate::StoreError::BadName) for a name that can't be one.
/// After an error a change may have been made or not.
pub trait Log: Send + Sync {
    /// Appends messages, all or none; they are on disk when the reply is there. A
    /// message that repeats the id of one that was appended less than its window ago is
    /// not appended again. What is appended to a queue without subscribers waits for
    /// the first one.
    ///
    /// # Errors
    /// [`Full`] when the queue would pass its bounds: nothing is appended.
    /// [`StoreError::TooLarge`](crate::StoreError::TooLarge) for a body over
    /// [`MAX_BODY`] or a key over [`MAX_KEY`].
    fn append<'a>(
        &'a self,
        queue: &'a str,
        messages: Vec<NewMessage>,
        bounds: Bounds,
        now: SystemTime,
    ) -> Reply<'a, Result<Vec<Appended>, Full>>;

    /// Registers a subscriber. The first one of a queue gets all that is there, later
    /// ones what is appended from now on. Nothing happens when it is registered.
    fn subscribe<'a>(&'a self, queue: &'a str, subscriber: &'a str) -> Reply<'a, ()>;

    /// Forgets a subscriber and everything that waits for it, all at once; the reply is
    /// there when the disk has room again, too. Nothing happens when it is not
    /// registered.
    fn unsubscribe<'a>(&'a self, queue: &'a str, subscriber: &'a str) -> Reply<'a, ()>;

    /// Takes up to `most` messages that are due at `now`, each leased until `until`, in
    /// the order of their arrival.
    ///
    /// Of each key one message at most is in flight, and the messages of a key that are
    /// due come in the order of their arrival: one that waits for its retry, or is
    /// paused, holds back the later ones of its key and nobody else's. One that was
    /// appended with a delay takes its place when that is over, and holds back nothing
    /// before. Messages without a key do not wait for one another.
    ///
    /// Nothing is written: a host that dies loses its leases, and what it had claimed
    /// can be claimed at once. Nobody but a registered subscriber gets anything. See
    /// also [`CLAIM_BYTES`].
    fn claim<'a>(
        &'a self,
        from: Subscription<'a>,
        most: usize,
        now: SystemTime,
        until: SystemTime,
    ) -> Reply<'a, Vec<Delivery>>;

    /// Keeps a lease until `until`. False if it was lost: after its end another one
    /// claimed the message, or one of its key; or the message is gone.
    fn extend<'a>(&'a self, receipt: &'a Receipt, until: SystemTime) -> Reply<'a, bool>;

    /// Done: the message goes, for this subscriber. False if the lease was lost:
    /// another may have the message now. A lease that ended holds until its message is
    /// claimed again.
    fn ack(&self, receipt: Receipt) -> Reply<'_, bool>;

    /// Not done: the message is to be delivered again. False if the lease was lost.
    fn nack(&self, receipt: Receipt, again: Again) -> Reply<'_, bool>;

    /// Given up, after an attempt that ended with `error`. False if the lease was lost.
    fn bury(&self, receipt: Receipt, error: String, how: Exhausted) -> Reply<'_, bool>;

    /// When there is next something to claim, as far as it is known now: a time that is
    /// over when it is there already, else when the next message is due or the next
    /// lease ends. `None` if nothing waits for a time.
    fn next_due<'a>(&'a self, from: Subscription<'a>) -> Reply<'a, Option<SystemTime>>;

    /// Changes whenever [`Self::next_due`] of a subscriber of the queue may have come
    /// nearer: then, and when it is over, is it worth to claim. The number means
    /// nothing. It ends with the log.
    fn watch(&self, queue: &str) -> watch::Receiver<u64>;

    /// The queues that there are, in the order of their names.
    fn queues(&self) -> Reply<'_, Vec<String>>;

    /// A queue's subscribers, in the order of their names.
    fn subscribers<'a>(&'a self, queue: &'a str) -> Reply<'a, Vec<String>>;

    /// How much is in a queue and in which standing.
    fn stats<'a>(&'a self, queue: &'a str, now: SystemTime) -> Reply<'a, QueueStats>;

    /// Looks at messages without taking them, in the order of their arrival.
    fn peek<'a>(
        &'a self,
        queue: &'a str,
        what: Peek<'a>,
        now: SystemTime,
    ) -> Reply<'a, Vec<Peeked>>;

    /// Gives dead and paused messages, `most` at most, the oldest first, all their
    /// attempts again, from now on and in the order of their arrival. Says how many. Not
    /// atomic, and done only as long as the reply is polled.
    fn redrive<'a>(&'a self, from: Subscription<'a>, which: Redrive, most: usize)
    -> Reply<'a, u64>;

    /// Removes what waits for a subscriber; without one, what waits for any of them or
    /// for the first. Says how many deliveries that were, or messages that nobody had
    /// subscribed to. Not atomic, and done only as long as the reply is polled. What
    /// comes meanwhile stays.
    fn purge<'a>(
        &'a self,
        queue: &'a str,
        subscriber: Option<&'a str>,
        what: Purge,
    ) -> Reply<'a, u64>;
}
