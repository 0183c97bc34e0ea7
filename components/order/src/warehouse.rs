//! What an order needs of the product service: a seam over the typed link.

use stoa_sdk::Error;

use crate::bindings::shop::product::inventory::ReserveLine;
use crate::bindings::shop::product::products::Offer;

/// The product service, as an order sees it.
pub trait Warehouse {
    /// The offers behind SKUs; one that is not sold is left out.
    fn find(&self, skus: &[String]) -> Result<Vec<Offer>, Error>;

    /// Sets stock aside for an order: all of it, or a conflict. Can be repeated.
    fn reserve(&self, order: &str, lines: &[ReserveLine]) -> Result<(), Error>;

    /// Sells what was set aside. Can be repeated.
    fn commit(&self, order: &str) -> Result<(), Error>;

    /// Gives back whatever the order has. Can be repeated.
    fn cancel(&self, order: &str) -> Result<(), Error>;
}
