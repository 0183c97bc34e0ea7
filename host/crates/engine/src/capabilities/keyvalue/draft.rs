//! Bindings of `wasi:keyvalue@0.2.0-draft` (wasmtime, wasmCloud).
//!
//! Its cursors are numbers and its increments unsigned; it has no swap.

use std::collections::VecDeque;

use wasmtime::component::{Linker, Resource};

use self::bindings::wasi::keyvalue::{atomics, batch, store};
use super::bucket::Bucket;
use super::error::Error;
use crate::capabilities::{CapabilitiesView, HasCapabilities, View};
use stoa_store::StoreError;

mod bindings {
    wasmtime::component::bindgen!({
        path: "src/capabilities/wit/keyvalue-draft",
        world: "imports",
        imports: {
            "wasi:keyvalue/store.open": trappable,
            "wasi:keyvalue/store.[drop]bucket": trappable,
            default: async | trappable,
        },
        with: {
            "wasi:keyvalue/store.bucket": crate::capabilities::keyvalue::draft::Listed,
        },
        trappable_error_type: {
            "wasi:keyvalue/store.error" => crate::capabilities::keyvalue::error::Error,
        },
        require_store_data_send: true,
    });
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)?;
    atomics::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)?;
    batch::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)
}

/// An open bucket with the cursors that its listings gave out.
pub struct Listed {
    bucket: Bucket,
    cursors: Cursors,
}

/// Numbers for the store's cursors. A number of keys to skip would need no
/// memory, but would miss keys when others are removed meanwhile.
#[derive(Default)]
struct Cursors {
    given: VecDeque<String>,
    /// The number of the first of `given`.
    first: u64,
}

impl Cursors {
    /// Listings that a guest may have under way on one handle.
    const KEPT: usize = 16;

    fn put(&mut self, cursor: String) -> u64 {
        if self.given.len() == Self::KEPT {
            self.given.pop_front();
            self.first += 1;
        }
        self.given.push_back(cursor);
        self.first + self.given.len() as u64 - 1
    }

    fn get(&self, number: u64) -> Result<&str, Error> {
        let at = number
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok());
        let found = at.and_then(|at| self.given.get(at));
        Ok(found.ok_or(StoreError::BadCursor)?)
    }
}

impl store::Host for CapabilitiesView<'_> {
    fn open(&mut self, identifier: String) -> Result<Resource<Listed>, Error> {
        let bucket = self.open_bucket(&identifier)?;
        Ok(self.table.push(Listed {
            bucket,
            cursors: Cursors::default(),
        })?)
    }

    fn convert_error(&mut self, error: Error) -> wasmtime::Result<store::Error> {
        match error {
            Error::AccessDenied => Ok(store::Error::AccessDenied),
            Error::Other(text) => Ok(store::Error::Other(text)),
            Error::Trap(fault) => Err(fault),
        }
    }
}

impl store::HostBucket for CapabilitiesView<'_> {
    async fn get(
        &mut self,
        bucket: Resource<Listed>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.table.get(&bucket)?.bucket.get(&key).await
    }

    async fn set(
        &mut self,
        bucket: Resource<Listed>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        self.table.get(&bucket)?.bucket.set(&key, &value).await
    }

    async fn delete(&mut self, bucket: Resource<Listed>, key: String) -> Result<(), Error> {
        self.table.get(&bucket)?.bucket.delete(&key).await
    }

    async fn exists(&mut self, bucket: Resource<Listed>, key: String) -> Result<bool, Error> {
        self.table.get(&bucket)?.bucket.exists(&key).await
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Listed>,
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse, Error> {
        let Listed { bucket, cursors } = self.table.get_mut(&bucket)?;
        let from = cursor.map(|cursor| cursors.get(cursor)).transpose()?;
        let page = bucket.list(from).await?;
        Ok(store::KeyResponse {
            keys: page.keys,
            cursor: page.cursor.map(|cursor| cursors.put(cursor)),
        })
    }

    fn drop(&mut self, bucket: Resource<Listed>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for CapabilitiesView<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Listed>,
        key: String,
        delta: u64,
    ) -> Result<u64, Error> {
        let range = |_| Error::Other("expected a sum between 0 and 2^63-1".to_owned());
        let delta = i64::try_from(delta).map_err(range)?;
        let sum = self
            .table
            .get(&bucket)?
            .bucket
            .increment(&key, delta)
            .await?;
        u64::try_from(sum).map_err(range)
    }
}

impl batch::Host for CapabilitiesView<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Listed>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Error> {
        self.table.get(&bucket)?.bucket.get_many(keys).await
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Listed>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Error> {
        self.table.get(&bucket)?.bucket.set_many(&pairs).await
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Listed>,
        keys: Vec<String>,
    ) -> Result<(), Error> {
        self.table.get(&bucket)?.bucket.delete_many(&keys).await
    }
}

#[cfg(test)]
mod tests {
    use super::store::{Host as _, HostBucket as _};
    use super::*;
    use crate::capabilities::keyvalue::Limits;
    use crate::capabilities::tests::{data, store};

    #[tokio::test]
    async fn a_listing_misses_no_key_when_others_go() {
        let (_dir, store) = store();
        let mut data = data(
            &store,
            &[],
            Limits {
                page: 2,
                ..Limits::default()
            },
        );
        let mut view = data.capabilities();
        let bucket = view.open_bucket("").unwrap();
        for key in ["a", "b", "c", "d", "e"] {
            bucket.set(key, b"").await.unwrap();
        }
        let handle = view.open(String::new()).unwrap().rep();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = view
                .list_keys(Resource::new_borrow(handle), cursor)
                .await
                .unwrap();
            seen.extend(page.keys);
            bucket.delete(&seen[0]).await.unwrap();
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
        let unknown = view.list_keys(Resource::new_borrow(handle), Some(99)).await;
        assert!(matches!(unknown, Err(Error::Other(_))));
    }

    #[test]
    fn the_oldest_cursors_are_forgotten_first() {
        let mut cursors = Cursors::default();
        let numbers: Vec<_> = (0..Cursors::KEPT + 2)
            .map(|n| cursors.put(n.to_string()))
            .collect();
        for (at, number) in numbers.into_iter().enumerate() {
            match cursors.get(number) {
                Ok(cursor) => assert_eq!(cursor, at.to_string()),
                Err(_) => assert!(at < 2, "{at}"),
            }
        }
        assert!(cursors.get(u64::MAX).is_err());
    }

    #[tokio::test]
    async fn increments_stay_in_range() {
        use super::atomics::Host as _;
        let (_dir, store) = store();
        let mut data = data(&store, &[], Limits::default());
        let mut view = data.capabilities();
        let bucket = view.open_bucket("").unwrap();
        let handle = view.open(String::new()).unwrap().rep();
        assert_eq!(
            view.increment(Resource::new_borrow(handle), "n".into(), 7)
                .await
                .unwrap(),
            7
        );
        assert_eq!(bucket.get("n").await.unwrap().unwrap(), b"7");
        assert!(
            view.increment(Resource::new_borrow(handle), "n".into(), u64::MAX)
                .await
                .is_err()
        );
        assert!(
            view.increment(Resource::new_borrow(handle), "n".into(), i64::MAX as u64)
                .await
                .is_err()
        );
        assert_eq!(bucket.get("n").await.unwrap().unwrap(), b"7");
    }
}
