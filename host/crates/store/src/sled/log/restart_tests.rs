//! What is there after a restart, and what is left behind.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::keys;
use crate::log::{
    Again, Bounds, Dedupe, Delivery, Exhausted, NewMessage, Purge, Redrive, Subscription,
};
use crate::sled::large::INLINE_MAX;
use crate::{BucketId, Log, Store, StoreError};

const WIDE: Bounds = Bounds {
    messages: 1_000_000,
    bytes: 1 << 40,
};
const FROM: Subscription<'static> = Subscription {
    queue: "q",
    subscriber: "s",
};

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn reopen(dir: &TempDir, store: Store) -> Store {
    store.close();
    Store::open(dir.path()).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn message(key: &str, len: usize) -> NewMessage {
    NewMessage {
        key: Some(key.to_owned()),
        body: (0..len).map(|n| (n % 251) as u8).collect(),
        ..NewMessage::default()
    }
}

async fn append(log: &dyn Log, messages: Vec<NewMessage>, now: u64) -> Vec<u64> {
    let appended = log.append("q", messages, WIDE, at(now)).await;
    let appended = appended.unwrap().unwrap();
    appended.into_iter().map(|appended| appended.id).collect()
}

async fn claim(log: &dyn Log, now: u64) -> Vec<Delivery> {
    let claimed = log.claim(FROM, 100, at(now), at(now + 100)).await;
    claimed.unwrap()
}

#[tokio::test]
async fn leases_are_lost_and_everything_else_is_kept() {
    let (dir, store) = store();
    let log = store.log();
    log.subscribe("q", "s").await.unwrap();
    let keys = ["claimed", "retried", "dead", "paused", "done"];
    let messages = keys.map(|key| message(key, 40_000)).to_vec();
    let first = append(&*log, messages.clone(), 7).await;
    log.subscribe("q", "t").await.unwrap();
    let old = claim(&*log, 10).await;
    let receipt = |at: usize| old[at].receipt.clone();
    let again = Again {
        due: at(50),
        attempt: Some("failed".to_owned()),
    };
    assert!(log.nack(receipt(1), again).await.unwrap());
    for (number, how) in [(2, Exhausted::Dead), (3, Exhausted::PauseKey)] {
        let buried = log.bury(receipt(number), "bad".to_owned(), how).await;
        assert!(buried.unwrap());
    }
    assert!(log.ack(receipt(4)).await.unwrap());
    let stats = log.stats("q", at(10)).await.unwrap();
    let peeked = log.peek("q", super::tests::ALL, at(10)).await.unwrap();
    drop(log);

    let store = reopen(&dir, store);
    let log = store.log();
    assert!(!log.ack(receipt(0)).await.unwrap(), "its lease is lost");
    let mut expected = stats.clone();
    (
        expected.subscribers[0].in_flight,
        expected.subscribers[0].waiting,
    ) = (0, 1);
    assert_eq!(log.stats("q", at(10)).await.unwrap(), expected);
    let kept = log.peek("q", super::tests::ALL, at(10)).await.unwrap();
    assert_eq!(kept[1..], peeked[1..]);
    assert_eq!(log.subscribers("q").await.unwrap(), ["s", "t"]);
    let claimed = claim(&*log, 50).await;
    assert_eq!(claimed.len(), 2);
    for (delivery, message) in claimed.iter().zip(&messages) {
        assert_eq!(delivery.body, message.body);
        assert_eq!(delivery.key, message.key);
        assert_eq!(delivery.enqueued, at(7));
    }
    assert_eq!((claimed[0].attempts, claimed[1].attempts), (0, 1));
    assert_eq!(claimed[1].last_error.as_deref(), Some("failed"));
    let later = append(&*log, vec![message("new", 1)], 60).await;
    assert!(later[0] > first[4], "numbers go up");
    let from = Subscription {
        subscriber: "t",
        ..FROM
    };
    let theirs = log.claim(from, 100, at(60), at(61)).await.unwrap();
    assert_eq!(theirs.iter().map(|one| one.id).collect::<Vec<_>>(), later);
}

#[tokio::test]
async fn numbers_go_up_though_nothing_is_left() {
    let (dir, mut store) = store();
    let mut last = 0;
    for round in 0..4 {
        let log = store.log();
        log.subscribe("q", "s").await.unwrap();
        let ids = append(&*log, vec![message("a", 1), message("a", 1)], round).await;
        assert!(ids[0] > last && ids[1] > ids[0], "{ids:?} after {last}");
        last = ids[1];
        log.purge("q", None, Purge::All).await.unwrap();
        log.unsubscribe("q", "s").await.unwrap();
        drop(log);
        store = reopen(&dir, store);
    }
}

#[tokio::test]
async fn a_subscriber_that_came_back_gets_nothing_old() {
    let (dir, store) = store();
    let log = store.log();
    for name in ["s", "t"] {
        log.subscribe("q", name).await.unwrap();
    }
    append(&*log, vec![message("a", 1), message("b", 1)], 0).await;
    let claimed = claim(&*log, 0).await;
    let buried = log.bury(claimed[0].receipt.clone(), "e".to_owned(), Exhausted::Dead);
    assert!(buried.await.unwrap());
    log.unsubscribe("q", "s").await.unwrap();
    log.subscribe("q", "s").await.unwrap();
    let before = log.stats("q", at(0)).await.unwrap();
    drop(log);
    let store = reopen(&dir, store);
    let log = store.log();
    assert_eq!(log.stats("q", at(0)).await.unwrap(), before);
    assert_eq!(before.subscribers[0].dead, 0);
    assert!(claim(&*log, 0).await.is_empty());
    let redriven = log.redrive(FROM, Redrive::All, 9).await.unwrap();
    assert_eq!(redriven, 0);
}

/// Its reply is never polled: the host dies before a message is removed from the disk.
#[tokio::test]
async fn what_went_with_a_subscriber_stays_away() {
    let (dir, store) = store();
    let log = store.log();
    log.subscribe("q", "s").await.unwrap();
    append(&*log, vec![message("a", 40_000); 3], 0).await;
    log.subscribe("q", "t").await.unwrap();
    append(&*log, vec![message("b", 1)], 0).await;
    drop(log.unsubscribe("q", "s"));
    assert_eq!(log.stats("q", at(0)).await.unwrap().messages, 1);
    drop(log);
    let store = reopen(&dir, store);
    let log = store.log();
    assert_eq!(log.stats("q", at(0)).await.unwrap().messages, 1);
    drop(log.unsubscribe("q", "t"));
    append(&*log, vec![message("c", 1)], 0).await;
    drop(log);
    let store = reopen(&dir, store);
    let log = store.log();
    let stats = log.stats("q", at(0)).await.unwrap();
    assert_eq!((stats.messages, stats.bytes), (1, 2));
    let tree = &store.log.journal().tree;
    let left: Vec<_> = tree.iter().keys().map(|key| key.unwrap()[1]).collect();
    assert_eq!(left, b"fmn", "a floor, a message and a number");
    log.subscribe("q", "s").await.unwrap();
    assert_eq!(claim(&*log, 0).await[0].body, message("c", 1).body);
    log.unsubscribe("q", "s").await.unwrap();
    assert!(
        tree.scan_prefix(keys::prefix(keys::Kind::Message))
            .next()
            .is_none()
    );
}

#[tokio::test]
async fn ids_are_remembered_and_forgotten_on_disk() {
    let (dir, store) = store();
    let with_id = |id: &str, until: u64| NewMessage {
        dedupe: Some(Dedupe {
            id: id.to_owned(),
            until: at(until),
        }),
        ..message("a", 1)
    };
    let first = append(&*store.log(), vec![with_id("x", 100), with_id("y", 50)], 0).await;
    let store = reopen(&dir, store);
    let log = store.log();
    assert_eq!(append(&*log, vec![with_id("x", 200)], 99).await, first[..1]);
    let tree = store.log.journal().tree.clone();
    let remembered = || {
        let count = |kind| tree.scan_prefix(keys::prefix(kind)).count();
        (count(keys::Kind::Remembered), count(keys::Kind::End))
    };
    assert_eq!(
        remembered(),
        (2, 2),
        "an append of duplicates writes nothing"
    );
    append(&*log, vec![with_id("z", 300)], 99).await;
    assert_eq!(remembered(), (2, 2), "y was over");
    append(&*log, vec![with_id("x", 300)], 100).await;
    assert_eq!(remembered(), (2, 2), "x began anew");
    for number in 0..100 {
        append(&*log, vec![with_id(&number.to_string(), 301)], 101).await;
    }
    assert_eq!(remembered(), (102, 102));
    for _ in 0..26 {
        append(&*log, vec![message("a", 1)], 301).await;
    }
    assert_eq!(remembered(), (0, 0), "a few at each append");
}

#[tokio::test]
async fn nothing_is_left_of_what_is_done() {
    let (_dir, store) = store();
    let log = store.log();
    for name in ["s", "t"] {
        log.subscribe("q", name).await.unwrap();
    }
    let lengths = [0, 1, INLINE_MAX - 23, INLINE_MAX - 22, INLINE_MAX, 50_000];
    for round in 0..3 {
        let messages = lengths.map(|len| message(&len.to_string(), len));
        append(&*log, messages.to_vec(), round).await;
        for subscriber in ["s", "t"] {
            let from = Subscription { subscriber, ..FROM };
            let claimed = log.claim(from, 100, at(round), at(100)).await.unwrap();
            assert_eq!(claimed.len(), lengths.len());
            for (number, delivery) in claimed.into_iter().enumerate() {
                let receipt = delivery.receipt;
                match (round, number % 2) {
                    (0, _) | (1, 1) => drop(log.ack(receipt).await.unwrap()),
                    _ => drop(
                        log.bury(receipt, "e".to_owned(), Exhausted::Dead)
                            .await
                            .unwrap(),
                    ),
                }
            }
        }
    }
    log.purge("q", Some("s"), Purge::All).await.unwrap();
    log.unsubscribe("q", "t").await.unwrap();
    let tree = &store.log.journal().tree;
    let left: Vec<_> = tree.iter().keys().map(Result::unwrap).collect();
    assert_eq!(
        left,
        [&b"\0nq\0"[..], b"\0uq\0s"],
        "a number and a subscriber"
    );
}

#[tokio::test]
async fn queues_and_buckets_do_not_meet() {
    let (dir, store) = store();
    let (log, keyvalue) = (store.log(), store.keyvalue());
    let bucket = |service: &str| BucketId::new(service, "q").unwrap();
    for service in ["a", "m", "mq", "q", "zz"] {
        let large = vec![1; INLINE_MAX + 1];
        keyvalue.set(&bucket(service), "k", &large).await.unwrap();
        log.subscribe(service, service).await.unwrap();
    }
    append(&*log, vec![message("a", 50_000)], 0).await;
    let before = log.stats("q", at(0)).await.unwrap();
    for service in ["", "\0", "\0mq", "\0m"] {
        let refused = keyvalue.purge(service).await;
        assert!(
            matches!(refused, Err(StoreError::BadName { .. })),
            "{service:?}"
        );
    }
    keyvalue.purge("q").await.unwrap();
    drop((log, keyvalue));
    let store = reopen(&dir, store);
    let (log, keyvalue) = (store.log(), store.keyvalue());
    assert_eq!(log.stats("q", at(0)).await.unwrap(), before);
    assert_eq!(log.queues().await.unwrap(), ["a", "m", "mq", "q", "zz"]);
    log.purge("q", None, Purge::All).await.unwrap();
    for (service, there) in [("a", 1), ("m", 1), ("mq", 1), ("q", 0), ("zz", 1)] {
        let page = keyvalue.list(&bucket(service), None, 10).await.unwrap();
        assert_eq!(page.keys.len(), there, "{service}");
    }
}

/// What a later commit of a bucket's writes and appends to queues does.
#[tokio::test]
async fn one_batch_appends_to_queues_and_writes_to_buckets() {
    let (dir, store) = store();
    let (log, journal) = (&store.log, store.log.journal());
    let (p, q) = (log.open("p"), log.open("q"));
    let begin = |queue| {
        let begun = log.begin(queue, vec![message("a", 40_000)], WIDE, at(0));
        begun.unwrap().unwrap()
    };
    for applies in [false, true] {
        let all = [("p", begin(&p)), ("q", begin(&q))];
        let mut batch = sled::Batch::default();
        for (name, appending) in &all {
            journal.write(name, appending.writes(), &mut batch).unwrap();
        }
        batch.insert(&b"service\0bucket\0key"[..], &b"\0value"[..]);
        if applies {
            journal.tree.apply_batch(batch).unwrap();
            let made = all.map(|(_, appending)| appending.made());
            assert!(made.iter().all(|made| made[0].id == 2), "1 was given out");
        }
    }
    log.subscribe("q", "s").await.unwrap();
    let store = reopen(&dir, store);
    let claimed = claim(&*store.log(), 0).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].body, message("a", 40_000).body);
    assert_eq!(store.log().stats("p", at(0)).await.unwrap().messages, 1);
    let bucket = BucketId::new("service", "bucket").unwrap();
    let value = store.keyvalue().get(&bucket, "key").await.unwrap();
    assert_eq!(value.as_deref(), Some(&b"value"[..]));
}

