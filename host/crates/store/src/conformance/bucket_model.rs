//! Buckets and queues as simple as can be, and operations by chance that they and an
//! engine should answer alike.

mod operations;
#[cfg(test)]
mod strategy;

use std::collections::BTreeMap;

use self::operations::Run;
pub use self::operations::{At, Guess, Operation};
#[cfg(test)]
pub(crate) use self::strategy::operations;
use super::Mortal;
use crate::log::{Bound, Full};
use crate::{Current, StoreError, Uncommitted};

/// What an engine must know, also after a crash.
#[derive(Default)]
struct Reference {
    /// By bucket and key.
    values: BTreeMap<(usize, &'static str), Vec<u8>>,
    /// Bodies, in the order of their commits.
    queues: BTreeMap<&'static str, Vec<String>>,
}

/// Does all of it with an engine and with the model, and looks at everything now and
/// then.
///
/// # Panics
/// Where the two don't agree.
pub async fn agree(mut engine: impl Mortal, operations: &[Operation]) {
    let mut run = Run::default();
    for operation in operations {
        if *operation == Operation::Crash {
            engine.crash();
            run.look(&engine).await;
        }
        run.step(&engine, operation).await;
    }
    run.look(&engine).await;
}

// === impl Reference ===

impl Reference {
    fn get(&self, at: (usize, &'static str)) -> Option<&[u8]> {
        self.values.get(&at).map(Vec::as_slice)
    }

    fn keys(&self, bucket: usize) -> Vec<&'static str> {
        let all = self.values.keys();
        let own = all.filter(|(of, _)| *of == bucket);
        own.map(|(_, key)| *key).collect()
    }

    fn increment(&mut self, at: (usize, &'static str), delta: i64) -> Result<i64, &'static str> {
        let text = std::str::from_utf8(self.get(at).unwrap_or(b"0")).unwrap();
        let number: i64 = text.parse().map_err(|_| "no number")?;
        let sum = number.checked_add(delta).ok_or("overflow")?;
        self.values.insert(at, sum.to_string().into_bytes());
        Ok(sum)
    }

    fn swap(
        &mut self,
        at: (usize, &'static str),
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<(), Current> {
        let found = self.get(at);
        if found != expected {
            return Err(Current(found.map(<[u8]>::to_vec)));
        }
        self.values.insert(at, new.to_vec());
        Ok(())
    }

    /// Whether so many more messages fit each queue.
    fn room(&self, more: &BTreeMap<&'static str, u64>, limit: u64) -> Result<(), Uncommitted> {
        for (queue, more) in more {
            let there = self.queues.get(queue).map_or(0, |all| all.len() as u64);
            if there + more > limit {
                return Err(Uncommitted::Full {
                    queue: (*queue).to_owned(),
                    full: Full {
                        bound: Bound::Messages,
                        limit,
                        there,
                    },
                });
            }
        }
        Ok(())
    }
}

/// What an error says to a caller.
fn told<T>(found: Result<T, StoreError>) -> Result<T, &'static str> {
    found.map_err(|error| match error {
        StoreError::NotANumber { .. } => "no number",
        StoreError::Overflow { .. } => "overflow",
        StoreError::TooLarge { .. } => "too large",
        other => panic!("{other}"),
    })
}
