//! The buckets of a service without a guest: the host's store, for code that waits for it.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use stoa_sdk::store::{Change, Store as Bytes};
use stoa_sdk::{Error, unavailable};
use stoa_store::log::{Bounds, Dedupe, NewMessage};
use stoa_store::{Append, BucketId, Commit, Current, KeyValue, StoreError, Swap, Uncommitted};

/// Keys of a page, as the host gives them to guests.
const PAGE: usize = 1000;

/// Bytes of values that are read together.
const ROOM: usize = 64 << 20;

/// The store's two sides.
#[derive(Clone)]
pub struct Place {
    pub keyvalue: Arc<dyn KeyValue>,
    pub commits: Arc<dyn Commit>,
}

/// One bucket.
struct Kept {
    place: Place,
    id: BucketId,
}

thread_local! {
    /// What this thread's call tells queues before its next write.
    static TOLD: RefCell<Vec<Append>> = const { RefCell::new(Vec::new()) };
}

impl Place {
    /// A service's bucket.
    pub fn bucket(&self, service: &str, name: &str) -> Result<Arc<dyn Bytes>, Error> {
        Ok(Arc::new(Kept {
            place: self.clone(),
            id: BucketId::new(service, name).map_err(failed)?,
        }))
    }
}

/// Has a message appended to a queue together with the next write of this thread; one for a
/// key in a window, if there is one.
pub fn tell(queue: &str, key: &str, window: Option<Duration>) {
    let body = format!("{{\"function\":\"changed\",\"arguments\":{{\"id\":\"{key}\"}}}}");
    let dedupe = window.map(|window| Dedupe {
        id: key.to_owned(),
        until: SystemTime::now() + window,
    });
    let append = Append {
        queue: queue.to_owned(),
        message: NewMessage {
            key: Some(key.to_owned()),
            body: body.into_bytes(),
            due: None,
            dedupe,
        },
        bounds: Bounds {
            messages: u64::MAX,
            bytes: u64::MAX,
        },
    };
    TOLD.with_borrow_mut(|told| told.push(append));
}

impl Bytes for Kept {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        block_on(self.place.keyvalue.get(&self.id, key)).map_err(failed)
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        block_on(self.place.keyvalue.get_many(&self.id, keys, ROOM)).map_err(failed)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        block_on(self.place.keyvalue.set(&self.id, key, value)).map_err(failed)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        block_on(self.place.keyvalue.delete(&self.id, key)).map_err(failed)
    }

    fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Error> {
        let page = block_on(self.place.keyvalue.list(&self.id, cursor, PAGE)).map_err(failed)?;
        Ok((page.keys, page.cursor))
    }

    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Error> {
        let mut current = self.get(key)?;
        loop {
            TOLD.with_borrow_mut(Vec::clear);
            let Some(new) = change(current.clone())? else {
                return Ok(());
            };
            let told = TOLD.with_borrow_mut(std::mem::take);
            match self.swap(key, current.as_deref(), &new, told)? {
                Ok(()) => return Ok(()),
                Err(Current(newer)) => current = newer,
            }
        }
    }
}

impl Kept {
    fn swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
        told: Vec<Append>,
    ) -> Result<Result<(), Current>, Error> {
        let Place { keyvalue, commits } = &self.place;
        if told.is_empty() {
            let swapped = keyvalue.compare_and_swap(&self.id, key, expected, new);
            return block_on(swapped).map_err(failed);
        }
        let swap = Swap {
            bucket: &self.id,
            key,
            expected,
            new,
        };
        match block_on(commits.commit(swap, told, SystemTime::now())).map_err(failed)? {
            Ok(()) => Ok(Ok(())),
            Err(Uncommitted::Stale(newer)) => Ok(Err(newer)),
            Err(Uncommitted::Full { queue, .. }) => Err(unavailable!("{queue} is full")),
        }
    }
}

fn failed(error: StoreError) -> Error {
    unavailable!("the store failed: {error}")
}
