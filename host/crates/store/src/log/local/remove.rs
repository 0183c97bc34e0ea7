//! Subscribers that come and go, and many messages at once.

use std::sync::Arc;

use stoa_call::turns;

use super::{Local, Queue, check_name, gone};
use crate::StoreError;
use crate::log::index::{Cursor, Entry, Index, Message, State};
use crate::log::journal::{Journal, Mark, Verdict, Write};
use crate::log::{Purge, Redrive, Subscription};

/// Messages that are changed in one batch, before others have their turn.
const BATCH: usize = 250;

impl<J: Journal> Local<J> {
    pub(super) fn subscribe_now(&self, queue: &str, subscriber: &str) -> Result<(), StoreError> {
        check_name(queue)?;
        check_name(subscriber)?;
        self.journal.check()?;
        let queue = self.open(queue);
        let mut index = queue.index();
        let Some(from) = index.first_for(subscriber) else {
            return Ok(());
        };
        let name: Arc<str> = subscriber.into();
        let write = Write::Subscriber {
            name: Arc::clone(&name),
            from,
        };
        self.journal.apply(&queue.name, &[write])?;
        index.subscribe(name, from);
        drop(index);
        queue.notify();
        Ok(())
    }

    /// Removes a subscriber. The messages that only it needed are gone with that; what
    /// is given back removes them from the disk, now or when it is read again.
    pub(super) fn unsubscribe_now(
        &self,
        queue: &str,
        subscriber: &str,
    ) -> Result<Vec<Write>, StoreError> {
        self.journal.check()?;
        let Some(queue) = self.find(queue) else {
            return Ok(Vec::new());
        };
        let mut index = queue.index();
        if index.cursor(subscriber).is_none() {
            return Ok(Vec::new());
        }
        let last = index.cursors().count() == 1;
        let floor = last.then(|| index.next());
        let name = subscriber.into();
        let writes: Vec<_> = [Write::NoSubscriber { name }]
            .into_iter()
            .chain(floor.map(Write::Floor))
            .collect();
        self.journal.apply(&queue.name, &writes)?;
        floor.iter().for_each(|floor| index.raise(*floor));
        Ok(writes_of(index.unsubscribe(subscriber)))
    }

    /// Removes from the disk what is no longer in memory.
    pub(super) async fn remove_all(&self, queue: &str, gone: Vec<Write>) -> Result<(), StoreError> {
        for gone in gone.chunks(BATCH) {
            self.journal.check()?;
            self.journal.apply(queue, gone)?;
            turns::hand_back().await;
        }
        self.journal.durable().await
    }

    /// Removes what a crash left of messages that nobody needs. At the start, when all
    /// that is on disk is known.
    pub(crate) fn sweep(&self) -> Result<(), StoreError> {
        for queue in self.all() {
            let gone = writes_of(queue.index().sweep());
            for gone in gone.chunks(BATCH) {
                self.journal.apply(&queue.name, gone)?;
            }
        }
        Ok(())
    }

    pub(super) async fn redrive_all(
        &self,
        from: Subscription<'_>,
        which: Redrive,
        most: usize,
    ) -> Result<u64, StoreError> {
        let Some(queue) = self.find(from.queue) else {
            return Ok(0);
        };
        let mut ids = {
            let index = queue.index();
            let cursor = index.cursor(from.subscriber);
            cursor.map_or_else(Vec::new, |cursor| given_up(cursor, which))
        };
        ids.truncate(most);
        self.in_batches(&queue, &ids, |index, ids| {
            self.redrive_some(&queue, index, from.subscriber, ids)
        })
        .await
    }

    fn redrive_some(
        &self,
        queue: &Queue,
        index: &mut Index,
        subscriber: &str,
        ids: &[u64],
    ) -> Result<u64, StoreError> {
        let mut marks = Vec::with_capacity(ids.len());
        for id in ids {
            let cursor = index.cursor(subscriber);
            let entry = cursor.and_then(|cursor| cursor.entry(*id));
            if entry.is_some_and(is_given_up) {
                let error = self.last_error(queue, *id, subscriber)?;
                marks.push((*id, again_at_once(error)));
            }
        }
        self.mark_all(queue, index, subscriber, marks)
    }

