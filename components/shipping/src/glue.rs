//! The contract's functions over the host's buckets, queue and settings. No logic here.

use stoa_sdk::{Bucket, Error, Timestamp, config, log};

use crate::bindings::exports::shop::shipping::carriers::{
    Address, Guest, Shipment, ShipmentState, ShippingQuote,
};
use crate::bindings::shop::shipping::shipment_changes;
use crate::{Changes, Sandbox, Shipments, Tariff, Wanted};

/// What the contract's functions are exported from.
struct Component;

/// Generated, and as unsafe as exports are.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
mod exported {
    use super::Component;

    crate::bindings::export!(Component with_types_in crate::bindings);
}

/// The queue.
struct Link;

impl Changes for Link {
    fn changed(&self, order: &str) -> Result<(), Error> {
        shipment_changes::changed(order)
    }
}

fn shipments() -> Result<Shipments<Sandbox, Link>, Error> {
    log::init();
    Ok(Shipments::new(Bucket::open("shipments")?, Sandbox, Link))
}

/// Without a setting the carrier goes nowhere.
fn tariff() -> Result<Tariff, Error> {
    log::init();
    Ok(config::json("zones")?.unwrap_or_default())
}

impl Guest for Component {
    fn quote(country: String, currency: String, units: u32) -> Result<Vec<ShippingQuote>, Error> {
        tariff()?.quote(&country, &currency, units)
    }

    fn create_shipment(
        order_id: String,
        to: Address,
        service: String,
        units: u32,
    ) -> Result<Shipment, Error> {
        let wanted = Wanted { to, service, units };
        shipments()?.create(&order_id, &wanted, &tariff()?, Timestamp::now())
    }

    fn track(order_id: String) -> Result<Shipment, Error> {
        shipments()?.track(&order_id)
    }

    fn cancel(order_id: String) -> Result<Shipment, Error> {
        shipments()?.cancel(&order_id, Timestamp::now())
    }

    fn scan(order_id: String, state: ShipmentState) -> Result<Shipment, Error> {
        shipments()?.scan(&order_id, state, Timestamp::now())
    }
}
