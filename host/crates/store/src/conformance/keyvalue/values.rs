//! One key, its bucket and its service.

use super::{Buckets, all, assert_too_large, bucket, value};
use crate::{BucketId, MAX_KEY, MAX_VALUE, StoreError};

/// Or nothing, when it was removed; once or twice.
pub async fn a_value_is_what_was_set_last(keyvalue: Buckets) {
    let orders = bucket("order", "orders");
    assert_eq!(value(&*keyvalue, &orders, "a").await, None);
    assert!(!keyvalue.exists(&orders, "a").await.unwrap());
    for new in [&b"one"[..], b"", &[0, 0xff], b"small again"] {
        keyvalue.set(&orders, "a", new).await.unwrap();
        assert_eq!(value(&*keyvalue, &orders, "a").await.as_deref(), Some(new));
        assert!(keyvalue.exists(&orders, "a").await.unwrap());
    }
    assert_eq!(value(&*keyvalue, &orders, "b").await, None);
    for _ in 0..2 {
        keyvalue.delete(&orders, "a").await.unwrap();
        assert_eq!(value(&*keyvalue, &orders, "a").await, None);
        assert!(!keyvalue.exists(&orders, "a").await.unwrap());
    }
}

/// Longer and shorter ones replace each other.
pub async fn a_value_is_as_long_as_it_may_be(keyvalue: Buckets) {
    let images = bucket("order", "images");
    let lengths = [MAX_VALUE, 0, (16 << 10) + 1, 16 << 10, 1 << 20, 1, 70_000];
    for (at, len) in lengths.into_iter().enumerate() {
        let new: Vec<_> = (at..at + len).map(|n| (n % 251) as u8).collect();
        keyvalue.set(&images, "a", &new).await.unwrap();
        let found = value(&*keyvalue, &images, "a").await;
        assert!(found.as_deref() == Some(&new), "{len} bytes");
    }
}

/// Whatever characters an engine's own keys may have.
pub async fn a_key_is_any_text(keyvalue: Buckets) {
    let names = bucket("order", "names");
    let long = "é".repeat(MAX_KEY / 2);
    let keys = [
        "",
        " ",
        "\0",
        "\0\0",
        "a",
        "a\0",
        "a.b",
        "a.*",
        "a.>",
        ">",
        "A",
        "a/b",
        "a\n",
        "%61",
        "YQ",
        "\u{10ffff}",
        "é",
        &long,
    ];
    for key in keys {
        keyvalue.set(&names, key, key.as_bytes()).await.unwrap();
    }
    for key in keys {
        let found = value(&*keyvalue, &names, key).await;
        assert_eq!(found.as_deref(), Some(key.as_bytes()), "{key:?}");
    }
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(all(&*keyvalue, &names, 3).await, sorted);
    for key in keys {
        keyvalue.delete(&names, key).await.unwrap();
        assert!(!keyvalue.exists(&names, key).await.unwrap(), "{key:?}");
    }
}

/// By every method, and nothing of it is kept.
pub async fn what_is_longer_than_it_may_be_is_refused(keyvalue: Buckets) {
    let orders = bucket("order", "orders");
    let (key, large) = ("k".repeat(MAX_KEY + 1), vec![0; MAX_VALUE + 1]);
    assert_too_large(keyvalue.get(&orders, &key).await, MAX_KEY);
    assert_too_large(keyvalue.exists(&orders, &key).await, MAX_KEY);
    assert_too_large(keyvalue.set(&orders, &key, b"").await, MAX_KEY);
    assert_too_large(keyvalue.delete(&orders, &key).await, MAX_KEY);
    assert_too_large(keyvalue.increment(&orders, &key, 1).await, MAX_KEY);
    let swap = keyvalue.compare_and_swap(&orders, &key, None, b"");
    assert_too_large(swap.await, MAX_KEY);
    let many = [key.clone()];
    assert_too_large(keyvalue.get_many(&orders, &many, 1 << 20).await, MAX_KEY);
    assert_too_large(keyvalue.delete_many(&orders, &many).await, MAX_KEY);
    let many = [(key, Vec::new())];
    assert_too_large(keyvalue.set_many(&orders, &many).await, MAX_KEY);

    assert_too_large(keyvalue.set(&orders, "a", &large).await, MAX_VALUE);
    let swap = keyvalue.compare_and_swap(&orders, "a", None, &large);
    assert_too_large(swap.await, MAX_VALUE);
    let many = [("a".to_owned(), large)];
    assert_too_large(keyvalue.set_many(&orders, &many).await, MAX_VALUE);
    assert_eq!(all(&*keyvalue, &orders, 10).await, [""; 0]);
}

