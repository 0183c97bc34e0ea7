//! Who wants to know what became of shipments: a seam over the queue.

use stoa_sdk::Error;

/// Whoever is told of shipments that are in another state.
pub trait Changes {
    /// The shipment of an order has changed.
    fn changed(&self, order: &str) -> Result<(), Error>;
}