    pub(super) async fn purge_all(
        &self,
        queue: &str,
        subscriber: Option<&str>,
        what: Purge,
    ) -> Result<u64, StoreError> {
        let Some(queue) = self.find(queue) else {
            return Ok(0);
        };
        let (names, waiting_for_first) = {
            let index = queue.index();
            let names = index.cursors().map(|(name, _)| Arc::clone(name));
            let names = names.filter(|name| subscriber.is_none_or(|wanted| wanted == &**name));
            (
                names.collect::<Vec<_>>(),
                unclaimed(&index, subscriber, what),
            )
        };
        let mut purged = 0;
        for name in names {
            let ids = purgeable(&queue.index(), &name, what);
            purged += self
                .in_batches(&queue, &ids, |index, ids| {
                    let still = |id: &u64| is_purgeable(index, &name, what, *id);
                    let ids = ids.iter().copied().filter(still);
                    let marks = ids.map(|id| (id, Mark::done())).collect();
                    self.mark_all(&queue, index, &name, marks)
                })
                .await?;
        }
        purged += self
            .in_batches(&queue, &waiting_for_first, |index, ids| {
                self.drop_unclaimed(&queue, index, ids)
            })
            .await?;
        Ok(purged)
    }

    /// Removes messages as long as nobody has subscribed.
    fn drop_unclaimed(
        &self,
        queue: &Queue,
        index: &mut Index,
        ids: &[u64],
    ) -> Result<u64, StoreError> {
        if index.cursors().next().is_some() {
            return Ok(0);
        }
        let writes: Vec<_> = ids.iter().filter_map(|id| gone(index, *id)).collect();
        self.journal.apply(&queue.name, &writes)?;
        let released = ids.iter().filter_map(|id| index.release(*id));
        Ok(released.count() as u64)
    }

    /// Makes marks of one subscriber's messages, all or none.
    fn mark_all(
        &self,
        queue: &Queue,
        index: &mut Index,
        subscriber: &str,
        marks: Vec<(u64, Mark)>,
    ) -> Result<u64, StoreError> {
        let name: Arc<str> = subscriber.into();
        let writes = marks.iter().filter_map(|(id, mark)| {
            let last = index.message(*id)?.is_last();
            match mark.verdict {
                Verdict::Done if last => gone(index, *id),
                _ => Some(Write::Mark {
                    id: *id,
                    subscriber: Arc::clone(&name),
                    mark: mark.clone(),
                }),
            }
        });
        let writes: Vec<_> = writes.collect();
        self.journal.apply(&queue.name, &writes)?;
        for (id, mark) in &marks {
            index.mark(*id, subscriber, mark);
        }
        Ok(marks.len() as u64)
    }

    /// Changes many messages, with the lock given back between two batches.
    async fn in_batches(
        &self,
        queue: &Queue,
        ids: &[u64],
        mut change: impl FnMut(&mut Index, &[u64]) -> Result<u64, StoreError>,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for ids in ids.chunks(BATCH) {
            self.journal.check()?;
            changed += change(&mut queue.index(), ids)?;
            queue.notify();
            turns::hand_back().await;
        }
        if changed > 0 {
            self.journal.durable().await?;
        }
        Ok(changed)
    }
}

fn writes_of(gone: Vec<(u64, Message)>) -> Vec<Write> {
    let gone = gone.into_iter().map(|(id, message)| message.gone(id));
    gone.map(Write::Gone).collect()
}

fn given_up(cursor: &Cursor, which: Redrive) -> Vec<u64> {
    use crate::log::Standing::{Dead, Paused};
    let mut ids: Vec<u64> = match which {
        Redrive::All => {
            let all = [Dead, Paused].map(|one| cursor.in_standing(one));
            all.into_iter().flatten().copied().collect()
        }
        Redrive::Ids(ids) => {
            let known = |id: &u64| cursor.entry(*id).is_some_and(is_given_up);
            ids.into_iter().filter(known).collect()
        }
    };
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn is_given_up(entry: &Entry) -> bool {
    matches!(entry.state, State::Dead | State::Paused)
}

fn again_at_once(error: Option<String>) -> Mark {
    Mark {
        verdict: Verdict::Again,
        attempts: 0,
        due: 0,
        error,
    }
}

fn unclaimed(index: &Index, subscriber: Option<&str>, what: Purge) -> Vec<u64> {
    let meant = subscriber.is_none() && what != Purge::Dead;
    match meant && index.cursors().next().is_none() {
        true => index.messages().keys().copied().collect(),
        false => Vec::new(),
    }
}

fn purgeable(index: &Index, subscriber: &str, what: Purge) -> Vec<u64> {
    let cursor = index.cursor(subscriber);
    let ids = cursor.into_iter().flat_map(Cursor::ids);
    ids.filter(|id| is_purgeable(index, subscriber, what, *id))
        .collect()
}

fn is_purgeable(index: &Index, subscriber: &str, what: Purge, id: u64) -> bool {
    let cursor = index.cursor(subscriber);
    let entry = cursor.and_then(|cursor| cursor.entry(id));
    entry.is_some_and(|entry| match (what, entry.state) {
        (Purge::All, _) => true,
        (Purge::Dead, state) => state == State::Dead,
        (Purge::Waiting, state) => !matches!(state, State::Dead | State::InFlight(_)),
    })
}