/// Whatever their names look like together.
pub async fn buckets_do_not_overlap(keyvalue: Buckets) {
    let names = [
        ("a", "b"),
        ("a", "bc"),
        ("ab", "c"),
        ("ab", "b"),
        ("A", "b"),
        ("a", "b.c"),
        ("a.b", "c"),
        ("a b", "c"),
    ];
    let buckets = names.map(|(service, name)| bucket(service, name));
    for bucket in &buckets {
        let value = bucket.to_string();
        keyvalue.set(bucket, "k", value.as_bytes()).await.unwrap();
        keyvalue.set(bucket, &value, b"").await.unwrap();
    }
    for bucket in &buckets {
        let expected = bucket.to_string();
        let found = value(&*keyvalue, bucket, "k").await;
        assert_eq!(found.as_deref(), Some(expected.as_bytes()));
        let mut keys = ["k", &expected];
        keys.sort_unstable();
        assert_eq!(all(&*keyvalue, bucket, 10).await, keys);
    }
    keyvalue.delete(&buckets[0], "k").await.unwrap();
    assert!(keyvalue.exists(&buckets[1], "k").await.unwrap());
}

/// Before any engine sees them, but for those to purge.
pub async fn names_that_could_reach_another_bucket_are_refused(keyvalue: Buckets) {
    let long = "x".repeat(BucketId::MAX_NAME + 1);
    for name in ["", "a/b", "a\0b", "a\nb", &long] {
        let purge = keyvalue.purge(name).await;
        let all = [
            BucketId::new("order", name).map(drop),
            BucketId::new(name, "orders").map(drop),
            purge,
        ];
        for refused in all {
            assert!(matches!(refused, Err(StoreError::BadName { .. })), "{name}");
        }
    }
    let longest = bucket(&long[1..], "\u{e9}t\u{e9} 2026");
    keyvalue.set(&longest, "k", b"v").await.unwrap();
    assert!(keyvalue.exists(&longest, "k").await.unwrap());
}

/// All of its buckets, and it can begin anew.
pub async fn a_purge_takes_one_service_only(keyvalue: Buckets) {
    let own = [bucket("order", "a"), bucket("order", "b")];
    let others = ["order2", "orde", "order ", "Order"].map(|service| bucket(service, "a"));
    let pairs: Vec<_> = (0..300).map(|n| (format!("{n}"), vec![])).collect();
    keyvalue.set_many(&own[0], &pairs).await.unwrap();
    keyvalue.set(&own[1], "k", &vec![1; 70_000]).await.unwrap();
    for other in &others {
        keyvalue.set(other, "k", b"v").await.unwrap();
    }
    keyvalue.purge("order").await.unwrap();
    for bucket in &own {
        assert_eq!(all(&*keyvalue, bucket, 10).await, [""; 0]);
    }
    for other in &others {
        let found = value(&*keyvalue, other, "k").await;
        assert_eq!(found.as_deref(), Some(&b"v"[..]), "{other}");
    }
    keyvalue.purge("order").await.unwrap();
    keyvalue.set(&own[0], "k", b"v").await.unwrap();
    assert_eq!(all(&*keyvalue, &own[0], 10).await, ["k"]);
}
