//! The contract's functions over the host's buckets and links. No logic here.

use stoa_sdk::context::{self, Caller, Conditions};
use stoa_sdk::{Bucket, Error, Index, Money, Timestamp, config, log};

use crate::bindings::exports::shop::order::counter::Guest as CounterGuest;
use crate::bindings::exports::shop::order::orders::{
    Guest, NewLine, NewOrder, Order, OrderPage, OrderState,
};
use crate::bindings::exports::shop::order::saga::Guest as SagaGuest;
use crate::bindings::exports::shop::payment::payment_changes::Guest as PaymentGuest;
use crate::bindings::exports::shop::shipping::shipment_changes::Guest as ShipmentGuest;
use crate::bindings::shop::order::saga;
use crate::bindings::shop::payment::payments::{self, Payment};
use crate::bindings::shop::product::{
    inventory::{self, ReserveLine},
    products::{self, Offer},
};
use crate::bindings::shop::shipping::carriers::{self, Address, Shipment, ShippingQuote};
use crate::{Carrier, Filter, Kept, Later, Orders, Part, Till, Warehouse, guest};

/// What the contract's functions are exported from.
struct Component;

/// Generated, and as unsafe as exports are.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
mod exported {
    use super::Component;

    crate::bindings::export!(Component with_types_in crate::bindings);
}

/// The other services behind their links, and the queue.
struct Link;

impl Warehouse for Link {
    fn find(&self, skus: &[String]) -> Result<Vec<Offer>, Error> {
        products::find(skus)
    }

    fn reserve(
        &self,
        order: &str,
        lines: &[ReserveLine],
        locations: Option<&[String]>,
    ) -> Result<(), Error> {
        inventory::reserve(order, lines, locations).map(drop)
    }

    fn commit(&self, order: &str) -> Result<(), Error> {
        inventory::commit(order).map(drop)
    }

    fn cancel(&self, order: &str) -> Result<(), Error> {
        inventory::cancel(order).map(drop)
    }

    fn ship(&self, order: &str) -> Result<(), Error> {
        inventory::ship(order).map(drop)
    }

    fn take_back(&self, order: &str, id: &str, lines: &[ReserveLine]) -> Result<(), Error> {
        inventory::take_back(order, id, lines).map(drop)
    }
}

impl Till for Link {
    fn authorize(&self, order: &str, amount: &Money, token: &str) -> Result<Payment, Error> {
        payments::authorize(order, amount, token)
    }

    fn capture(&self, order: &str) -> Result<(), Error> {
        payments::capture(order).map(drop)
    }

    fn void(&self, order: &str, reason: &str) -> Result<(), Error> {
        payments::void(order, reason).map(drop)
    }

    fn refund(&self, order: &str, id: &str, amount: &Money) -> Result<(), Error> {
        payments::refund(order, id, amount).map(drop)
    }
}

impl Carrier for Link {
    fn quote(
        &self,
        country: &str,
        currency: &str,
        units: u32,
    ) -> Result<Vec<ShippingQuote>, Error> {
        carriers::quote(country, currency, units)
    }

    fn send(
        &self,
        order: &str,
        to: &Address,
        service: &str,
        units: u32,
    ) -> Result<Shipment, Error> {
        carriers::create_shipment(order, to, service, units)
    }

    fn track(&self, order: &str) -> Result<Shipment, Error> {
        carriers::track(order)
    }
}

impl Later for Link {
    fn advance_later(&self, order: &str) -> Result<(), Error> {
        saga::advance(order)
    }
}

fn orders() -> Result<Orders<Link>, Error> {
    log::init();
    let kept = Kept {
        orders: Bucket::open("orders")?,
        keys: Bucket::open("keys")?,
        owed: Bucket::open("owed")?,
        uses: Bucket::open("discounts")?,
        by_customer: Index::open("by-customer"),
        newest: Index::open("newest"),
    };
    Ok(Orders::new(kept, Link, config::all()?))
}

impl Guest for Component {
    fn place(order: NewOrder) -> Result<Order, Error> {
        let key = context::idempotency_key();
        orders()?.place(&order, &Caller::current(), key.as_deref(), Timestamp::now())
    }

    fn get(id: String) -> Result<Order, Error> {
        orders()?.get(&id, &Caller::current(), Timestamp::now())
    }

    fn list(
        limit: Option<u32>,
        cursor: Option<String>,
        state: Option<OrderState>,
        region: Option<String>,
        customer: Option<String>,
    ) -> Result<OrderPage, Error> {
        let filter = Filter {
            state,
            region,
            customer,
        };
        let part = Part {
            limit,
            cursor: cursor.as_deref(),
        };
        orders()?.list(part, &filter, &Caller::current(), Timestamp::now())
    }

    fn cancel(id: String) -> Result<Order, Error> {
        orders()?.cancel(
            &id,
            &Caller::current(),
            Some(Conditions::OfClient),
            Timestamp::now(),
        )
    }

    fn ship(id: String) -> Result<Order, Error> {
        orders()?.ship(&id, &Caller::current(), Timestamp::now())
    }

    fn deliver(id: String) -> Result<Order, Error> {
        orders()?.deliver(&id, &Caller::current(), Timestamp::now())
    }

    fn return_(id: String, lines: Vec<NewLine>) -> Result<Order, Error> {
        let (caller, key) = (Caller::current(), context::idempotency_key());
        orders()?.take_back(&id, &lines, (&caller, key.as_deref()), Timestamp::now())
    }
}

impl CounterGuest for Component {
    fn place(customer: String, order: NewOrder, key: String) -> Result<Order, Error> {
        orders()?.place(
            &order,
            &guest::caller(&customer)?,
            Some(&key),
            Timestamp::now(),
        )
    }

    fn get(customer: String, id: String) -> Result<Order, Error> {
        orders()?.get(&id, &guest::caller(&customer)?, Timestamp::now())
    }
}

impl SagaGuest for Component {
    fn advance(order_id: String) -> Result<(), Error> {
        orders()?.resume(&order_id, Timestamp::now())
    }
}

impl PaymentGuest for Component {
    fn changed(order_id: String) -> Result<(), Error> {
        orders()?.payment_changed(&order_id, Timestamp::now())
    }
}

impl ShipmentGuest for Component {
    fn changed(order_id: String) -> Result<(), Error> {
        orders()?.shipment_changed(&order_id, Timestamp::now())
    }
}
