//! What every engine of [`KeyValue`] promises, as tests that each engine runs.
//!
//! [`keyvalue_conformance!`](crate::keyvalue_conformance) makes a test of each check. A
//! check gets buckets of its own, and panics where a promise is broken.

mod atomic;
mod batches;
mod counting;
mod listing;
mod values;

use std::sync::Arc;

pub use self::atomic::*;
pub use self::batches::*;
pub use self::counting::*;
pub use self::listing::*;
pub use self::values::*;
use crate::{BucketId, KeyValue, StoreError};

/// Makes a test of each check, for the engine that a function returns: a pair of an
/// `Arc<dyn KeyValue>` and what must outlive it.
#[macro_export]
macro_rules! keyvalue_conformance {
    ($fresh:path) => {
        $crate::keyvalue_conformance! {
            $fresh: tokio::test:
            a_value_is_what_was_set_last
            a_value_is_as_long_as_it_may_be
            a_key_is_any_text
            what_is_longer_than_it_may_be_is_refused
            buckets_do_not_overlap
            names_that_could_reach_another_bucket_are_refused
            a_purge_takes_one_service_only
            a_listing_is_in_the_order_of_bytes
            a_listing_is_stable_under_writes
            a_listing_ends_without_a_cursor
            what_is_no_cursor_is_refused
            numbers_are_plain_text
            what_can_not_be_incremented_stays
            a_swap_needs_what_is_there
            many_are_as_one_by_one
            many_values_need_room
        }
        $crate::keyvalue_conformance! {
            $fresh: tokio::test(flavor = "multi_thread", worker_threads = 4):
            of_many_who_make_a_key_one_does
            no_update_is_lost_between_tasks
            what_stays_is_listed_once_while_others_write
        }
    };
    ($fresh:path: $test:meta: $($check:ident)*) => {$(
        #[$test]
        async fn $check() {
            let (keyvalue, _kept) = $fresh();
            $crate::conformance::keyvalue::$check(keyvalue).await;
        }
    )*};
}

/// Buckets to test.
type Buckets = Arc<dyn KeyValue>;

fn bucket(service: &str, name: &str) -> BucketId {
    BucketId::new(service, name).unwrap()
}

async fn value(keyvalue: &dyn KeyValue, bucket: &BucketId, key: &str) -> Option<Vec<u8>> {
    keyvalue.get(bucket, key).await.unwrap()
}

/// All keys of a bucket, in pages of `limit`.
async fn all(keyvalue: &dyn KeyValue, bucket: &BucketId, limit: usize) -> Vec<String> {
    let (mut keys, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = keyvalue.list(bucket, cursor.as_deref(), limit);
        let page = page.await.unwrap();
        assert!(page.keys.len() <= limit.max(1));
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return keys;
        }
    }
}

fn assert_too_large<T: std::fmt::Debug>(found: Result<T, StoreError>, expected: usize) {
    assert!(
        matches!(found, Err(StoreError::TooLarge { limit }) if limit == expected),
        "{found:?}"
    );
}
