//! Reading the queues when the store is opened.

use std::sync::Arc;

use sled::{IVec, Tree};

use super::keys::{self, Kind};
use super::{SledJournal, SledLog, values};
use crate::StoreError;
use crate::log::{Local, Message, Queue};
use crate::sled::committer::Committer;
use crate::sled::fault;

/// The log of a tree. Reads every message's entry once, and none of the pieces.
pub(in crate::sled) fn open(tree: Tree, committer: Arc<Committer>) -> Result<SledLog, StoreError> {
    let log = Local::new(SledJournal { tree, committer });
    // Each kind needs what those before it have told.
    let kinds: [(Kind, Load); 5] = [
        (Kind::Reserved, reserved),
        (Kind::Floor, floor),
        (Kind::Subscriber, subscriber),
        (Kind::Message, message),
        (Kind::Mark, mark),
    ];
    for (kind, load) in kinds {
        let mut queue = None;
        for entry in log.journal().tree.scan_prefix(keys::prefix(kind)) {
            let (key, value) = entry.map_err(|error| fault("reading the queues", error))?;
            let (name, rest) = keys::split(&key).ok_or_else(values::damaged)?;
            let queue = open_next(&log, &mut queue, name);
            load(queue, rest, &value).ok_or_else(values::damaged)?;
        }
    }
    log.sweep()?;
    Ok(log)
}

/// Adds what an entry tells of a queue. `None` if it can't be read.
type Load = fn(&Queue, &[u8], &IVec) -> Option<()>;

/// The queue of an entry: mostly that of the one before.
fn open_next<'a>(log: &SledLog, last: &'a mut Option<Arc<Queue>>, name: &str) -> &'a Queue {
    if last.as_ref().is_none_or(|queue| queue.name() != name) {
        *last = None;
    }
    last.get_or_insert_with(|| log.open(name))
}

fn reserved(queue: &Queue, _: &[u8], value: &IVec) -> Option<()> {
    let below = values::number(value)?;
    let mut index = queue.index();
    index.reserve(below);
    index.skip_to(below);
    Some(())
}

fn floor(queue: &Queue, _: &[u8], value: &IVec) -> Option<()> {
    queue.index().raise(values::number(value)?);
    Some(())
}

fn subscriber(queue: &Queue, name: &[u8], value: &IVec) -> Option<()> {
    let name = std::str::from_utf8(name).ok()?;
    queue.index().subscribe(name.into(), values::number(value)?);
    Some(())
}

fn message(queue: &Queue, id: &[u8], value: &IVec) -> Option<()> {
    let (head, _) = values::message(value).ok()?;
    let key = head.key.map(Into::into);
    let message = Message::new(key, head.enqueued, head.due, head.size);
    queue.index().add(values::number(id)?, message);
    Some(())
}

fn mark(queue: &Queue, rest: &[u8], value: &IVec) -> Option<()> {
    let (id, subscriber) = rest.split_first_chunk()?;
    let subscriber = std::str::from_utf8(subscriber).ok()?;
    let mark = values::mark(value).ok()?;
    let id = u64::from_be_bytes(*id);
    queue.index().mark(id, subscriber, &mark);
    Some(())
}
