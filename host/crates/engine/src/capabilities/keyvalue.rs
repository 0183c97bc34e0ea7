//! `wasi:keyvalue`: buckets for guests, in both drafts that they use.
//!
//! A bucket belongs to a service. `open("")` and `open("default")` are the
//! service's bucket `default`, `open("orders")` its bucket `orders`, and
//! `open("product/stock")` the bucket `stock` of `product`, for which a grant is
//! needed.
//!
//! The drafts differ in their bindings alone: what a bucket does is written once,
//! in [`bucket`].

mod bucket;
mod draft;
mod draft2;
mod error;
mod limits;
mod naming;
mod swap;

#[cfg(test)]
mod tests;

pub use self::limits::Limits;

use wasmtime::component::Linker;

use self::bucket::Bucket;
use self::error::Error;
use super::{CapabilitiesView, View};

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    draft::add_to_linker(linker)?;
    draft2::add_to_linker(linker)
}

impl CapabilitiesView<'_> {
    fn open_bucket(&self, identifier: &str) -> Result<Bucket, Error> {
        let granted = &self.ctx.granted;
        let id = naming::resolve(&granted.service, &granted.buckets, identifier);
        let id = id.inspect_err(|error| {
            if matches!(error, Error::AccessDenied) {
                granted.refused.inc();
            }
        })?;
        Ok(Bucket::new(id, granted))
    }
}
