//! Where a bucket's bytes are: a seam, so that domain logic runs without a host.
//!
//! [`Memory`] and [`Watched`] serve native unit tests; [`Wasi`] is the host's `wasi:keyvalue`.
//! Knows nothing of the values' meaning.

mod memory;
#[cfg(target_family = "wasm")]
mod wasi;
mod watched;

pub use memory::Memory;
#[cfg(target_family = "wasm")]
pub use wasi::Wasi;
pub use watched::{Access, Watched};

use crate::{Error, unavailable};

/// Bytes by key, as `wasi:keyvalue` has them.
pub trait Store: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error>;

    /// The values of many keys, in their order.
    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error>;

    /// Writes a value, whatever was there.
    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error>;

    /// Removes a key; does nothing if it is not there.
    fn delete(&self, key: &str) -> Result<(), Error>;

    /// Some keys in byte order, and the cursor of those that follow. How many is
    /// the store's choice.
    fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Error>;

    /// Writes what `change` makes of the current value, if nobody else wrote in
    /// between; else asks it again with the new value. `None` writes nothing.
    ///
    /// `change` runs after the value was read, so what it reads from other keys
    /// is never older than the value it was given.
    fn update(&self, key: &str, change: &mut Change<'_>) -> Result<(), Error>;

    /// As [`Store::update`]; what `change` tells queues is kept in the same step as what it
    /// writes, or not at all.
    fn update_telling(&self, key: &str, change: &mut Change<'_>) -> Result<(), Error> {
        self.update(key, change)
    }
}

/// What [`Store::update`] asks: current value → new value, or `None` to leave it.
pub type Change<'a> = dyn FnMut(Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Error> + 'a;

/// How often a compare-and-swap is tried. Each failure means that another caller
/// has succeeded, so only a key with this many faster writers gives up.
const ATTEMPTS: usize = 1000;

fn contended(key: &str) -> Error {
    unavailable!("{key} is changed by too many callers at once: try again")
}
