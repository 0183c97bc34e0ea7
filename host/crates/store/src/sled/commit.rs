//! A bucket's entry and messages in one batch: they share a tree for that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use sled::Batch;
use sled::transaction::{ConflictableTransactionError, TransactionError};

use super::fault;
use super::keyvalue::{SledKeyValue, full_key};
use super::log::SledLog;
use crate::log::{Bounds, Full, NewMessage, check_message};
use crate::{Append, Commit, Current, Reply, StoreError, Swap, Uncommitted, waiting};

/// [`Commit`] on the tree of the buckets and the queues.
pub(super) struct SledCommit {
    pub(super) keyvalue: Arc<SledKeyValue>,
    pub(super) log: Arc<SledLog>,
}

/// Messages by queue, in the order of their names: two commits that want the same queues
/// do not wait for each other.
type ByQueue = BTreeMap<String, (Bounds, Vec<NewMessage>)>;

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

fn by_queue(appends: Vec<Append>) -> Result<ByQueue, StoreError> {
    let mut by_queue = ByQueue::new();
    for append in appends {
        check_message(&append.queue, &append.message)?;
        let of = by_queue.entry(append.queue);
        let (_, messages) = of.or_insert_with(|| (append.bounds, Vec::new()));
        messages.push(append.message);
    }
    Ok(by_queue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{MAX_BODY, Subscription};
    use crate::sled::large::INLINE_MAX;
    use crate::{BucketId, Store};

    const BOUNDS: Bounds = Bounds {
        messages: 2,
        bytes: 1 << 30,
    };

    fn append(queue: &str, body: &[u8]) -> Append {
        Append {
            queue: queue.to_owned(),
            message: NewMessage {
                body: body.to_vec(),
                ..NewMessage::default()
            },
            bounds: BOUNDS,
        }
    }

    fn swap<'a>(bucket: &'a BucketId, expected: Option<&'a [u8]>, new: &'a [u8]) -> Swap<'a> {
        Swap {
            bucket,
            key: "order",
            expected,
            new,
        }
    }

    async fn claimed(store: &Store, queue: &str) -> Vec<Vec<u8>> {
        let log = store.log();
        log.subscribe(queue, "s").await.unwrap();
        let from = Subscription {
            queue,
            subscriber: "s",
        };
        let now = SystemTime::now();
        let taken = log.claim(from, 1000, now, now).await.unwrap();
        taken.into_iter().map(|one| one.body).collect()
    }

    #[tokio::test]
    async fn a_write_and_its_messages_are_there_together_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let bucket = BucketId::new("order", "orders").unwrap();
        let large = vec![7; INLINE_MAX + 1];
        {
            let store = Store::open(dir.path()).unwrap();
            let appends = vec![append("b", b"1"), append("a", &large), append("b", b"2")];
            let swap = swap(&bucket, None, &large);
            let commits = store.commits();
            let done = commits.commit(swap, appends, SystemTime::now());
            done.await.unwrap().unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        let found = store.keyvalue().get(&bucket, "order").await.unwrap();
        assert_eq!(found.as_deref(), Some(&large[..]));
        assert_eq!(claimed(&store, "a").await, [large]);
        assert_eq!(claimed(&store, "b").await, [b"1", b"2"]);
    }

    #[tokio::test]
    async fn what_is_not_committed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (commits, now) = (store.commits(), SystemTime::now());
        let bucket = BucketId::new("order", "orders").unwrap();
        let stale = commits.commit(
            swap(&bucket, Some(b"x"), b"1"),
            vec![append("q", b"1")],
            now,
        );
        let stale = stale.await.unwrap();
        assert_eq!(stale, Err(Uncommitted::Stale(Current(None))));
        let three = vec![append("q", b"1"), append("q", b"2"), append("q", b"3")];
        let full = commits.commit(swap(&bucket, None, b"1"), three, now);
        assert!(matches!(full.await.unwrap(), Err(Uncommitted::Full { .. })));
        let huge = vec![append("q", &vec![0; MAX_BODY + 1])];
        let huge = commits.commit(swap(&bucket, None, b"1"), huge, now);
        assert!(matches!(huge.await, Err(StoreError::TooLarge { .. })));
        assert_eq!(store.keyvalue().get(&bucket, "order").await.unwrap(), None);
        assert_eq!(claimed(&store, "q").await, Vec::<Vec<u8>>::new());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_commits_that_want_the_same_each_happens_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let bucket = Arc::new(BucketId::new("order", "orders").unwrap());
        let tasks = (0..8).map(|_| {
            let (commits, keyvalue) = (store.commits(), store.keyvalue());
            let bucket = bucket.clone();
            tokio::spawn(async move {
                let mut done = 0;
                while done < 25 {
                    let seen = keyvalue.get(&bucket, "order").await.unwrap();
                    let count: u64 = match &seen {
                        Some(text) => String::from_utf8_lossy(text).parse().unwrap(),
                        None => 0,
                    };
                    let new = (count + 1).to_string();
                    let appends = ["a", "b"].map(|queue| Append {
                        bounds: Bounds {
                            messages: 1000,
                            ..BOUNDS
                        },
                        ..append(queue, new.as_bytes())
                    });
                    let swap = swap(&bucket, seen.as_deref(), new.as_bytes());
                    let made = commits.commit(swap, appends.into(), SystemTime::now());
                    done += usize::from(made.await.unwrap().is_ok());
                }
            })
        });
        for task in futures::future::join_all(tasks).await {
            task.unwrap();
        }
        let all: Vec<_> = (1..=200).map(|n: u64| n.to_string().into_bytes()).collect();
        for queue in ["a", "b"] {
            let found = claimed(&store, queue).await;
            assert_eq!(found, all, "in the order of the commits");
        }
    }
}
