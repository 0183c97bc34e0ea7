//! A bucket's entry and messages in one batch: they share a tree for that.

use std::sync::Arc;
use std::time::SystemTime;

use sled::Batch;
use sled::transaction::{ConflictableTransactionError, TransactionError};

use super::fault;
use super::keyvalue::{SledKeyValue, full_key};
use super::log::SledLog;
use crate::commit::{ByQueue, by_queue};
use crate::log::Full;
use crate::{Append, Commit, Current, Reply, StoreError, Swap, Uncommitted, waiting};

/// [`Commit`] on the tree of the buckets and the queues.
pub(super) struct SledCommit {
    pub(super) keyvalue: Arc<SledKeyValue>,
    pub(super) log: Arc<SledLog>,
}

/// What became of a try.
enum Tried {
    Done,
    /// The entry is another one by now.
    Moved,
    Full {
        queue: String,
        full: Full,
    },
}

impl Commit for SledCommit {
    fn commit<'a>(
        &'a self,
        swap: Swap<'a>,
        appends: Vec<Append>,
        now: SystemTime,
    ) -> Reply<'a, Result<(), Uncommitted>> {
        waiting(async move {
            let by_queue = by_queue(appends)?;
            let full = full_key(swap.bucket, swap.key)?;
            let mut prepared = None;
            loop {
                let entry = self.keyvalue.load(&full).await?;
                if entry.as_ref().map(|entry| &entry.value[..]) != swap.expected {
                    let current = Current(entry.map(|entry| entry.value));
                    return Ok(Err(Uncommitted::Stale(current)));
                }
                let new = match prepared.take() {
                    Some(new) => new,
                    None => self.keyvalue.prepare(&full, swap.new).await?,
                };
                let old = entry.as_ref().map(|entry| &entry.raw[..]);
                match self.try_commit((&full, old, &new.raw), &by_queue, now)? {
                    Tried::Moved => prepared = Some(new),
                    Tried::Full { queue, full } => {
                        return Ok(Err(Uncommitted::Full { queue, full }));
                    }
                    Tried::Done => {
                        new.keep();
                        let replaced = entry.and_then(|entry| self.keyvalue.file(&entry.raw));
                        self.keyvalue.committer.ticket(replaced).await?;
                        return Ok(Ok(()));
                    }
                }
            }
        })
    }
}

impl SledCommit {
    fn try_commit(
        &self,
        (key, old, new): (&[u8], Option<&[u8]>, &[u8]),
        by_queue: &ByQueue,
        now: SystemTime,
    ) -> Result<Tried, StoreError> {
        self.keyvalue.committer.check()?;
        let queues: Vec<_> = by_queue.keys().map(|name| self.log.open(name)).collect();
        let (mut batch, mut appending) = (Batch::default(), Vec::new());
        for (queue, (bounds, messages)) in queues.iter().zip(by_queue.values()) {
            let begun = match self.log.begin(queue, messages.clone(), *bounds, now)? {
                Ok(begun) => begun,
                Err(full) => {
                    let queue = queue.name().to_owned();
                    return Ok(Tried::Full { queue, full });
                }
            };
            let journal = self.log.journal();
            journal.write(queue.name(), begun.writes(), &mut batch)?;
            appending.push(begun);
        }
        batch.insert(key, new);
        let applied = self.keyvalue.tree.transaction(|tree| {
            if tree.get(key)?.as_deref() != old {
                return Err(ConflictableTransactionError::Abort(()));
            }
            Ok(tree.apply_batch(&batch)?)
        });
        match applied {
            Ok(()) => {
                for begun in appending {
                    begun.made();
                }
                Ok(Tried::Done)
            }
            Err(TransactionError::Abort(())) => Ok(Tried::Moved),
            Err(TransactionError::Storage(error)) => Err(fault("writing a bucket", error)),
        }
    }
}
