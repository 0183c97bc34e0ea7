//! A store that is one of the host's `wasi:keyvalue` buckets.

use super::{ATTEMPTS, Change, Store, contended};
use crate::bindings::stoa::service::outbox;
use crate::bindings::wasi::keyvalue::{
    atomics::{self, Cas, CasError},
    batch,
    store::{self, Bucket},
};
use crate::{Error, unavailable};

/// One of the service's buckets.
pub struct Wasi(Bucket);

impl Wasi {
    /// Opens a bucket of this service.
    pub fn open(name: &str) -> Result<Self, Error> {
        Ok(Self(store::open(name)?))
    }
}

impl Store for Wasi {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.get(key)?)
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let found = batch::get_many(&self.0, keys)?;
        Ok(found
            .into_iter()
            .map(|pair| pair.map(|(_, value)| value))
            .collect())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        Ok(self.0.set(key, value)?)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        Ok(self.0.delete(key)?)
    }

    fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Error> {
        let page = self.0.list_keys(cursor)?;
        Ok((page.keys, page.cursor))
    }

    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Error> {
        let mut cas = Cas::new(&self.0, key)?;
        for _ in 0..ATTEMPTS {
            let Some(value) = change(cas.current()?)? else {
                return Ok(());
            };
            cas = match atomics::swap(cas, &value) {
                Ok(()) => return Ok(()),
                Err(CasError::CasFailed(newer)) => newer,
                Err(CasError::StoreError(error)) => return Err(error.into()),
            };
        }
        Err(contended(key))
    }

    fn update_telling(&self, key: &str, change: &mut Change<'_>) -> Result<(), Error> {
        let _ended = Held;
        self.update(key, &mut |current| {
            // What an earlier try has told is forgotten.
            outbox::hold();
            change(current)
        })
    }
}

/// Ends what is held back, however that ends.
struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        outbox::discard();
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        tracing::error!("key-value store: {error:?}");
        unavailable!("the service's state can't be reached now")
    }
}
