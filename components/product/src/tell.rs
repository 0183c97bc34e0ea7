//! Who is told of changes: a seam over the queues.

use stoa_sdk::Error;

/// Those who keep a copy of products and stock. What is told inside of a change of a bucket
/// ([`stoa_sdk::Bucket::update_telling`]) is kept with it, or not at all.
pub trait Tell: Send + Sync {
    /// A product has this version now, or is gone since.
    fn product(&self, id: &str, version: u64) -> Result<(), Error>;

    /// What can be ordered of a SKU has changed.
    fn stock(&self, sku: &str) -> Result<(), Error>;
}

/// Nobody, for tests of other things.
pub struct Nobody;

impl Tell for Nobody {
    fn product(&self, _: &str, _: u64) -> Result<(), Error> {
        Ok(())
    }

    fn stock(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}
