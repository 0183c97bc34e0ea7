//! What is written over and over takes no more disk than what is there.

use std::time::{Duration, UNIX_EPOCH};

use super::Store;
use crate::log::{Bounds, NewMessage, Subscription};
use crate::{BucketId, bytes_in};

const KEYS: usize = 100;
const VALUE: usize = 2 << 10;
/// Segments that sled has in use or keeps for the next writes, whatever is there.
const SLACK: u64 = 32 << 20;

#[tokio::test]
async fn overwriting_does_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (keyvalue, bucket) = (store.keyvalue(), BucketId::new("order", "orders").unwrap());
    let mut sizes = Vec::new();
    for round in 0..400_usize {
        let pairs: Vec<_> = (0..KEYS)
            .map(|key| (key.to_string(), vec![(round + key) as u8; VALUE]))
            .collect();
        keyvalue.set_many(&bucket, &pairs).await.unwrap();
        if round % 100 == 99 {
            sizes.push(bytes_in(&dir.path().join("state")));
        }
    }
    // 80 MB were written.
    let live = (KEYS * VALUE) as u64;
    assert!(
        sizes[3] < live + SLACK,
        "bytes after each quarter: {sizes:?}"
    );
}

#[tokio::test]
async fn messages_that_are_done_do_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let log = store.log();
    let (queue, subscriber) = ("orders", "mail");
    let from = Subscription { queue, subscriber };
    let bounds = Bounds {
        messages: KEYS as u64,
        bytes: u64::MAX,
    };
    log.subscribe(queue, subscriber).await.unwrap();
    let (now, until) = (UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(1));
    let mut sizes = Vec::new();
    for round in 0..400_usize {
        let message = |number: usize| NewMessage {
            body: vec![(round + number) as u8; VALUE],
            ..NewMessage::default()
        };
        let messages = (0..KEYS).map(message).collect();
        let appended = log.append(queue, messages, bounds, now).await;
        appended.unwrap().unwrap();
        for delivery in log.claim(from, KEYS, now, until).await.unwrap() {
            drop(log.ack(delivery.receipt));
        }
        if round % 100 == 99 {
            sizes.push(bytes_in(&dir.path().join("state")));
        }
    }
    // 80 MB were written, and nothing is left.
    assert_eq!(log.stats(queue, now).await.unwrap().messages, 0);
    assert!(sizes[3] < SLACK, "bytes after each quarter: {sizes:?}");
}
