//! Many keys at once.

use super::{Buckets, all, assert_too_large, bucket, value};

/// Those that are not there, or come twice, included.
pub async fn many_are_as_one_by_one(keyvalue: Buckets) {
    let b = bucket("a", "b");
    let pairs: Vec<_> = (0..200u8).map(|n| (format!("{n}"), vec![n; 10])).collect();
    keyvalue.set_many(&b, &pairs).await.unwrap();
    let keys = ["7", "none", "199", "7"].map(str::to_owned);
    let (seven, last) = (Some(vec![7; 10]), Some(vec![199; 10]));
    let found = keyvalue.get_many(&b, &keys, 1000).await.unwrap();
    assert_eq!(found, [seven.clone(), None, last, seven]);
    keyvalue.delete_many(&b, &keys).await.unwrap();
    assert_eq!(all(&*keyvalue, &b, 1000).await.len(), 198);
    let twice = [b"1", b"2"].map(|value| ("7".to_owned(), value.to_vec()));
    keyvalue.set_many(&b, &twice).await.unwrap();
    let found = value(&*keyvalue, &b, "7").await;
    assert_eq!(found.as_deref(), Some(&b"2"[..]), "the last one counts");

    keyvalue.set_many(&b, &[]).await.unwrap();
    keyvalue.delete_many(&b, &[]).await.unwrap();
    assert!(keyvalue.get_many(&b, &[], 0).await.unwrap().is_empty());
}

/// For all of them together.
pub async fn many_values_need_room(keyvalue: Buckets) {
    let b = bucket("a", "b");
    let keys = ["0", "1", "2"].map(str::to_owned);
    for (key, len) in keys.iter().zip([10, 70_000, 0]) {
        keyvalue.set(&b, key, &vec![1; len]).await.unwrap();
    }
    let found = keyvalue.get_many(&b, &keys, 70_010).await.unwrap();
    let lengths = found.iter().flatten().map(Vec::len);
    assert!(lengths.eq([10, 70_000, 0]));
    assert_too_large(keyvalue.get_many(&b, &keys, 70_009).await, 70_009);
    assert_too_large(keyvalue.get_many(&b, &keys[..1], 9).await, 9);
    let none = ["none".to_owned()];
    let found = keyvalue.get_many(&b, &none, 0).await.unwrap();
    assert_eq!(found, [None]);
}
