//! What the journal's failures leave, and many at once.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::log::journal::{Digest, Mark, Remembered};
use crate::memory::MemoryJournal;

const WIDE: Bounds = Bounds {
    messages: 1_000_000,
    bytes: 1 << 40,
};
const FROM: Subscription<'static> = Subscription {
    queue: "q",
    subscriber: "s",
};

/// A disk that fails when it is told to.
#[derive(Clone, Default)]
struct Failing {
    journal: MemoryJournal,
    writes: Arc<AtomicBool>,
    reads: Arc<AtomicBool>,
    flushes: Arc<AtomicBool>,
}

fn failed<T>(fails: &AtomicBool, result: Result<T, StoreError>) -> Result<T, StoreError> {
    match fails.load(Ordering::Relaxed) {
        true => Err(StoreError::Io("expected by the test".into())),
        false => result,
    }
}

impl Journal for Failing {
    type Durable = Ready<Result<(), StoreError>>;

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn apply(&self, queue: &str, writes: &[Write]) -> Result<(), StoreError> {
        failed(&self.writes, Ok(()))?;
        self.journal.apply(queue, writes)
    }

    fn durable(&self) -> Self::Durable {
        ready(failed(&self.flushes, Ok(())))
    }

    fn body(&self, queue: &str, id: u64, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        failed(&self.reads, self.journal.body(queue, id, most))
    }

    fn mark(&self, queue: &str, id: u64, subscriber: &str) -> Result<Option<Mark>, StoreError> {
        self.journal.mark(queue, id, subscriber)
    }

