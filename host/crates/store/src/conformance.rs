//! What every engine promises, as tests that each engine runs: of [`Log`] here, and in
//! modules of their own of [`KeyValue`], [`Commit`], [`Leases`] and [`Blobs`].
//!
//! [`log_conformance!`](crate::log_conformance) makes a test of each check. A check
//! gets a log of its own, tells it the time, and panics where a promise is broken.
#![allow(clippy::unwrap_used, reason = "a test")]

mod at_least_once;
pub mod blobs;
mod bounds;
pub mod bucket_model;
pub mod commit;
mod given_up;
pub mod holders;
pub mod keyvalue;
mod leases;
mod looking;
pub mod model;
mod order;
mod repeated;
mod subscribers;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use self::at_least_once::everything_is_delivered_in_order;
pub use self::bounds::*;
pub use self::given_up::*;
pub use self::leases::*;
pub use self::looking::*;
pub use self::order::*;
pub use self::repeated::*;
pub use self::subscribers::*;
use crate::log::{
    Again, Appended, Bounds, Delivery, NewMessage, Peek, Peeked, SubscriberStats, Subscription,
};
use crate::{Blobs, Commit, KeyValue, Leases, Log};

/// An engine that can die.
pub trait Mortal {
    /// Its queues, as long as it lives.
    fn log(&self) -> Arc<dyn Log>;

    /// Its buckets.
    fn keyvalue(&self) -> Arc<dyn KeyValue>;

    /// Both in one step.
    fn commits(&self) -> Arc<dyn Commit>;

    /// Its leases.
    fn leases(&self) -> Arc<dyn Leases>;

    /// Its blobs.
    fn blobs(&self) -> Arc<dyn Blobs>;

    /// Dies and starts again with what is on disk.
    fn crash(&mut self);
}

/// Makes a test of each check, for the engine that a function returns: a pair of an
/// `Arc<dyn Log>` and what must outlive it.
#[macro_export]
macro_rules! log_conformance {
    ($fresh:path) => {
        $crate::log_conformance! {
            $fresh:
            a_key_is_in_order_and_others_do_not_wait
            a_claim_takes_no_more_than_is_asked_for
            a_claim_takes_no_more_than_fits
            a_retry_holds_back_its_key_alone
            what_was_no_attempt_is_not_counted
            a_delay_holds_back_nothing
            a_dropped_reply_takes_nothing_back
            a_lease_that_ends_is_lost_to_the_next
            a_lease_that_ended_holds_until_the_next
            a_lease_is_kept_as_long_as_it_is_extended
            a_lease_is_not_extended_beside_another_of_its_key
            a_receipt_is_good_once
            it_is_told_when_something_comes
            a_repeated_id_is_appended_once
            a_repeated_id_is_new_after_its_window
            a_repeated_id_that_is_new_is_remembered
            a_repeated_id_is_told_in_a_full_queue
            a_full_queue_takes_nothing
            a_body_is_what_was_appended
            what_is_too_long_is_refused
            a_name_that_can_not_be_one_is_refused
            each_subscriber_has_its_own_cursor
            the_first_subscriber_gets_all
            a_subscriber_that_goes_frees_its_messages
            what_is_not_there_is_empty
            a_dead_letter_leaves_its_key
            dead_letters_are_redriven
            a_paused_key_stands_still
            a_key_paused_twice_is_redriven_twice
            a_purge_takes_what_it_should
            a_purge_takes_what_waits_for_the_first
            the_standing_is_counted
            a_peek_shows_everything_and_takes_nothing
            a_peek_comes_in_pages
        }
    };
    ($fresh:path: $($check:ident)*) => {$(
        #[tokio::test]
        async fn $check() {
            let (log, _kept) = $fresh();
            $crate::conformance::$check(&*log).await;
        }
    )*};
}

/// No bounds that a test comes near.
const WIDE: Bounds = Bounds {
    messages: 1_000_000,
    bytes: 1 << 40,
};

/// How long a lease is that a test does not choose, in seconds.
const LEASE: u64 = 1000;

/// One subscriber's view of a queue.
#[derive(Clone, Copy)]
struct Bench<'a> {
    log: &'a dyn Log,
    from: Subscription<'a>,
}

impl<'a> Bench<'a> {
    /// The queue `q` with the subscriber `s`.
    async fn new(log: &'a dyn Log) -> Self {
        let bench = Self::of(log, "s");
        log.subscribe("q", "s").await.unwrap();
        bench
    }

    fn of(log: &'a dyn Log, subscriber: &'a str) -> Self {
        let queue = "q";
        let from = Subscription { queue, subscriber };
        Self { log, from }
    }

    async fn append(&self, messages: Vec<NewMessage>) -> Vec<u64> {
        let appended = self.append_at(0, messages).await;
        appended.into_iter().map(|appended| appended.id).collect()
    }

    async fn append_at(&self, now: u64, messages: Vec<NewMessage>) -> Vec<Appended> {
        let appended = self.log.append(self.from.queue, messages, WIDE, at(now));
        appended.await.unwrap().unwrap()
    }

    /// One message for each body: `a1` has the key `a`, `-1` has none.
    async fn add(&self, bodies: &[&str]) -> Vec<u64> {
        self.append(bodies.iter().map(|body| message(body)).collect())
            .await
    }

    /// Claims all that there is.
    async fn claim(&self, now: u64) -> Vec<Delivery> {
        self.claim_for(now, now + LEASE).await
    }

    async fn claim_for(&self, now: u64, until: u64) -> Vec<Delivery> {
        let claimed = self.log.claim(self.from, 100, at(now), at(until));
        claimed.await.unwrap()
    }

    /// Claims all that there is, and says which.
    async fn bodies(&self, now: u64) -> Vec<String> {
        self.claim(now).await.iter().map(body).collect()
    }

    async fn ack(&self, delivery: &Delivery) -> bool {
        self.log.ack(delivery.receipt.clone()).await.unwrap()
    }

    async fn nack(&self, delivery: &Delivery, due: u64, error: Option<&str>) -> bool {
        let again = Again {
            due: at(due),
            attempt: error.map(str::to_owned),
        };
        let nacked = self.log.nack(delivery.receipt.clone(), again);
        nacked.await.unwrap()
    }

    async fn next_due(&self) -> Option<SystemTime> {
        self.log.next_due(self.from).await.unwrap()
    }

    async fn stats(&self, now: u64) -> SubscriberStats {
        let stats = self.log.stats(self.from.queue, at(now)).await.unwrap();
        let mut all = stats.subscribers.into_iter();
        all.find(|stats| stats.name == self.from.subscriber)
            .unwrap()
    }

    /// How many messages there are, and how many bytes.
    async fn size(&self) -> (u64, u64) {
        let stats = self.log.stats(self.from.queue, at(0)).await.unwrap();
        (stats.messages, stats.bytes)
    }

    async fn peek(&self, now: u64) -> Vec<Peeked> {
        let peeked = self.log.peek(self.from.queue, ALL, at(now));
        peeked.await.unwrap()
    }
}

const ALL: Peek<'static> = Peek {
    subscriber: None,
    standing: None,
    after: 0,
    most: 100,
    body: 100,
};

fn at(seconds: u64) -> SystemTime {
    // Not the epoch itself, which stands for what is over.
    UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn message(body: &str) -> NewMessage {
    let key = body.get(..1).filter(|key| *key != "-");
    NewMessage {
        key: key.map(str::to_owned),
        body: body.into(),
        ..NewMessage::default()
    }
}

fn body(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.body).into_owned()
}
