//! What [`KeyValue`], [`Commit`] and [`Records`](crate::Records) promise, on this store.

mod opening;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::Store;
use super::large::INLINE_MAX;
use crate::conformance::blobs::objects_are_whole_whoever_writes;
use crate::conformance::commit::nothing_is_committed_by_half;
use crate::conformance::holders::nobody_holds_a_lease_beside_another;
use crate::conformance::keyvalue::no_acknowledged_count_is_lost;
use crate::conformance::{Mortal, bucket_model};
use crate::{Blobs, BucketId, Change, Commit, KeyValue, Leases, Log};

crate::keyvalue_conformance!(fresh);
crate::commit_conformance!(Reopened::new);
crate::leases_conformance!(Reopened::new);
crate::blobs_conformance!(Reopened::new);

fn fresh() -> (Arc<dyn KeyValue>, (Store, TempDir)) {
    let (dir, store) = store();
    (store.keyvalue(), (store, dir))
}

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// A store that is opened again and again.
pub(super) struct Reopened {
    dir: TempDir,
    store: Option<Store>,
}

impl Reopened {
    pub(super) fn new() -> Self {
        let (dir, store) = store();
        let store = Some(store);
        Self { dir, store }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }
}

impl Mortal for Reopened {
    fn log(&self) -> Arc<dyn Log> {
        self.store().log()
    }

    fn keyvalue(&self) -> Arc<dyn KeyValue> {
        self.store().keyvalue()
    }

    fn commits(&self) -> Arc<dyn Commit> {
        self.store().commits()
    }

    fn leases(&self) -> Arc<dyn Leases> {
        self.store().leases()
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        self.store().blobs()
    }

    fn crash(&mut self) {
        // A closed store keeps nothing that a killed one would not: leases of
        // messages are in memory alone. That a killed one keeps all is tested with a child.
        self.store.take().unwrap().close();
        self.store = Some(Store::open(self.dir.path()).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn its_buckets_are_as_the_model_says(operations in bucket_model::operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(bucket_model::agree(Reopened::new(), &operations));
    }
}

fn bucket(service: &str, name: &str) -> BucketId {
    BucketId::new(service, name).unwrap()
}

fn files(dir: &TempDir) -> usize {
    std::fs::read_dir(dir.path().join("values"))
        .unwrap()
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_in_one_process_lose_and_double_nothing() {
    let (_dir, store) = store();
    let callers = (0..4).map(|_| store.keyvalue()).collect();
    no_acknowledged_count_is_lost(callers).await;
    let callers = (0..4).map(|_| store.commits()).collect();
    nothing_is_committed_by_half(callers, &*store.log()).await;
    let callers = (0..4).map(|_| store.leases()).collect();
    nobody_holds_a_lease_beside_another(callers, 7).await;
    let callers = (0..4).map(|_| store.blobs()).collect();
    objects_are_whole_whoever_writes(callers, 7).await;
}

#[tokio::test]
async fn large_values_that_are_replaced_leave_no_files() {
    let (dir, store) = store();
    let (keyvalue, orders) = (store.keyvalue(), bucket("order", "orders"));
    let large = vec![7; INLINE_MAX + 1];
    for key in ["set", "swapped", "deleted", "deleted too", "purged"] {
        keyvalue.set(&orders, key, &large).await.unwrap();
        keyvalue.set(&orders, key, &large).await.unwrap();
    }
    assert!(files(&dir) >= 5);
    keyvalue.set(&orders, "set", b"small").await.unwrap();
    let swap = |expected, new| keyvalue.compare_and_swap(&orders, "swapped", expected, new);
    swap(Some(&large), &large[1..]).await.unwrap().unwrap();
    swap(Some(b"x"), &large).await.unwrap().unwrap_err();
    keyvalue.delete(&orders, "deleted").await.unwrap();
    let keys = ["deleted too".to_owned()];
    keyvalue.delete_many(&orders, &keys).await.unwrap();
    keyvalue.purge("order").await.unwrap();
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
