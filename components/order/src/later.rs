//! Who goes on with an order when its caller is gone: a seam over the queue.

use stoa_sdk::Error;

/// A queue of orders that are to be looked after.
pub trait Later {
    /// Has an order looked after in a while, also after a crash.
    fn advance_later(&self, order: &str) -> Result<(), Error>;
}
