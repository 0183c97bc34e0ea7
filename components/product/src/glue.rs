//! The contract's functions over the host's buckets. No logic here.

use std::sync::Arc;
use std::time::Duration;

use stoa_sdk::context::Conditions;
use stoa_sdk::{Bucket, Error, Index, Timestamp, config, log};

use crate::bindings::exports::shop::product::{inventory, maintenance, products};
use crate::bindings::shop::product::{product_changes, stock_changes};
use crate::inventory::{Adjustment, Wish};
use crate::{Inventory, Products, Tell};

/// How long a reservation is held when `reservation_ttl` is not set: longer than a
/// customer takes to pay.
const RESERVATION_TTL: u64 = 900;

/// What the contract's functions are exported from.
struct Component;

/// Generated, and as unsafe as exports are.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
mod exported {
    use super::Component;

    crate::bindings::export!(Component with_types_in crate::bindings);
}

/// The queues of changes.
struct Queues;

impl Tell for Queues {
    fn product(&self, id: &str, version: u64) -> Result<(), Error> {
        product_changes::changed(id, version)
    }

    fn stock(&self, sku: &str) -> Result<(), Error> {
        stock_changes::changed(sku)
    }
}

fn products() -> Result<Products, Error> {
    log::init();
    let products = Products::new(
        Bucket::open("products")?,
        Bucket::open("skus")?,
        Index::open("sold-in"),
    );
    Ok(products.telling(Arc::new(Queues)))
}

fn inventory() -> Result<Inventory, Error> {
    log::init();
    let inventory = Inventory::new(Bucket::open("stock")?, Bucket::open("reservations")?);
    Ok(inventory.telling(Arc::new(Queues)))
}

impl products::Guest for Component {
    fn create(input: products::NewProduct) -> Result<products::Product, Error> {
        products()?.create(input, Timestamp::now())
    }

    fn get(id: String) -> Result<products::Product, Error> {
        products()?.get(&id)
    }

    fn update(id: String, input: products::NewProduct) -> Result<products::Product, Error> {
        products()?.update(&id, input, Some(Conditions::OfClient), Timestamp::now())
    }

    fn delete(id: String) -> Result<(), Error> {
        products()?.delete(&id, Some(Conditions::OfClient))
    }

    fn list(limit: Option<u32>, cursor: Option<String>) -> Result<products::ProductPage, Error> {
        products()?.list(limit, cursor.as_deref())
    }

    fn list_in(
        currency: String,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<products::ProductPage, Error> {
        products()?.list_in(&currency, limit, cursor.as_deref())
    }

    fn find(skus: Vec<String>) -> Result<Vec<products::Offer>, Error> {
        products()?.find(&skus)
    }
}

impl inventory::Guest for Component {
    fn get(sku: String) -> Result<inventory::Stock, Error> {
        inventory()?.get(&products()?, &sku, Timestamp::now())
    }

    fn get_many(skus: Vec<String>) -> Result<Vec<inventory::Stock>, Error> {
        inventory()?.get_many(&skus, Timestamp::now())
    }

    fn adjust(sku: String, change: inventory::StockChange) -> Result<inventory::Stock, Error> {
        let now = Timestamp::now();
        inventory()?.adjust(
            &products()?,
            Adjustment {
                sku: &sku,
                change: &change,
                conditions: Some(Conditions::OfClient),
            },
            now,
        )
    }

    fn reserve(
        order_id: String,
        lines: Vec<inventory::ReserveLine>,
        locations: Option<Vec<String>>,
    ) -> Result<inventory::Reservation, Error> {
        let ttl = config::get("reservation_ttl")?.unwrap_or(RESERVATION_TTL);
        inventory()?.reserve(
            &order_id,
            Wish {
                lines: &lines,
                locations: locations.as_deref(),
            },
            Timestamp::now(),
            Duration::from_secs(ttl),
        )
    }

    fn commit(order_id: String) -> Result<inventory::Reservation, Error> {
        inventory()?.commit(&order_id)
    }

    fn release(order_id: String) -> Result<inventory::Reservation, Error> {
        inventory()?.release(&order_id)
    }

    fn cancel(order_id: String) -> Result<inventory::Reservation, Error> {
        inventory()?.cancel(&order_id, Timestamp::now())
    }

    fn ship(order_id: String) -> Result<inventory::Reservation, Error> {
        inventory()?.ship(&order_id, Timestamp::now())
    }

    fn take_back(
        order_id: String,
        return_id: String,
        lines: Vec<inventory::ReserveLine>,
    ) -> Result<inventory::Reservation, Error> {
        inventory()?.take_back(&order_id, &return_id, &lines, Timestamp::now())
    }
}

impl maintenance::Guest for Component {
    fn expire() -> Result<u32, Error> {
        inventory()?.expire(Timestamp::now())
    }
}