    fn remembered(&self, queue: &str, of: &Digest) -> Result<Option<Remembered>, StoreError> {
        self.journal.remembered(queue, of)
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn messages(keys: &[&str]) -> Vec<NewMessage> {
    let message = |key: &&str| NewMessage {
        key: Some((*key).to_owned()),
        ..NewMessage::default()
    };
    keys.iter().map(message).collect()
}

#[tokio::test]
async fn a_change_that_was_not_written_was_not_made() {
    let disk = Failing::default();
    let log = Local::new(disk.clone());
    log.subscribe("q", "s").await.unwrap();
    let append = || log.append("q", messages(&["a", "b"]), WIDE, at(0));
    let first = append().await.unwrap().unwrap()[1].id;
    let claimed = log.claim(FROM, 1, at(0), at(9)).await.unwrap().remove(0);
    let before = log.stats("q", at(0)).await.unwrap();

    disk.writes.store(true, Ordering::Relaxed);
    append().await.unwrap_err();
    log.ack(claimed.receipt.clone()).await.unwrap_err();
    let again = Again {
        due: at(0),
        attempt: None,
    };
    log.nack(claimed.receipt.clone(), again).await.unwrap_err();
    let bury = log.bury(claimed.receipt.clone(), "e".to_owned(), Exhausted::Dead);
    bury.await.unwrap_err();
    log.subscribe("q", "t").await.unwrap_err();
    log.unsubscribe("q", "s").await.unwrap_err();
    log.purge("q", None, Purge::All).await.unwrap_err();
    assert_eq!(log.stats("q", at(0)).await.unwrap(), before);

    disk.writes.store(false, Ordering::Relaxed);
    let later = append().await.unwrap().unwrap()[0].id;
    assert!(later > first + 2, "what failed may be there in part");
    assert!(log.ack(claimed.receipt).await.unwrap());
}

#[tokio::test]
async fn a_change_that_was_not_flushed_is_told() {
    let disk = Failing::default();
    let log = Local::new(disk.clone());
    log.subscribe("q", "s").await.unwrap();
    let appended = log.append("q", messages(&["a", "b", "c"]), WIDE, at(0));
    appended.await.unwrap().unwrap();
    let claimed = log.claim(FROM, 3, at(0), at(9)).await.unwrap();
    let receipt = |at: usize| claimed[at].receipt.clone();

    disk.flushes.store(true, Ordering::Relaxed);
    let appended = log.append("q", messages(&["d"]), WIDE, at(0));
    appended.await.unwrap_err();
    log.ack(receipt(0)).await.unwrap_err();
    let again = Again {
        due: at(0),
        attempt: None,
    };
    log.nack(receipt(1), again).await.unwrap_err();
    let bury = log.bury(receipt(2), "e".to_owned(), Exhausted::Dead);
    bury.await.unwrap_err();
    log.subscribe("q", "t").await.unwrap_err();
    log.redrive(FROM, Redrive::All, 9).await.unwrap_err();
    log.purge("q", Some("s"), Purge::All).await.unwrap_err();
    log.unsubscribe("q", "s").await.unwrap_err();
}

#[tokio::test]
async fn a_purge_leaves_what_somebody_subscribed_to_meanwhile() {
    let log = Local::new(MemoryJournal::default());
    let appended = log.append("q", messages(&["a"; 600]), WIDE, at(0));
    appended.await.unwrap().unwrap();
    let mut purge = log.purge("q", None, Purge::All);
    assert!(
        futures::poll!(&mut purge).is_pending(),
        "after its first part"
    );
    log.subscribe("q", "s").await.unwrap();
    let purged = purge.await.unwrap();
    let stats = log.stats("q", at(0)).await.unwrap();
    assert!((1..600).contains(&purged), "{purged}");
    assert_eq!(stats.subscribers[0].waiting, 600 - purged);
}

#[tokio::test]
async fn what_could_not_be_read_can_be_claimed_again() {
    let disk = Failing::default();
    let log = Local::new(disk.clone());
    log.subscribe("q", "s").await.unwrap();
    let appended = log.append("q", messages(&["a", "b", "a"]), WIDE, at(0));
    appended.await.unwrap().unwrap();
    disk.reads.store(true, Ordering::Relaxed);
    log.claim(FROM, 9, at(0), at(9)).await.unwrap_err();
    disk.reads.store(false, Ordering::Relaxed);
    let claimed = log.claim(FROM, 9, at(0), at(9)).await.unwrap();
    assert_eq!(claimed.len(), 2);
}

/// One in flight a key, each message once, and nobody waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_consumers_share_a_queue() {
    const MESSAGES: usize = 3000;
    let log = Arc::new(Local::new(MemoryJournal::default()));
    log.subscribe("q", "s").await.unwrap();
    let (left, seen) = (Arc::new(AtomicUsize::new(MESSAGES)), Arc::default());
    let consumers: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(consume(
                Arc::clone(&log),
                Arc::clone(&left),
                Arc::clone(&seen),
            ))
        })
        .collect();
    for number in 0..MESSAGES {
        let key = ["a", "b", "c", "d", "e"][number % 5];
        let appended = log.append("q", messages(&[key]), WIDE, at(0)).await;
        appended.unwrap().unwrap();
    }
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.values().map(Vec::len).sum::<usize>(), MESSAGES);
    for (key, ids) in &seen {
        assert!(ids.is_sorted_by(|a, b| a < b), "the order of {key}");
    }
    assert_eq!(log.stats("q", at(0)).await.unwrap().messages, 0);
}

type Seen = Arc<Mutex<BTreeMap<String, Vec<u64>>>>;

async fn consume(log: Arc<Local<MemoryJournal>>, left: Arc<AtomicUsize>, seen: Seen) {
    let mut changed = log.watch("q");
    while left.load(Ordering::SeqCst) > 0 {
        changed.mark_unchanged();
        let claimed = log.claim(FROM, 3, at(0), at(9)).await.unwrap();
        if claimed.is_empty() && left.load(Ordering::SeqCst) > 0 {
            changed.changed().await.unwrap();
        }
        for delivery in claimed {
            let key = delivery.key.unwrap();
            seen.lock()
                .unwrap()
                .entry(key)
                .or_default()
                .push(delivery.id);
            tokio::task::yield_now().await;
            assert!(log.ack(delivery.receipt).await.unwrap());
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                // The others need not wait for what never comes.
                log.subscribe("q", "the end").await.unwrap();
            }
        }
    }
}
