//! A store in memory that tells of each access, for tests that count what a call
//! costs, or let the host die in the middle of it.

use super::{Change, Memory, Store};
use crate::Error;

/// What a call does with its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads this many values.
    Read(usize),
    /// Lists this many keys.
    List(usize),
    /// Writes or removes a value.
    Write,
}

/// A [`Memory`] that asks `watch` before each access, which can have it fail.
pub struct Watched<F> {
    memory: Memory,
    watch: F,
}

impl<F> Watched<F> {
    /// An empty store.
    pub fn new(watch: F) -> Self {
        Self {
            memory: Memory::default(),
            watch,
        }
    }
}

impl<F: Fn(Access) -> Result<(), Error> + Send + Sync> Store for Watched<F> {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        (self.watch)(Access::Read(1))?;
        self.memory.get(key)
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        (self.watch)(Access::Read(keys.len()))?;
        self.memory.get_many(keys)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        (self.watch)(Access::Write)?;
        self.memory.set(key, value)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        (self.watch)(Access::Write)?;
        self.memory.delete(key)
    }

    fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Error> {
        let page = self.memory.keys(cursor)?;
        (self.watch)(Access::List(page.0.len()))?;
        Ok(page)
    }

    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Error> {
        (self.watch)(Access::Read(1))?;
        self.memory.update(key, &mut |current| {
            let changed = change(current)?;
            if changed.is_some() {
                (self.watch)(Access::Write)?;
            }
            Ok(changed)
        })
    }
}
