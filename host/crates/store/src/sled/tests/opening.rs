//! The directory of a store: opened, closed, damaged.

use super::*;
use crate::StoreError;

#[tokio::test]
async fn a_closed_store_takes_no_writes_and_can_be_opened_again() {
    let (dir, store) = store();
    let (keyvalue, b) = (store.keyvalue(), bucket("a", "b"));
    keyvalue.set(&b, "k", b"v").await.unwrap();
    store.close();
    assert!(matches!(
        keyvalue.set(&b, "k", b"w").await,
        Err(StoreError::Closed)
    ));
    drop(keyvalue);
    let keyvalue = Store::open(dir.path()).unwrap().keyvalue();
    assert_eq!(keyvalue.get(&b, "k").await.unwrap().unwrap(), b"v");
}

#[tokio::test]
async fn files_of_unfinished_writes_go_at_the_next_start() {
    let (dir, store) = store();
    let (keyvalue, b) = (store.keyvalue(), bucket("a", "b"));
    let large = vec![5; INLINE_MAX + 1];
    keyvalue.set(&b, "k", &large).await.unwrap();
    drop((keyvalue, store));
    let values = dir.path().join("values");
    let used = std::fs::read_dir(&values)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::copy(used, values.join(uuid::Uuid::now_v7().simple().to_string())).unwrap();
    std::fs::write(
        values.join(uuid::Uuid::now_v7().simple().to_string()),
        b"\x10",
    )
    .unwrap();

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(files(&dir), 1);
    assert_eq!(store.keyvalue().get(&b, "k").await.unwrap().unwrap(), large);
}

#[tokio::test]
async fn a_damaged_large_value_is_told() {
    let (dir, store) = store();
    let (keyvalue, b) = (store.keyvalue(), bucket("a", "b"));
    keyvalue
        .set(&b, "k", &vec![5; INLINE_MAX + 1])
        .await
        .unwrap();
    let file = std::fs::read_dir(dir.path().join("values"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut content = std::fs::read(&file).unwrap();
    *content.last_mut().unwrap() ^= 1;
    std::fs::write(&file, content).unwrap();
    assert!(matches!(
        keyvalue.get(&b, "k").await,
        Err(StoreError::Corrupt(_))
    ));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(
        keyvalue.get(&b, "k").await,
        Err(StoreError::Corrupt(_))
    ));
}

#[test]
fn a_directory_has_one_host() {
    let (dir, _store) = store();
    let refused = Store::open(dir.path()).err().unwrap();
    assert!(matches!(refused, StoreError::InUse { .. }));
    assert!(
        refused
            .to_string()
            .contains(&format!("the process {}", std::process::id())),
        "{refused}"
    );
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    assert!(matches!(
        Store::open(&file.join("data")).err(),
        Some(StoreError::NotWritable { .. })
    ));
}

#[test]
fn damage_is_told_and_not_overwritten() {
    let (dir, store) = store();
    drop(store);
    let conf = dir.path().join("state/conf");
    std::fs::write(&conf, b"segment_size: 12 apples").unwrap();
    let refused = Store::open(dir.path()).err().unwrap();
    assert!(matches!(refused, StoreError::Corrupt(_)), "{refused}");
    assert_eq!(std::fs::read(conf).unwrap(), b"segment_size: 12 apples");
}
