//! Who wants to know what became of payments: a seam over the queue.

use stoa_sdk::Error;

/// Whoever is told of payments that changed without a call of their caller.
pub trait Changes {
    /// The payment of an order has changed.
    fn changed(&self, order: &str) -> Result<(), Error>;
}
