//! What would be on disk.

use std::collections::{BTreeMap, HashMap};
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::StoreError;
use crate::log::journal::{Digest, Journal, Mark, Record, Remembered, Write};
use crate::log::{Local, Message, Queue};

/// [`Journal`] as maps. A clone has the same ones.
#[derive(Clone, Default)]
pub(crate) struct MemoryJournal(Arc<Mutex<BTreeMap<String, Kept>>>);

/// What is kept of a queue.
#[derive(Default)]
struct Kept {
    reserved: u64,
    floor: u64,
    subscribers: BTreeMap<Arc<str>, u64>,
    messages: BTreeMap<u64, Record>,
    marks: BTreeMap<(u64, Arc<str>), Mark>,
    remembered: HashMap<Digest, Remembered>,
}

impl MemoryJournal {
    /// A log of what is kept.
    pub(super) fn open(&self) -> Local<Self> {
        let log = Local::new(self.clone());
        for (name, kept) in &*self.all() {
            kept.load(&log.open(name));
        }
        log.sweep().expect("maps take every change");
        log
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of<T>(&self, queue: &str, read: impl FnOnce(&Kept) -> Option<T>) -> Option<T> {
        self.all().get(queue).and_then(read)
    }
}

impl Journal for MemoryJournal {
    type Durable = Ready<Result<(), StoreError>>;

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn apply(&self, queue: &str, writes: &[Write]) -> Result<(), StoreError> {
        let mut all = self.all();
        let kept = all.entry(queue.to_owned()).or_default();
        writes.iter().for_each(|write| kept.apply(write));
        Ok(())
    }

    fn durable(&self) -> Self::Durable {
        ready(Ok(()))
    }

    fn body(&self, queue: &str, id: u64, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.of(queue, |kept| {
            let body = &kept.messages.get(&id)?.body;
            Some(body[..body.len().min(most)].to_vec())
        }))
    }

    fn mark(&self, queue: &str, id: u64, subscriber: &str) -> Result<Option<Mark>, StoreError> {
        let at = (id, subscriber.into());
        Ok(self.of(queue, |kept| kept.marks.get(&at).cloned()))
    }

    fn remembered(&self, queue: &str, of: &Digest) -> Result<Option<Remembered>, StoreError> {
        Ok(self.of(queue, |kept| kept.remembered.get(of).copied()))
    }
}

impl Kept {
    fn apply(&mut self, write: &Write) {
        match write {
            Write::Reserve(below) => self.reserved = *below,
            Write::Floor(floor) => self.floor = *floor,
            Write::Message(record) => drop(self.messages.insert(record.id, record.clone())),
            Write::Gone(gone) => {
                self.messages.remove(&gone.id);
                if gone.marked {
                    self.marks.retain(|(id, _), _| *id != gone.id);
                }
            }
            Write::Mark {
                id,
                subscriber,
                mark,
            } => {
                let at = (*id, Arc::clone(subscriber));
                self.marks.insert(at, mark.clone());
            }
            Write::Subscriber { name, from } => {
                self.subscribers.insert(Arc::clone(name), *from);
            }
            Write::NoSubscriber { name } => drop(self.subscribers.remove(name)),
            Write::Remember { of, what } => drop(self.remembered.insert(*of, *what)),
            Write::ForgetUntil { now, .. } => self.remembered.retain(|_, what| what.until > *now),
        }
    }

    fn load(&self, queue: &Queue) {
        let mut index = queue.index();
        index.reserve(self.reserved);
        index.skip_to(self.reserved);
        index.raise(self.floor);
        for (name, from) in &self.subscribers {
            index.subscribe(Arc::clone(name), *from);
        }
        for (id, record) in &self.messages {
            let size = u32::try_from(record.body.len()).unwrap_or(u32::MAX);
            let key = record.key.clone();
            index.add(*id, Message::new(key, record.enqueued, record.due, size));
        }
        for ((id, subscriber), mark) in &self.marks {
            index.mark(*id, subscriber, mark);
        }
    }
}
