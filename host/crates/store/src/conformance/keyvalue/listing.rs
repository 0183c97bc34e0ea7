//! What a bucket has.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Buckets, all, bucket};
use crate::StoreError;

/// Not of letters, numbers or lengths; however large the pages are.
pub async fn a_listing_is_in_the_order_of_bytes(keyvalue: Buckets) {
    let names = bucket("product", "names");
    let sorted = [
        "\t",
        " ",
        "1",
        "10",
        "2",
        "A",
        "Z",
        "_",
        "a",
        "a b",
        "a-",
        "aa",
        "b",
        "\u{7f}",
        "\u{e9}",
        "\u{ff5e}",
        "\u{10000}",
    ];
    let mut pairs: Vec<_> = sorted.map(|key| (key.to_owned(), Vec::new())).into();
    fastrand::Rng::with_seed(7).shuffle(&mut pairs);
    keyvalue.set_many(&names, &pairs).await.unwrap();
    for limit in [0, 1, 2, 5, 16, 17, 18] {
        assert_eq!(all(&*keyvalue, &names, limit).await, sorted, "{limit}");
    }
}

/// What is written before, at or after a cursor shifts nothing that comes.
pub async fn a_listing_is_stable_under_writes(keyvalue: Buckets) {
    let keys = bucket("product", "keys");
    let pairs = (0..25).map(|n| (format!("k{:02}", n * 2), vec![]));
    let pairs: Vec<_> = pairs.collect();
    keyvalue.set_many(&keys, &pairs).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = keyvalue.list(&keys, cursor.as_deref(), 10).await.unwrap();
        seen.extend(page.keys);
        let last = seen.last().unwrap();
        keyvalue.set(&keys, &format!("a{last}"), b"").await.unwrap();
        keyvalue.delete(&keys, last).await.unwrap();
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<_> = pairs.into_iter().map(|(key, _)| key).collect();
    assert_eq!(seen, expected);
}

/// Also when the last page is full, and in a bucket that nobody made.
pub async fn a_listing_ends_without_a_cursor(keyvalue: Buckets) {
    let keys = bucket("product", "keys");
    let empty = keyvalue.list(&keys, None, 10).await.unwrap();
    assert_eq!((empty.keys.len(), empty.cursor), (0, None));
    for key in ["a", "b", "c"] {
        keyvalue.set(&keys, key, b"").await.unwrap();
    }
    let exact = keyvalue.list(&keys, None, 3).await.unwrap();
    assert_eq!((exact.keys.len(), exact.cursor), (3, None));
    let first = keyvalue.list(&keys, None, 2).await.unwrap();
    for key in ["a", "b", "c"] {
        keyvalue.delete(&keys, key).await.unwrap();
    }
    let rest = keyvalue.list(&keys, first.cursor.as_deref(), 2);
    let rest = rest.await.unwrap();
    assert_eq!((rest.keys.len(), rest.cursor), (0, None), "a cursor holds");
}

/// Rather than taken for the beginning or the end.
pub async fn what_is_no_cursor_is_refused(keyvalue: Buckets) {
    let keys = bucket("product", "keys");
    for bad in ["!", "_w", "\u{e9}", "a b"] {
        let refused = keyvalue.list(&keys, Some(bad), 10).await;
        assert!(matches!(refused, Err(StoreError::BadCursor)), "{bad:?}");
    }
}

/// A key that is there during the whole listing comes exactly once, and in order.
pub async fn what_stays_is_listed_once_while_others_write(keyvalue: Buckets) {
    let keys = Arc::new(bucket("product", "keys"));
    let stays: BTreeSet<_> = (0..60).map(|n| format!("{n:02} stays")).collect();
    for key in &stays {
        keyvalue.set(&keys, key, b"").await.unwrap();
    }
    let writers = (0..4u64).map(|seed| {
        let (keyvalue, keys) = (Arc::clone(&keyvalue), Arc::clone(&keys));
        let mut rng = fastrand::Rng::with_seed(seed);
        tokio::spawn(async move {
            for _ in 0..50 {
                let key = format!("{:02} goes", rng.u8(..60));
                match rng.bool() {
                    true => keyvalue.set(&keys, &key, b"").await.unwrap(),
                    false => keyvalue.delete(&keys, &key).await.unwrap(),
                }
            }
        })
    });
    let writers = tokio::spawn(futures::future::join_all(writers.collect::<Vec<_>>()));
    loop {
        let last = writers.is_finished();
        let listed = all(&*keyvalue, &keys, 7).await;
        assert!(listed.is_sorted_by(|one, next| one < next), "{listed:?}");
        let found = listed.into_iter().filter(|key| key.ends_with("stays"));
        assert!(found.eq(stays.iter().cloned()));
        if last {
            break;
        }
        tokio::task::yield_now().await;
    }
    for writer in writers.await.unwrap() {
        writer.unwrap();
    }
}
