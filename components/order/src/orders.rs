//! Orders: one key each, whose state moves by compare-and-swap.
//!
//! An order is written PENDING before anything is done for it, and every step is
//! idempotent by its id: whoever comes next, after a crash or at the same time,
//! goes on from the state it finds. A refusal cancels the order and gives back
//! what it had; an unavailable dependency leaves it where it is.

use stoa_sdk::context::{Caller, check_version};
use stoa_sdk::{
    Bucket, Change, Error, Timestamp, conflict, invalid, not_found, page, unauthorized,
};

use crate::Warehouse;
use crate::bindings::exports::shop::order::orders::{
    NewOrder, Order, OrderPage, OrderState as State,
};
use crate::bindings::shop::product::inventory::ReserveLine;
use crate::cart::Cart;
use crate::keys;

/// The scope that sees everybody's orders.
const READ_ALL: &str = "orders:read";
/// The scope that cancels everybody's orders.
const WRITE_ALL: &str = "orders:write";

/// The orders of the shop.
pub struct Orders<W> {
    orders: Bucket<Order>,
    keys: Bucket<String>,
    warehouse: W,
}

impl<W: Warehouse> Orders<W> {
    /// Orders in these buckets, over a warehouse.
    pub fn new(orders: Bucket<Order>, keys: Bucket<String>, warehouse: W) -> Self {
        Self {
            orders,
            keys,
            warehouse,
        }
    }

    /// Places an order and confirms it. A repeat with the same key goes on with
    /// the same order.
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
        let order = match self.orders.get(&id)? {
            Some(order) => order,
            None => self.write_pending(&id, &cart, customer, now)?,
        };
        if !cart.matches(&order.lines, &order.total) {
            return Err(invalid!(
                "",
                "this Idempotency-Key was used for another order: {id}"
            ));
        }
        self.advance(order, now)
    }

    /// One of the caller's orders.
    pub fn get(&self, id: &str, caller: &Caller) -> Result<Order, Error> {
        let order = self
            .orders
            .get(id)?
            .filter(|order| may(caller, order, READ_ALL));
        order.ok_or_else(|| missing(id))
    }

    /// The caller's orders in the order of their creation.
    pub fn list(
        &self,
        limit: Option<u32>,
        cursor: Option<&str>,
        caller: &Caller,
    ) -> Result<OrderPage, Error> {
        let page = self.orders.list(cursor, page::limit(limit)?, |order| {
            may(caller, order, READ_ALL)
        })?;
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
        if_match: Option<&str>,
        now: Timestamp,
    ) -> Result<Order, Error> {
        let order = self.orders.update_if(id, |order| {
            let order = order
                .filter(|order| may(caller, order, WRITE_ALL))
                .ok_or_else(|| missing(id))?;
            if order.state == State::Cancelled {
                return Ok(Change::Leave(order));
            }
            check_version(order.version, if_match)?;
            let reason = Some("called off".to_owned());
            Ok::<_, Error>(Change::Write(to(
                Order { reason, ..order },
                State::Cancelled,
                now,
            )))
        })?;
        // Also when it was cancelled before: the host may have died in between.
        self.warehouse.cancel(id)?;
        tracing::info!(id, "order cancelled");
        Ok(order)
    }

    fn write_pending(
        &self,
        id: &str,
        cart: &Cart,
        customer: &str,
        now: Timestamp,
    ) -> Result<Order, Error> {
        let (lines, total) = cart.price(&self.warehouse.find(&cart.skus())?)?;
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
        self.orders.update_if(id, |order| {
            Ok(order.map_or_else(|| Change::Write(pending.clone()), Change::Leave))
        })
    }

    /// Takes an order as far as it goes.
    fn advance(&self, mut order: Order, now: Timestamp) -> Result<Order, Error> {
        loop {
            order = match order.state {
                State::Pending => {
                    let lines: Vec<_> = order.lines.iter().map(reserve_line).collect();
                    let done = self.warehouse.reserve(&order.id, &lines);
                    self.step(&order, done, State::Reserved, now)?
                }
                State::Reserved => {
                    let done = self.warehouse.commit(&order.id);
                    self.step(&order, done, State::Confirmed, now)?
                }
                State::Confirmed => return Ok(order),
                State::Cancelled => {
                    self.warehouse.cancel(&order.id)?;
                    let reason = order.reason.as_deref().unwrap_or("no reason given");
                    return Err(conflict!("order {} is CANCELLED: {reason}", order.id));
                }
            };
        }
    }

    /// Writes what became of a step, unless another caller has moved the order on.
    fn step(
        &self,
        order: &Order,
        done: Result<(), Error>,
        next: State,
        now: Timestamp,
    ) -> Result<Order, Error> {
        let (state, reason) = match done {
            Ok(()) => (next, None),
            Err(Error::Conflict(reason) | Error::NotFound(reason)) => {
                (State::Cancelled, Some(reason))
            }
            Err(other) => return Err(other),
        };
        let written = self.orders.update_if(&order.id, |current| {
            let current = current.ok_or_else(|| missing(&order.id))?;
            if current.state != order.state {
                return Ok(Change::Leave(current));
            }
            let reason = reason.clone();
            Ok::<_, Error>(Change::Write(to(Order { reason, ..current }, state, now)))
        })?;
        let state = name(written.state);
        tracing::info!(id = written.id, state, "order moved");
        Ok(written)
    }
}

fn missing(id: &str) -> Error {
    not_found!("there is no order {id:?}")
}

/// Whether the order is the caller's own, or the caller may do this to any. An order
/// of nobody is nobody's own.
fn may(caller: &Caller, order: &Order, scope: &str) -> bool {
    let own = caller.subject.is_some() && caller.subject == order.customer;
    own || caller.has_scope(scope)
}

fn to(order: Order, state: State, now: Timestamp) -> Order {
    Order {
        state,
        version: order.version + 1,
        updated_at: now.to_string(),
        ..order
    }
}

fn reserve_line(line: &crate::contract::OrderLine) -> ReserveLine {
    ReserveLine {
        sku: line.sku.clone(),
        quantity: line.quantity,
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Pending => "PENDING",
        State::Reserved => "RESERVED",
        State::Confirmed => "CONFIRMED",
        State::Cancelled => "CANCELLED",
    }
}

#[cfg(test)]
mod tests;
