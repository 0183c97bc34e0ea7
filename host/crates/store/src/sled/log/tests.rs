//! What a log promises, on disk.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use crate::conformance::everything_is_delivered_in_order;
use crate::conformance::model::{Mortal, agree, operations};
use crate::log::Peek;
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

/// A store that is opened again and again.
struct Reopened {
    dir: TempDir,
    store: Option<Store>,
}

impl Reopened {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Some(Store::open(dir.path()).unwrap());
        Self { dir, store }
    }
}

impl Mortal for Reopened {
    fn log(&self) -> Arc<dyn Log> {
        self.store.as_ref().unwrap().log()
    }

    fn crash(&mut self) {
        // A closed store keeps nothing that a killed one would not: leases are in
        // memory alone. That a killed one keeps all is tested with a child.
        self.store.take().unwrap().close();
        self.store = Some(Store::open(self.dir.path()).unwrap());
    }
}

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
