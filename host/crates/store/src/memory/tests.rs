//! What a log promises, in memory; and that the faults are some.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Faults, Memory};
use crate::Log;
use crate::conformance::everything_is_delivered_in_order;
use crate::conformance::model::{Mortal, agree, operations};

fn fresh() -> (Arc<dyn Log>, Memory) {
    let memory = Memory::default();
    (memory.log(), memory)
}

crate::log_conformance!(fresh);

impl Mortal for Memory {
    fn log(&self) -> Arc<dyn Log> {
        Memory::log(self)
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
