//! A store in memory, for native unit tests.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ATTEMPTS, Change, Store, contended};
use crate::Error;

/// A store that is empty when made and gone when dropped.
///
/// Pages of keys are small, so that tests meet their ends.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

/// Keys in one answer.
const PAGE: usize = 7;

impl Memory {
    fn map(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.map().get(key).cloned())
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let map = self.map();
        Ok(keys.iter().map(|key| map.get(key).cloned()).collect())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.map().insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.map().remove(key);
        Ok(())
    }

    fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Error> {
        let map = self.map();
        let start = cursor.map_or(Unbounded, Excluded);
        let mut rest = map
            .range::<str, _>((start, Unbounded))
            .map(|(key, _)| key.clone());
        let keys: Vec<_> = rest.by_ref().take(PAGE).collect();
        let next = rest.next().and_then(|_| keys.last().cloned());
        Ok((keys, next))
    }

    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            // Not locked while `change` runs: tests interleave as hosts do.
            let seen = self.get(key)?;
            let Some(value) = change(seen.clone())? else {
                return Ok(());
            };
            let mut map = self.map();
            if map.get(key) == seen.as_ref() {
                map.insert(key.to_owned(), value);
                return Ok(());
            }
        }
        Err(contended(key))
    }
}
