//! Orders: one key each, and one for each customer's list of them.
//!
//! An order is written PENDING before anything is done for it; how it ends is the
//! saga's part.

use stoa_sdk::context::{Caller, Conditions, check_version};
use stoa_sdk::page::{self, Page};
use stoa_sdk::{
    Bucket, Change, Error, Index, Timestamp, conflict, invalid, not_found, unauthorized,
    unavailable,
};

use crate::bindings::exports::shop::order::orders::{
    NewOrder, Order, OrderPage, OrderState as State,
};
use crate::cart::Cart;
use crate::keys;
use crate::saga::Saga;
use crate::{Later, Warehouse};

/// The scope that sees everybody's orders.
const READ_ALL: &str = "orders:read";
/// The scope that cancels everybody's orders.
const WRITE_ALL: &str = "orders:write";

/// The orders of the shop.
pub struct Orders<W> {
    saga: Saga<W>,
    keys: Bucket<String>,
    by_customer: Index,
}

/// Where orders are kept.
pub struct Kept {
    /// Orders by id.
    pub orders: Bucket<Order>,
    /// Which order a client's key stands for.
    pub keys: Bucket<String>,
    /// Orders whose stock is to be given back, and since when.
    pub owed: Bucket<Timestamp>,
    /// Ids of orders by customer.
    pub by_customer: Index,
}

impl<W: Warehouse + Later> Orders<W> {
    /// Orders in these buckets, over a warehouse.
    pub fn new(kept: Kept, warehouse: W) -> Self {
        Self {
            saga: Saga::new(kept.orders, kept.owed, warehouse),
            keys: kept.keys,
            by_customer: kept.by_customer,
        }
    }

    /// Places an order and takes it to its end. A repeat with the same key goes on
    /// with the same order.
    pub fn place(
        &self,
        input: &NewOrder,
        caller: &Caller,
        key: Option<&str>,
        now: Timestamp,
    ) -> Result<Order, Error> {
        let customer = caller.subject.as_deref();
        let customer = customer.ok_or_else(|| unauthorized!("an order wants a customer"))?;
        let cart = Cart::read(input)?;
        let id = keys::order_id(&self.keys, customer, key, now)?;
        let order = match self.saga.orders.get(&id)? {
            Some(order) => order,
            None => self.write_pending(&id, &cart, customer, now)?,
        };
        if !cart.matches(&order.lines, &order.total) {
            return Err(invalid!(
                "",
                "this Idempotency-Key was used for another order: {id}"
            ));
        }
        let order = match self.saga.advance(&order, now) {
            Ok(order) => order,
            Err(fault) => self.give_up(&id, fault, (customer, key), now)?,
        };
        if order.state == State::Cancelled {
            let reason = order.reason.as_deref().unwrap_or("no reason given");
            return Err(conflict!("order {id} is CANCELLED: {reason}"));
        }
        self.saga.pay_one(now);
        Ok(order)
    }

    /// Takes an order to its end that the queue tells of.
    pub fn resume(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        self.saga.resume(id, now)
    }

    /// One of the caller's orders.
    pub fn get(&self, id: &str, caller: &Caller, now: Timestamp) -> Result<Order, Error> {
        let order = self.saga.orders.get(id)?;
        let order = order.filter(|order| may(caller, order, READ_ALL));
        let mut order = order.ok_or_else(|| missing(id))?;
        self.saga.settle(std::slice::from_mut(&mut order), now)?;
        Ok(order)
    }

    /// The caller's orders in the order of their creation.
    pub fn list(
        &self,
        limit: Option<u32>,
        cursor: Option<&str>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<OrderPage, Error> {
        let (orders, limit) = (&self.saga.orders, page::limit(limit)?);
        let mut page = match &caller.subject {
            _ if caller.has_scope(READ_ALL) => orders.list(cursor, limit, |_| true)?,
            None => Page::default(),
            Some(customer) => self.by_customer.list(customer, cursor, limit, |ids| {
                let found = orders.get_many(&ids)?.into_iter();
                Ok(found
                    .map(|order| order.filter(|order| may(caller, order, READ_ALL)))
                    .collect())
            })?,
        };
        self.saga.settle(&mut page.items, now)?;
        Ok(OrderPage {
            items: page.items,
            next: page.next,
        })
    }

    /// Calls an order off and gives its stock back.
    pub fn cancel(
        &self,
        id: &str,
        caller: &Caller,
        conditions: Option<Conditions>,
        now: Timestamp,
    ) -> Result<Order, Error> {
        let check = |order: Option<Order>| {
            let order = order.filter(|order| may(caller, order, WRITE_ALL));
            let order = order.ok_or_else(|| missing(id))?;
            if order.state != State::Cancelled {
                check_version(order.version, conditions)?;
            }
            Ok(order)
        };
        self.saga.cancel(id, check, now)
    }

    fn write_pending(
        &self,
        id: &str,
        cart: &Cart,
        customer: &str,
        now: Timestamp,
    ) -> Result<Order, Error> {
        let (lines, total) = cart.price(&self.saga.warehouse().find(&cart.skus())?)?;
        let pending = Order {
            id: id.to_owned(),
            customer: Some(customer.to_owned()),
            state: State::Pending,
            lines,
            total,
            reason: None,
            created_at: now.to_string(),
            updated_at: now.to_string(),
            version: 1,
        };
        self.by_customer.add(customer, id)?;
        self.saga.orders.update_telling(id, |order| match order {
            Some(order) => Ok(Change::Leave(order)),
            None => {
                self.saga.warehouse().advance_later(id)?;
                Ok(Change::Write(pending.clone()))
            }
        })
    }

    /// Ends an order that could not be taken to its end. A repeat with the same key
    /// places another.
    fn give_up(
        &self,
        id: &str,
        fault: Error,
        (customer, key): (&str, Option<&str>),
        now: Timestamp,
    ) -> Result<Order, Error> {
        let reason = match &fault {
            Error::Unavailable(text) => text.clone(),
            other => format!("{other:?}"),
        };
        let order = self.saga.call_off(id, &reason, now)?;
        if order.state == State::Confirmed {
            return Ok(order);
        }
        keys::forget(&self.keys, customer, key, id)?;
        Err(match fault {
            Error::Unavailable(text) => unavailable!("order {id} is CANCELLED: {text}"),
            other => other,
        })
    }
}

pub(crate) fn missing(id: &str) -> Error {
    not_found!("there is no order {id:?}")
}

/// Whether the order is the caller's own, or the caller may do this to any. An order
/// of nobody is nobody's own.
fn may(caller: &Caller, order: &Order, scope: &str) -> bool {
    let own = caller.subject.is_some() && caller.subject == order.customer;
    own || caller.has_scope(scope)
}

#[cfg(test)]
mod tests;
