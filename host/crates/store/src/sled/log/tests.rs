//! What a log promises, on disk.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use crate::conformance::everything_is_delivered_in_order;
use crate::conformance::model::{agree, operations};
use crate::log::Peek;
use crate::sled::tests::Reopened;
use crate::{Log, Store};

pub(super) const ALL: Peek<'static> = Peek {
    subscriber: None,
    standing: None,
    after: 0,
    most: 100,
    body: 100,
};

fn fresh() -> (Arc<dyn Log>, (Store, TempDir)) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (store.log(), (store, dir))
}

crate::log_conformance!(fresh);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn it_is_as_the_model_says(operations in operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(agree(Reopened::new(), &operations));
    }
}

#[tokio::test]
async fn everything_is_delivered() {
    let (log, _kept) = fresh();
    everything_is_delivered_in_order(&*log, 7).await;
}