#[tokio::test]
async fn a_closed_store_takes_and_gives_nothing() {
    let (_dir, store) = store();
    let log = store.log();
    log.subscribe("q", "s").await.unwrap();
    append(&*log, vec![message("a", 1), message("b", 1)], 0).await;
    let claimed = log.claim(FROM, 1, at(0), at(9)).await.unwrap().remove(0);
    store.close();
    let closed = |error: StoreError| matches!(error, StoreError::Closed);
    let refused = log.append("q", vec![message("a", 1)], WIDE, at(0)).await;
    assert!(closed(refused.unwrap_err()));
    assert!(closed(log.claim(FROM, 1, at(0), at(9)).await.unwrap_err()));
    assert!(closed(log.ack(claimed.receipt).await.unwrap_err()));
    assert!(closed(log.purge("q", None, Purge::All).await.unwrap_err()));
    assert!(closed(log.unsubscribe("q", "s").await.unwrap_err()));
}

#[test]
fn a_damaged_entry_is_told() {
    for (key, value) in [
        (&b"\0mq\0\0\0\0\0\0\0\0\x01"[..], &b"short"[..]),
        (b"\0sq\0\0\0\0\0\0\0\0\x01s", b"\x09"),
        (b"\0uq\0s", b""),
        (b"\0fq\0", b"\x01"),
        (b"\0nq", b"\0\0\0\0\0\0\0\x01"),
    ] {
        let (dir, store) = store();
        store.log.journal().tree.insert(key, value).unwrap();
        store.close();
        let opened = Store::open(dir.path()).map(drop);
        assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{key:?}");
    }
}
