//! What is read and written in one step.

use std::sync::Arc;

use super::{Buckets, bucket, value};
use crate::{BucketId, Current, KeyValue, StoreError};

/// That `get` reads and `set` makes.
pub async fn numbers_are_plain_text(keyvalue: Buckets) {
    let counts = bucket("order", "counts");
    let add = async |delta| keyvalue.increment(&counts, "n", delta).await.unwrap();
    assert_eq!(add(5).await, 5);
    assert_eq!(add(-12).await, -7);
    assert_eq!(add(0).await, -7);
    let found = value(&*keyvalue, &counts, "n").await;
    assert_eq!(found.as_deref(), Some(&b"-7"[..]));
    keyvalue.set(&counts, "n", b"41").await.unwrap();
    assert_eq!(add(1).await, 42);
    keyvalue.delete(&counts, "n").await.unwrap();
    assert_eq!(add(i64::MIN).await, i64::MIN);
    assert_eq!(add(i64::MAX).await, -1);
}

/// What is no number, and what would leave the range.
pub async fn what_can_not_be_incremented_stays(keyvalue: Buckets) {
    let counts = bucket("order", "counts");
    let (max, min) = (i64::MAX.to_string(), i64::MIN.to_string());
    for (old, delta, is_number) in [
        (&b"apple"[..], 1, false),
        (b"", 1, false),
        (b" 1", 1, false),
        (b"1.0", 1, false),
        (b"9223372036854775808", -1, false),
        (&[0xff; 8], 1, false),
        (max.as_bytes(), 1, true),
        (min.as_bytes(), -1, true),
    ] {
        keyvalue.set(&counts, "n", old).await.unwrap();
        let refused = keyvalue.increment(&counts, "n", delta).await.unwrap_err();
        match refused {
            StoreError::Overflow { key, .. } => assert!(is_number && key == "n"),
            StoreError::NotANumber { key, .. } => assert!(!is_number && key == "n"),
            other => panic!("{other}"),
        }
        assert_eq!(value(&*keyvalue, &counts, "n").await.as_deref(), Some(old));
    }
}

/// And says what is there, if it is something else; nothing is something, too.
pub async fn a_swap_needs_what_is_there(keyvalue: Buckets) {
    let carts = bucket("order", "carts");
    let large = vec![3; 40_000];
    let swap = async |expected, new| {
        let swapped = keyvalue.compare_and_swap(&carts, "c", expected, new);
        swapped.await.unwrap()
    };
    let stale = |value: Option<&[u8]>| Err(Current(value.map(<[u8]>::to_vec)));
    assert_eq!(swap(Some(b"x"), b"1").await, stale(None));
    assert_eq!(swap(Some(b""), b"1").await, stale(None));
    assert_eq!(value(&*keyvalue, &carts, "c").await, None);
    assert_eq!(swap(None, &large).await, Ok(()));
    assert_eq!(swap(None, b"1").await, stale(Some(&large)));
    assert_eq!(swap(Some(&large[1..]), b"1").await, stale(Some(&large)));
    assert_eq!(swap(Some(&large), b"").await, Ok(()));
    assert_eq!(swap(None, b"1").await, stale(Some(b"")), "empty is there");
    assert_eq!(swap(Some(b""), b"1").await, Ok(()));
    assert_eq!(swap(Some(b"1"), b"1").await, Ok(()));
    keyvalue.delete(&carts, "c").await.unwrap();
    assert_eq!(swap(Some(b"1"), b"2").await, stale(None));
    assert_eq!(swap(None, b"2").await, Ok(()));
    let found = value(&*keyvalue, &carts, "c").await;
    assert_eq!(found.as_deref(), Some(&b"2"[..]));
}

/// The others are told whose it is.
pub async fn of_many_who_make_a_key_one_does(keyvalue: Buckets) {
    let locks = Arc::new(bucket("order", "locks"));
    for round in 0..10 {
        let tasks = (0..8u8).map(|owner| {
            let (keyvalue, locks) = (Arc::clone(&keyvalue), Arc::clone(&locks));
            let (key, name) = (round.to_string(), [owner]);
            tokio::spawn(async move {
                let made = keyvalue.compare_and_swap(&locks, &key, None, &name);
                match made.await.unwrap() {
                    Ok(()) => (owner, true),
                    Err(Current(found)) => (found.unwrap()[0], false),
                }
            })
        });
        let told = futures::future::join_all(tasks.collect::<Vec<_>>()).await;
        let told: Vec<_> = told.into_iter().map(Result::unwrap).collect();
        assert_eq!(told.iter().filter(|(_, made)| *made).count(), 1);
        assert!(told.iter().all(|(owner, _)| *owner == told[0].0));
    }
}

/// By increments, and by swaps that are tried again.
pub async fn no_update_is_lost_between_tasks(keyvalue: Buckets) {
    let stock = Arc::new(bucket("product", "stock"));
    let tasks = (0..16).map(|_| {
        let (keyvalue, stock) = (Arc::clone(&keyvalue), Arc::clone(&stock));
        tokio::spawn(async move {
            for _ in 0..25 {
                keyvalue.increment(&stock, "incremented", 1).await.unwrap();
                swap_up(&*keyvalue, &stock).await;
            }
        })
    });
    for task in futures::future::join_all(tasks.collect::<Vec<_>>()).await {
        task.unwrap();
    }
    for key in ["incremented", "swapped"] {
        let found = value(&*keyvalue, &stock, key).await;
        assert_eq!(found.as_deref(), Some(&b"400"[..]), "{key}");
    }
}

/// Adds one by compare-and-swap, as a guest does.
async fn swap_up(keyvalue: &dyn KeyValue, stock: &BucketId) {
    let mut current = value(keyvalue, stock, "swapped").await;
    loop {
        let text = current.as_deref().unwrap_or(b"0");
        let number: u64 = std::str::from_utf8(text).unwrap().parse().unwrap();
        let new = (number + 1).to_string();
        let swapped =
            keyvalue.compare_and_swap(stock, "swapped", current.as_deref(), new.as_bytes());
        match swapped.await.unwrap() {
            Ok(()) => return,
            Err(Current(now)) => current = now,
        }
    }
}
