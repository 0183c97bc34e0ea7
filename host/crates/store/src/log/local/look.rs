//! Looking at a queue without changing it.

use std::collections::BTreeSet;

use super::{Local, Queue, time};
use crate::StoreError;
use crate::log::index::{Cursor, Index, Millis, State};
use crate::log::journal::Journal;
use crate::log::{Peek, Peeked, QueueStats, Standing, SubscriberStats};

/// A message that was found, and what is still to be read of it.
struct Found {
    peeked: Peeked,
    marked: bool,
}

impl<J: Journal> Local<J> {
    pub(super) fn stats_now(&self, queue: &str, now: Millis) -> QueueStats {
        let Some(queue) = self.find(queue) else {
            return QueueStats::default();
        };
        let mut index = queue.index();
        index.advance(now);
        let subscribers = index.cursors();
        QueueStats {
            messages: index.len(),
            bytes: index.bytes(),
            subscribers: subscribers
                .map(|(name, cursor)| stats(name, cursor, &index))
                .collect(),
        }
    }

    pub(super) fn peek_now(
        &self,
        queue: &str,
        what: Peek<'_>,
        now: Millis,
    ) -> Result<Vec<Peeked>, StoreError> {
        let Some(queue) = self.find(queue) else {
            return Ok(Vec::new());
        };
        let found = {
            let mut index = queue.index();
            index.advance(now);
            let ids = page(&index, &what);
            ids.into_iter()
                .flat_map(|id| found(&index, &what, id))
                .collect::<Vec<_>>()
        };
        let read = found
            .into_iter()
            .map(|found| self.fill(&queue, found, what.body));
        // One that is gone meanwhile is nobody's any more.
        read.filter_map(Result::transpose).collect()
    }

    fn fill(&self, queue: &Queue, found: Found, most: usize) -> Result<Option<Peeked>, StoreError> {
        let mut peeked = found.peeked;
        let Some(body) = self.journal.body(&queue.name, peeked.id, most)? else {
            return Ok(None);
        };
        peeked.body = body;
        if let Some(subscriber) = peeked.subscriber.as_ref().filter(|_| found.marked) {
            peeked.last_error = self.last_error(queue, peeked.id, subscriber)?;
        }
        Ok(Some(peeked))
    }
}

fn stats(name: &str, cursor: &Cursor, index: &Index) -> SubscriberStats {
    let count = |standing| cursor.in_standing(standing).len() as u64;
    let live = [
        Standing::Waiting,
        Standing::InFlight,
        Standing::Retrying,
        Standing::Paused,
    ];
    let firsts = live
        .into_iter()
        .filter_map(|one| cursor.in_standing(one).first());
    let oldest = firsts.min().and_then(|id| index.message(*id));
    SubscriberStats {
        name: name.to_owned(),
        waiting: count(Standing::Waiting),
        in_flight: count(Standing::InFlight),
        delayed: count(Standing::Delayed),
        retrying: count(Standing::Retrying),
        dead: count(Standing::Dead),
        paused_keys: cursor.paused_keys(),
        oldest: oldest.map(|message| time(message.enqueued)),
    }
}

/// The messages of a page: those that the subscribers meant have in the standing meant.
fn page(index: &Index, what: &Peek<'_>) -> Vec<u64> {
    let mut ids = BTreeSet::new();
    let after = what.after.saturating_add(1);
    for (_, cursor) in meant(index, what) {
        match what.standing {
            Some(standing) => {
                ids.extend(cursor.in_standing(standing).range(after..).take(what.most))
            }
            None => ids.extend(cursor.ids_after(what.after).take(what.most)),
        }
    }
    if waits_for_first(index, what) {
        ids.extend(
            index
                .messages()
                .range(after..)
                .map(|(id, _)| *id)
                .take(what.most),
        );
    }
    ids.into_iter().take(what.most).collect()
}

fn meant<'a>(index: &'a Index, what: &'a Peek<'_>) -> impl Iterator<Item = (&'a str, &'a Cursor)> {
    let all = index.cursors().map(|(name, cursor)| (&**name, cursor));
    all.filter(|(name, _)| what.subscriber.is_none_or(|wanted| wanted == *name))
}

/// Whether nobody has subscribed, and what waits for the first one is meant, too.
fn waits_for_first(index: &Index, what: &Peek<'_>) -> bool {
    let waiting = what
        .standing
        .is_none_or(|wanted| wanted == Standing::Waiting);
    waiting && what.subscriber.is_none() && index.cursors().next().is_none()
}

/// The message for each subscriber that is meant.
fn found(index: &Index, what: &Peek<'_>, id: u64) -> Vec<Found> {
    let mut all: Vec<_> = meant(index, what)
        .filter_map(|(name, cursor)| {
            let entry = cursor.entry(id)?;
            let mut found = one(index, id, entry.state)?;
            found.marked = entry.marked;
            found.peeked.attempts = entry.attempts;
            found.peeked.subscriber = Some(name.to_owned());
            Some(found)
        })
        .filter(|found| {
            what.standing
                .is_none_or(|wanted| wanted == found.peeked.standing)
        })
        .collect();
    if waits_for_first(index, what) {
        all.extend(one(index, id, State::Waiting));
    }
    all
}

fn one(index: &Index, id: u64, state: State) -> Option<Found> {
    let message = index.message(id)?;
    Some(Found {
        peeked: Peeked {
            id,
            subscriber: None,
            key: message.key.as_deref().map(str::to_owned),
            body: Vec::new(),
            size: u64::from(message.size),
            attempts: 0,
            enqueued: time(message.enqueued),
            due: time(state.ends().unwrap_or(message.due)),
            standing: state.standing(),
            last_error: None,
        },
        marked: false,
    })
}
