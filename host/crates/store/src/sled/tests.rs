//! What [`KeyValue`] and [`Records`] promise, on this store.

mod opening;

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use super::Store;
use super::large::INLINE_MAX;
use crate::{BucketId, Change, Current, KeyValue, StoreError};

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn bucket(service: &str, name: &str) -> BucketId {
    BucketId::new(service, name).unwrap()
}

fn files(dir: &TempDir) -> usize {
    std::fs::read_dir(dir.path().join("values"))
        .unwrap()
        .count()
}

#[tokio::test]
async fn a_value_is_what_was_set_last() {
    let (dir, store) = store();
    let (keyvalue, orders) = (store.keyvalue(), bucket("order", "orders"));
    assert_eq!(keyvalue.get(&orders, "a").await.unwrap(), None);
    assert!(!keyvalue.exists(&orders, "a").await.unwrap());
    for value in [
        &b"one"[..],
        b"",
        &vec![7; INLINE_MAX + 1],
        &vec![9; 8 << 20],
        b"small again",
    ] {
        keyvalue.set(&orders, "a", value).await.unwrap();
        assert_eq!(
            keyvalue.get(&orders, "a").await.unwrap().as_deref(),
            Some(value)
        );
        assert!(keyvalue.exists(&orders, "a").await.unwrap());
    }
    keyvalue.delete(&orders, "a").await.unwrap();
    keyvalue.delete(&orders, "a").await.unwrap();
    assert_eq!(keyvalue.get(&orders, "a").await.unwrap(), None);
    drop((keyvalue, store));
    assert_eq!(files(&dir), 0, "replaced large values leave no files");
}

#[tokio::test]
async fn buckets_do_not_overlap() {
    let (_dir, store) = store();
    let keyvalue = store.keyvalue();
    let all = [
        bucket("a", "b"),
        bucket("a", "bc"),
        bucket("ab", "c"),
        bucket("ab", "b"),
    ];
    for bucket in &all {
        keyvalue
            .set(bucket, "k", bucket.to_string().as_bytes())
            .await
            .unwrap();
    }
    for bucket in &all {
        assert_eq!(
            keyvalue.get(bucket, "k").await.unwrap().unwrap(),
            bucket.to_string().as_bytes()
        );
        assert_eq!(keyvalue.list(bucket, None, 10).await.unwrap().keys, ["k"]);
    }
}

#[test]
fn names_that_could_reach_another_bucket_are_refused() {
    for name in ["", "a/b", "a\0b", "a\nb", &"x".repeat(256)] {
        assert!(
            matches!(
                BucketId::new("order", name),
                Err(StoreError::BadName { .. })
            ),
            "{name:?}"
        );
        assert!(
            matches!(
                BucketId::new(name, "orders"),
                Err(StoreError::BadName { .. })
            ),
            "{name:?}"
        );
    }
    BucketId::new("x".repeat(255), "\u{e9}t\u{e9} 2026").unwrap();
}

#[tokio::test]
async fn a_listing_is_sorted_and_stable_under_writes() {
    let (_dir, store) = store();
    let (keyvalue, keys) = (store.keyvalue(), bucket("product", "keys"));
    let pairs: Vec<_> = (0..25)
        .map(|n| (format!("k{:02}", n * 2), vec![]))
        .collect();
    keyvalue.set_many(&keys, &pairs).await.unwrap();

    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = keyvalue.list(&keys, cursor.as_deref(), 10).await.unwrap();
        assert!(page.keys.len() <= 10);
        seen.extend(page.keys);
        // Before, at and after the cursor: none may shift what comes.
        keyvalue.set(&keys, "a", b"").await.unwrap();
        keyvalue.delete(&keys, seen.last().unwrap()).await.unwrap();
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(
        seen,
        pairs.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    );

    let exact = keyvalue.list(&keys, None, 23).await.unwrap();
    assert_eq!(
        (exact.keys.len(), exact.cursor),
        (23, None),
        "no cursor after the last key"
    );
    for bad in ["!", "_w"] {
        assert!(matches!(
            keyvalue.list(&keys, Some(bad), 10).await,
            Err(StoreError::BadCursor)
        ));
    }
}

#[tokio::test]
async fn numbers_are_plain_text() {
    let (_dir, store) = store();
    let (keyvalue, counts) = (store.keyvalue(), bucket("order", "counts"));
    assert_eq!(keyvalue.increment(&counts, "n", 5).await.unwrap(), 5);
    assert_eq!(keyvalue.increment(&counts, "n", -12).await.unwrap(), -7);
    assert_eq!(keyvalue.get(&counts, "n").await.unwrap().unwrap(), b"-7");
    keyvalue.set(&counts, "n", b"41").await.unwrap();
    assert_eq!(keyvalue.increment(&counts, "n", 1).await.unwrap(), 42);

    let max = i64::MAX.to_string();
    for (value, fits) in [
        (&b"apple"[..], false),
        (b"", false),
        (&[0xff; 8], false),
        (max.as_bytes(), true),
    ] {
        keyvalue.set(&counts, "n", value).await.unwrap();
        let refused = keyvalue.increment(&counts, "n", 1).await.unwrap_err();
        match refused {
            StoreError::Overflow { .. } => assert!(fits),
            StoreError::NotANumber { .. } => assert!(!fits),
            other => panic!("{other}"),
        }
        assert_eq!(
            keyvalue.get(&counts, "n").await.unwrap().unwrap(),
            value,
            "a refusal changes nothing"
        );
    }
}

