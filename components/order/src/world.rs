//! What orders need of other services, and of the queue: seams over the typed links. Every
//! step is idempotent by the order's id.

use stoa_sdk::{Error, Money};

use crate::bindings::shop::payment::payments::Payment;
use crate::bindings::shop::product::inventory::ReserveLine;
use crate::bindings::shop::product::products::Offer;
use crate::bindings::shop::shipping::carriers::{Address, Shipment, ShippingQuote};

/// The product service, as an order sees it.
pub trait Warehouse {
    /// The offers behind SKUs; one that is not sold is left out.
    fn find(&self, skus: &[String]) -> Result<Vec<Offer>, Error>;

    /// Sets stock aside for an order: all of it, or a conflict.
    fn reserve(
        &self,
        order: &str,
        lines: &[ReserveLine],
        locations: Option<&[String]>,
    ) -> Result<(), Error>;

    /// Sells what was set aside.
    fn commit(&self, order: &str) -> Result<(), Error>;

    /// Gives back whatever the order has.
    fn cancel(&self, order: &str) -> Result<(), Error>;

    /// Takes what was sold off the shelves.
    fn ship(&self, order: &str) -> Result<(), Error>;

    /// Puts back what came back.
    fn take_back(&self, order: &str, id: &str, lines: &[ReserveLine]) -> Result<(), Error>;
}

/// The payment service.
pub trait Till {
    /// Sets money aside.
    fn authorize(&self, order: &str, amount: &Money, token: &str) -> Result<Payment, Error>;

    /// Takes it.
    fn capture(&self, order: &str) -> Result<(), Error>;

    /// Gives up what was not taken.
    fn void(&self, order: &str, reason: &str) -> Result<(), Error>;

    /// Gives back a part of what was taken.
    fn refund(&self, order: &str, id: &str, amount: &Money) -> Result<(), Error>;
}

/// The shipping service.
pub trait Carrier {
    /// The ways of sending so many units to a country, cheapest first.
    fn quote(&self, country: &str, currency: &str, units: u32)
    -> Result<Vec<ShippingQuote>, Error>;

    /// Orders a shipment.
    fn send(&self, order: &str, to: &Address, service: &str, units: u32)
    -> Result<Shipment, Error>;

    /// Where it is.
    fn track(&self, order: &str) -> Result<Shipment, Error>;
}

/// A queue of orders that are to be looked after.
pub trait Later {
    /// Has an order looked after in a while, also after a crash.
    fn advance_later(&self, order: &str) -> Result<(), Error>;
}

/// All of it.
pub trait World: Warehouse + Till + Carrier + Later {}

impl<W: Warehouse + Till + Carrier + Later> World for W {}
