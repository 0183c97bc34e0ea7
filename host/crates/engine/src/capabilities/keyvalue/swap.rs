//! Compare-and-swap handles.
//!
//! A handle keeps the value that it saw, and its swap succeeds while that value
//! is still there. A value that went and came back is the same value. The host
//! holds what handles keep, so it counts it.

use wasmtime::component::Resource;

use super::bucket::Bucket;
use super::error::Error;
use crate::capabilities::CapabilitiesView;
use stoa_store::Current;

/// `wasi:keyvalue/atomics.cas`.
pub struct Cas {
    bucket: Bucket,
    key: String,
    seen: Option<Vec<u8>>,
}

/// `wasi:keyvalue/atomics.cas-error`.
#[derive(Debug)]
pub(super) enum CasError {
    Store(Error),
    /// Something else is there; the new handle saw it.
    Stale(Resource<Cas>),
}

impl<E: Into<Error>> From<E> for CasError {
    fn from(fault: E) -> Self {
        Self::Store(fault.into())
    }
}

impl Cas {
    fn size(&self) -> usize {
        self.key.len() + self.seen.as_ref().map_or(0, Vec::len)
    }
}

impl CapabilitiesView<'_> {
    pub(super) async fn new_cas(
        &mut self,
        bucket: &Resource<Bucket>,
        key: String,
    ) -> Result<Resource<Cas>, Error> {
        let bucket = self.table.get(bucket)?.clone();
        let seen = bucket.get(&key).await?;
        self.hold(Cas { bucket, key, seen })
    }

    pub(super) fn cas_seen(&self, cas: &Resource<Cas>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.table.get(cas)?.seen.clone())
    }

    pub(super) async fn swap_cas(
        &mut self,
        cas: Resource<Cas>,
        value: &[u8],
    ) -> Result<(), CasError> {
        let Cas { bucket, key, seen } = self.release(cas)?;
        // A swap that fails forgets what was to be kept with it.
        let appends = self.ctx.outbox.take();
        let swap = bucket.swap(&key, seen.as_deref(), value, appends);
        match swap.await? {
            Ok(()) => Ok(()),
            Err(Current(seen)) => Err(CasError::Stale(self.hold(Cas { bucket, key, seen })?)),
        }
    }

    pub(super) fn drop_cas(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.release(cas)?;
        Ok(())
    }

    fn hold(&mut self, cas: Cas) -> Result<Resource<Cas>, Error> {
        let (size, limit) = (cas.size(), self.ctx.granted.limits.held);
        if self.ctx.held + size > limit {
            return Err(Error::Other(format!(
                "expected compare-and-swap handles to keep at most {limit} bytes: drop the handles that are done"
            )));
        }
        let handle = self.table.push(cas)?;
        self.ctx.held += size;
        Ok(handle)
    }

    fn release(
        &mut self,
        cas: Resource<Cas>,
    ) -> Result<Cas, wasmtime::component::ResourceTableError> {
        let cas = self.table.delete(cas)?;
        self.ctx.held -= cas.size();
        Ok(cas)
    }
}
