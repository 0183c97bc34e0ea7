//! Bindings of `wasi:keyvalue@0.2.0-draft2` (Spin, and the proposal's head).

use wasmtime::component::{Linker, Resource};

use self::bindings::wasi::keyvalue::{atomics, batch, store};
use super::bucket::Bucket;
use super::error::Error;
use super::swap::{Cas, CasError};
use crate::capabilities::{CapabilitiesView, HasCapabilities, View};

mod bindings {
    wasmtime::component::bindgen!({
        path: "src/capabilities/wit/keyvalue-draft2",
        world: "imports",
        imports: {
            "wasi:keyvalue/store.open": trappable,
            "wasi:keyvalue/store.[drop]bucket": trappable,
            "wasi:keyvalue/atomics.[method]cas.current": trappable,
            "wasi:keyvalue/atomics.[drop]cas": trappable,
            default: async | trappable,
        },
        with: {
            "wasi:keyvalue/store.bucket": crate::capabilities::keyvalue::bucket::Bucket,
            "wasi:keyvalue/atomics.cas": crate::capabilities::keyvalue::swap::Cas,
        },
        trappable_error_type: {
            "wasi:keyvalue/store.error" => crate::capabilities::keyvalue::error::Error,
            "wasi:keyvalue/atomics.cas-error" => crate::capabilities::keyvalue::swap::CasError,
        },
        require_store_data_send: true,
    });
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)?;
    atomics::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)?;
    batch::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)
}

impl store::Host for CapabilitiesView<'_> {
    fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Error> {
        let bucket = self.open_bucket(&identifier)?;
        Ok(self.table.push(bucket)?)
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
        bucket: Resource<Bucket>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.table.get(&bucket)?.get(&key).await
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        self.table.get(&bucket)?.set(&key, &value).await
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), Error> {
        self.table.get(&bucket)?.delete(&key).await
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, Error> {
        self.table.get(&bucket)?.exists(&key).await
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<store::KeyResponse, Error> {
        let page = self.table.get(&bucket)?.list(cursor.as_deref()).await?;
        Ok(store::KeyResponse {
            keys: page.keys,
            cursor: page.cursor,
        })
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for CapabilitiesView<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> Result<i64, Error> {
        self.table.get(&bucket)?.increment(&key, delta).await
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> Result<(), CasError> {
        self.swap_cas(cas, &value).await
    }

    fn convert_cas_error(&mut self, error: CasError) -> wasmtime::Result<atomics::CasError> {
        match error {
            CasError::Store(error) => Ok(atomics::CasError::StoreError(
                store::Host::convert_error(self, error)?,
            )),
            CasError::Stale(cas) => Ok(atomics::CasError::CasFailed(cas)),
        }
    }
}

impl atomics::HostCas for CapabilitiesView<'_> {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Resource<Cas>, Error> {
        self.new_cas(&bucket, key).await
    }

    fn current(&mut self, cas: Resource<Cas>) -> Result<Option<Vec<u8>>, Error> {
        self.cas_seen(&cas)
    }

    fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.drop_cas(cas)
    }
}

impl batch::Host for CapabilitiesView<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Error> {
        self.table.get(&bucket)?.get_many(keys).await
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Error> {
        self.table.get(&bucket)?.set_many(&pairs).await
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<(), Error> {
        self.table.get(&bucket)?.delete_many(&keys).await
    }
}