#[tokio::test]
async fn a_swap_needs_what_is_there() {
    let (dir, store) = store();
    let (keyvalue, carts) = (store.keyvalue(), bucket("order", "carts"));
    let large = vec![3; INLINE_MAX * 2];
    let stale = |value: Option<&[u8]>| Err(Current(value.map(<[u8]>::to_vec)));

    assert_eq!(
        keyvalue
            .compare_and_swap(&carts, "c", Some(b"x"), b"1")
            .await
            .unwrap(),
        stale(None)
    );
    assert_eq!(
        keyvalue
            .compare_and_swap(&carts, "c", None, &large)
            .await
            .unwrap(),
        Ok(())
    );
    assert_eq!(
        keyvalue
            .compare_and_swap(&carts, "c", None, b"1")
            .await
            .unwrap(),
        stale(Some(&large))
    );
    assert_eq!(
        keyvalue
            .compare_and_swap(&carts, "c", Some(&large[1..]), b"1")
            .await
            .unwrap(),
        stale(Some(&large))
    );
    assert_eq!(
        keyvalue
            .compare_and_swap(&carts, "c", Some(&large), b"1")
            .await
            .unwrap(),
        Ok(())
    );
    assert_eq!(keyvalue.get(&carts, "c").await.unwrap().unwrap(), b"1");
    drop((keyvalue, store));
    assert_eq!(files(&dir), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_is_lost_between_tasks() {
    let (_dir, store) = store();
    let (keyvalue, stock) = (store.keyvalue(), Arc::new(bucket("product", "stock")));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (keyvalue, stock) = (Arc::clone(&keyvalue), Arc::clone(&stock));
            tokio::spawn(async move {
                for _ in 0..25 {
                    keyvalue.increment(&stock, "incremented", 1).await.unwrap();
                    swap_up(&*keyvalue, &stock).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        keyvalue.get(&stock, "incremented").await.unwrap().unwrap(),
        b"400"
    );
    assert_eq!(
        keyvalue.get(&stock, "swapped").await.unwrap().unwrap(),
        b"400"
    );
}

/// Adds one by compare-and-swap, as a guest does.
async fn swap_up(keyvalue: &dyn KeyValue, stock: &BucketId) {
    let mut current = keyvalue.get(stock, "swapped").await.unwrap();
    loop {
        let number = current.as_deref().map_or(0, |text| {
            std::str::from_utf8(text).unwrap().parse().unwrap()
        });
        let new: u64 = number + 1;
        let new = new.to_string();
        match keyvalue
            .compare_and_swap(stock, "swapped", current.as_deref(), new.as_bytes())
            .await
            .unwrap()
        {
            Ok(()) => return,
            Err(Current(now)) => current = now,
        }
    }
}

#[tokio::test]
async fn batches_keep_the_order_of_their_keys() {
    let (_dir, store) = store();
    let (keyvalue, b) = (store.keyvalue(), bucket("a", "b"));
    let pairs: Vec<_> = (0..200u8).map(|n| (format!("{n}"), vec![n; 10])).collect();
    keyvalue.set_many(&b, &pairs).await.unwrap();
    let keys = ["7".to_owned(), "none".to_owned(), "199".to_owned()];
    let expected = vec![Some(vec![7; 10]), None, Some(vec![199; 10])];
    assert_eq!(keyvalue.get_many(&b, &keys, 20).await.unwrap(), expected);
    assert!(matches!(
        keyvalue.get_many(&b, &keys, 19).await,
        Err(StoreError::TooLarge { limit: 19 })
    ));
    keyvalue.delete_many(&b, &keys).await.unwrap();
    assert_eq!(keyvalue.list(&b, None, 1000).await.unwrap().keys.len(), 198);
}

#[tokio::test]
async fn a_purge_takes_one_service_only() {
    let (dir, store) = store();
    let keyvalue = store.keyvalue();
    let (mine, too, not) = (
        bucket("order", "a"),
        bucket("order", "b"),
        bucket("order2", "a"),
    );
    let pairs: Vec<_> = (0..300).map(|n| (format!("{n}"), vec![])).collect();
    keyvalue.set_many(&mine, &pairs).await.unwrap();
    keyvalue
        .set(&too, "large", &vec![1; INLINE_MAX + 1])
        .await
        .unwrap();
    keyvalue.set(&not, "k", b"v").await.unwrap();
    keyvalue.purge("order").await.unwrap();
    for bucket in [&mine, &too] {
        assert!(
            keyvalue
                .list(bucket, None, 10)
                .await
                .unwrap()
                .keys
                .is_empty()
        );
    }
    assert_eq!(keyvalue.get(&not, "k").await.unwrap().unwrap(), b"v");
    drop((keyvalue, store));
    assert_eq!(files(&dir), 0);
}

#[tokio::test]
async fn records_change_together_and_come_back() {
    let (dir, store) = store();
    let records = store.records();
    records.put("scale", "order", json!(3)).await.unwrap();
    records
        .apply(vec![
            Change::put("deployment", "product", &json!({"revision": 1})).unwrap(),
            Change::put("deployment", "order", &json!({"revision": 2})).unwrap(),
            Change::remove("scale", "order"),
        ])
        .await
        .unwrap();
    drop((records, store));

    let records = Store::open(dir.path()).unwrap().records();
    let all = records.list("deployment").await.unwrap();
    assert_eq!(
        all,
        [
            ("order".to_owned(), json!({"revision": 2})),
            ("product".to_owned(), json!({"revision": 1}))
        ]
    );
    assert_eq!(records.get("scale", "order").await.unwrap(), None);
    assert!(
        records
            .read::<u8>("deployment", "order")
            .await
            .unwrap_err()
            .to_string()
            .contains("order")
    );
}
