//! The contract's functions over the host's buckets and links. No logic here.

use stoa_sdk::context::{self, Caller, Conditions};
use stoa_sdk::{Bucket, Error, Index, Timestamp, log};

use crate::bindings::exports::shop::order::orders::{Guest, NewOrder, Order, OrderPage};
use crate::bindings::exports::shop::order::saga::Guest as SagaGuest;
use crate::bindings::shop::order::saga;
use crate::bindings::shop::product::{
    inventory::{self, ReserveLine},
    products::{self, Offer},
};
use crate::{Kept, Later, Orders, Warehouse};

/// What the contract's functions are exported from.
struct Component;

/// Generated, and as unsafe as exports are.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
mod exported {
    use super::Component;

    crate::bindings::export!(Component with_types_in crate::bindings);
}

/// The product service behind the link, and the queue.
struct Link;

impl Warehouse for Link {
    fn find(&self, skus: &[String]) -> Result<Vec<Offer>, Error> {
        products::find(skus)
    }

    fn reserve(&self, order: &str, lines: &[ReserveLine]) -> Result<(), Error> {
        inventory::reserve(order, lines, None).map(drop)
    }

    fn commit(&self, order: &str) -> Result<(), Error> {
        inventory::commit(order).map(drop)
    }

    fn cancel(&self, order: &str) -> Result<(), Error> {
        inventory::cancel(order).map(drop)
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
        by_customer: Index::open("by-customer"),
    };
    Ok(Orders::new(kept, Link))
}

impl Guest for Component {
    fn place(order: NewOrder) -> Result<Order, Error> {
        let key = context::idempotency_key();
        orders()?.place(&order, &Caller::current(), key.as_deref(), Timestamp::now())
    }

    fn get(id: String) -> Result<Order, Error> {
        orders()?.get(&id, &Caller::current(), Timestamp::now())
    }

    fn list(limit: Option<u32>, cursor: Option<String>) -> Result<OrderPage, Error> {
        let caller = Caller::current();
        orders()?.list(limit, cursor.as_deref(), &caller, Timestamp::now())
    }

    fn cancel(id: String) -> Result<Order, Error> {
        orders()?.cancel(
            &id,
            &Caller::current(),
            Some(Conditions::OfClient),
            Timestamp::now(),
        )
    }
}

impl SagaGuest for Component {
    fn advance(order_id: String) -> Result<(), Error> {
        orders()?.resume(&order_id, Timestamp::now())
    }
}
