//! What an engine promises, in memory; and that it holds with faults.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Faults, Memory};
use crate::conformance::blobs::objects_are_whole_whoever_writes;
use crate::conformance::bucket_model;
use crate::conformance::commit::nothing_is_committed_by_half;
use crate::conformance::holders::nobody_holds_a_lease_beside_another;
use crate::conformance::keyvalue::no_acknowledged_count_is_lost;
use crate::conformance::model::{agree, operations};
use crate::conformance::{Mortal, everything_is_delivered_in_order};
use crate::{Blobs, Commit, KeyValue, Leases, Log};

fn fresh() -> (Arc<dyn Log>, Memory) {
    let memory = Memory::default();
    (memory.log(), memory)
}

fn fresh_keyvalue() -> (Arc<dyn KeyValue>, Memory) {
    let memory = Memory::default();
    (memory.keyvalue(), memory)
}

crate::log_conformance!(fresh);
crate::keyvalue_conformance!(fresh_keyvalue);
crate::commit_conformance!(Memory::default);
crate::leases_conformance!(Memory::default);
crate::blobs_conformance!(Memory::default);

impl Mortal for Memory {
    fn log(&self) -> Arc<dyn Log> {
        Memory::log(self)
    }

    fn keyvalue(&self) -> Arc<dyn KeyValue> {
        Memory::keyvalue(self)
    }

    fn commits(&self) -> Arc<dyn Commit> {
        Memory::commits(self)
    }

    fn leases(&self) -> Arc<dyn Leases> {
        Memory::leases(self)
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Memory::blobs(self)
    }

    fn crash(&mut self) {
        *self = self.reopened();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn it_is_as_the_model_says(operations in operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(agree(Memory::default(), &operations));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn its_buckets_are_as_the_model_says(operations in bucket_model::operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(bucket_model::agree(Memory::default(), &operations));
    }
}

#[tokio::test]
async fn everything_is_delivered_without_faults() {
    for seed in 0..20 {
        everything_is_delivered_in_order(&*Memory::default().log(), seed).await;
    }
}

#[tokio::test]
async fn everything_is_delivered_though_much_fails() {
    for seed in 0..100 {
        let log = Memory::default().faulty_log(Faults::some(seed));
        everything_is_delivered_in_order(&*log, seed).await;
    }
}

#[tokio::test]
async fn no_acknowledged_count_is_lost_though_much_fails() {
    for seed in 0..50 {
        let memory = Memory::default();
        let callers = (0..4).map(|own| memory.faulty(Faults::some(4 * seed + own)).keyvalue());
        no_acknowledged_count_is_lost(callers.collect()).await;
    }
}

#[tokio::test]
async fn nothing_is_committed_by_half_though_much_fails() {
    for seed in 0..50 {
        let memory = Memory::default();
        let callers = (0..4).map(|own| memory.faulty(Faults::some(4 * seed + own)).commits());
        nothing_is_committed_by_half(callers.collect(), &*memory.log()).await;
    }
}

#[tokio::test]
async fn nobody_holds_a_lease_beside_another_though_much_fails() {
    for seed in 0..100 {
        let memory = Memory::default();
        let callers = (0..4).map(|own| memory.faulty(Faults::some(4 * seed + own)).leases());
        nobody_holds_a_lease_beside_another(callers.collect(), seed).await;
    }
}

#[tokio::test]
async fn objects_are_whole_though_much_fails() {
    for seed in 0..50 {
        let memory = Memory::default();
        let callers = (0..4).map(|own| memory.faulty(Faults::some(4 * seed + own)).blobs());
        objects_are_whole_whoever_writes(callers.collect(), seed).await;
    }
}

/// So that what callers do about it is tested at all.
#[tokio::test]
async fn a_caller_reads_its_own_writes_and_may_miss_those_of_others() {
    let bucket = crate::BucketId::new("order", "orders").unwrap();
    let stale = Faults {
        stale: 0.5,
        ..Faults::default()
    };
    let memory = Memory::default();
    let [one, other] = [1, 2].map(|seed| memory.faulty(Faults { seed, ..stale }).keyvalue());
    let (mut late, mut last) = (0, 0);
    for number in 1..=100u8 {
        one.set(&bucket, "k", &[number]).await.unwrap();
        let own = one.get(&bucket, "k").await.unwrap();
        assert_eq!(own.as_deref(), Some(&[number][..]));
        let seen = other.get(&bucket, "k").await.unwrap();
        let seen = seen.map_or(0, |seen| seen[0]);
        assert!(seen >= last, "{seen} after {last}");
        (late, last) = (late + usize::from(seen < number), seen);
    }
    assert!(late > 10, "{late}");
}
