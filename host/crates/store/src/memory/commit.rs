//! A write of a bucket and messages of queues, under the locks of both.

use std::sync::Arc;
use std::time::SystemTime;

use super::MemoryJournal;
use super::keyvalue::MemoryKeyValue;
use crate::commit::{ByQueue, by_queue};
use crate::keyvalue::check_value;
use crate::log::Local;
use crate::log::journal::Journal;
use crate::{Append, Commit, Reply, StoreError, Swap, Uncommitted, ready};

/// [`Commit`] on maps, for one caller.
pub(super) struct MemoryCommit {
    pub(super) keyvalue: Arc<MemoryKeyValue>,
    pub(super) log: Arc<Local<MemoryJournal>>,
}

impl Commit for MemoryCommit {
    fn commit<'a>(
        &'a self,
        swap: Swap<'a>,
        appends: Vec<Append>,
        now: SystemTime,
    ) -> Reply<'a, Result<(), Uncommitted>> {
        let appends = match by_queue(appends) {
            Ok(appends) => appends,
            Err(error) => return ready(Err(error)),
        };
        self.keyvalue.call(move |call| {
            check_value(swap.new)?;
            if let Err(current) = call.expect(swap.bucket, swap.key, swap.expected)? {
                return Ok(Err(Uncommitted::Stale(current)));
            }
            if let Err(full) = self.append(appends, now)? {
                return Ok(Err(full));
            }
            call.write(swap.bucket, swap.key, Some(swap.new)).map(Ok)
        })
    }
}

impl MemoryCommit {
    /// Appends to all queues, or to none.
    fn append(
        &self,
        appends: ByQueue,
        now: SystemTime,
    ) -> Result<Result<(), Uncommitted>, StoreError> {
        let queues: Vec<_> = appends.keys().map(|name| self.log.open(name)).collect();
        let mut appending = Vec::new();
        for (queue, (bounds, messages)) in queues.iter().zip(appends.into_values()) {
            match self.log.begin(queue, messages, bounds, now)? {
                Ok(begun) => appending.push((queue, begun)),
                Err(full) => {
                    let queue = queue.name().to_owned();
                    return Ok(Err(Uncommitted::Full { queue, full }));
                }
            }
        }
        for (queue, begun) in appending {
            self.log.journal().apply(queue.name(), begun.writes())?;
            begun.made();
        }
        Ok(Ok(()))
    }
}
