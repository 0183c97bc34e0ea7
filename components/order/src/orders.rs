//! Orders: one key each, and one for each list that it is in.
//!
//! An order is written PENDING before anything is done for it; how it goes on is the
//! saga's part.

use std::collections::BTreeMap;

use stoa_sdk::context::{Caller, Conditions, check_version};
use stoa_sdk::page::{self, Page};
use stoa_sdk::{
    Bucket, Change, Error, Index, Timestamp, conflict, id, invalid, not_found, unauthorized,
};

use crate::World;
use crate::bindings::exports::shop::order::orders::{
    NewLine, NewOrder, Order, OrderPage, OrderState as State,
};
use crate::cart::Cart;
use crate::discount::{Discounts, Uses};
use crate::draft::Draft;
use crate::entry::Entry;
use crate::keys;
use crate::newest;
use crate::saga::Saga;

/// The scope that sees everybody's orders.
const READ_ALL: &str = "orders:read";
/// The scope that changes everybody's orders.
const WRITE_ALL: &str = "orders:write";

/// The orders of the shop.
pub struct Orders<W> {
    saga: Saga<W>,
    keys: Bucket<String>,
    by_customer: Index,
    newest: Index,
    /// What the operator has set, by key.
    settings: Vec<(String, String)>,
}

/// Where orders are kept.
pub struct Kept {
    /// Orders by id.
    pub orders: Bucket<Entry>,
    /// Which order a client's key stands for.
    pub keys: Bucket<String>,
    /// Orders whose stock and money are to be given back, and since when.
    pub owed: Bucket<Timestamp>,
    /// Who uses which discount.
    pub uses: Bucket<Uses>,
    /// Ids of orders by customer.
    pub by_customer: Index,
    /// All of them, the newest first.
    pub newest: Index,
}

/// Which orders somebody wants to see.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// Of this region.
    pub region: Option<String>,
    /// Of this customer.
    pub customer: Option<String>,
}

/// Which part of a list somebody wants to see.
#[derive(Debug, Clone, Copy, Default)]
pub struct Part<'a> {
    /// Orders at most.
    pub limit: Option<u32>,
    /// Where the part begins.
    pub cursor: Option<&'a str>,
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        let order = &entry.order;
        let asked =
            |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let shown = !entry.refused || self.state == Some(State::Cancelled);
        shown
            && self.state.is_none_or(|state| state == order.state)
            && asked(&self.region, &order.region)
            && asked(&self.customer, &order.customer)
    }
}

impl<W: World> Orders<W> {
    /// Orders in these buckets, among other services, with what the operator has set.
    pub fn new(kept: Kept, world: W, settings: Vec<(String, String)>) -> Self {
        Self {
            saga: Saga::new(kept.orders, kept.owed, Discounts(kept.uses), world),
            keys: kept.keys,
            by_customer: kept.by_customer,
            newest: kept.newest,
            settings,
        }
    }

    /// Places an order and takes it as far as it can go. A repeat with the same key goes on
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
        let entry = match self.saga.orders.get(&id)? {
            Some(entry) => entry,
            None => {
                let draft = Draft::new(input, &cart, &self.settings)?;
                self.write_pending(&id, customer, draft, now)?
            }
        };
        if !cart.matches(&entry.order.lines, &entry.order.total) {
            return Err(invalid!(
                "",
                "this Idempotency-Key was used for another order: {id}"
            ));
        }
        let entry = match self.saga.advance(&entry, now) {
            Ok(entry) => entry,
            Err(Error::Unavailable(fault)) => {
                tracing::warn!(id, "the order goes on later: {fault}");
                return Ok(self.saga.orders.get(&id)?.unwrap_or(entry).order);
            }
            Err(other) => return Err(other),
        };
        let order = entry.order;
        if order.state == State::Cancelled {
            let reason = order.reason.as_deref().unwrap_or("no reason given");
            return Err(conflict!("order {id} is CANCELLED: {reason}"));
        }
        self.saga.pay_one(now);
        Ok(order)
    }

    /// Takes an order on that the queue tells of.
    pub fn resume(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        self.saga.resume(id, now)
    }

    /// The payment service tells of an order.
    pub fn payment_changed(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        let entry = self.saga.orders.get(id)?.filter(Entry::is_open);
        entry.map_or(Ok(()), |entry| self.saga.advance(&entry, now).map(drop))
    }

    /// The carrier tells of an order.
    pub fn shipment_changed(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        self.saga.shipment_changed(id, now)
    }

    /// One of the caller's orders.
    pub fn get(&self, id: &str, caller: &Caller, now: Timestamp) -> Result<Order, Error> {
        let entry = self.saga.orders.get(id)?;
        let entry = entry.filter(|entry| may(caller, &entry.order, READ_ALL));
        let mut entry = entry.ok_or_else(|| missing(id))?;
        self.saga.settle(std::slice::from_mut(&mut entry), now)?;
        Ok(entry.order)
    }

    /// The caller's orders in the order of their creation, or everybody's, newest first.
    pub fn list(
        &self,
        Part { limit, cursor }: Part<'_>,
        filter: &Filter,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<OrderPage, Error> {
        let limit = page::limit(limit)?;
        let load = |ids: Vec<String>| {
            let found = self.saga.orders.get_many(&ids)?.into_iter();
            let sees = |entry: &Entry| may(caller, &entry.order, READ_ALL) && filter.takes(entry);
            Ok(found.map(|entry| entry.filter(sees)).collect())
        };
        let mut page: Page<Entry> = match &caller.subject {
            _ if caller.has_scope(READ_ALL) => match &filter.customer {
                Some(customer) => self.by_customer.list(customer, cursor, limit, load)?,
                None => self.newest.list(newest::ALL, cursor, limit, |keys| {
                    load(keys.iter().map(|key| newest::turned(key)).collect())
                })?,
            },
            None => Page::default(),
            Some(customer) => self.by_customer.list(customer, cursor, limit, load)?,
        };
        self.saga.settle(&mut page.items, now)?;
        Ok(OrderPage {
            items: page.items.into_iter().map(|entry| entry.order).collect(),
            next: page.next,
        })
    }

    /// Calls an order off and gives back what it has.
    pub fn cancel(
        &self,
        id: &str,
        caller: &Caller,
        conditions: Option<Conditions>,
        now: Timestamp,
    ) -> Result<Order, Error> {
        let check = |entry: Option<Entry>| {
            let entry = entry.filter(|entry| may(caller, &entry.order, WRITE_ALL));
            let entry = entry.ok_or_else(|| missing(id))?;
            if entry.order.state != State::Cancelled {
                check_version(entry.order.version, conditions)?;
            }
            Ok(entry)
        };
        Ok(self.saga.cancel(id, check, now)?.order)
    }

    /// Sends a confirmed order.
    pub fn ship(&self, id: &str, caller: &Caller, now: Timestamp) -> Result<Order, Error> {
        Ok(self.saga.ship(id, for_staff(id, caller), now)?.order)
    }

    /// The customer of a sent order has it.
    pub fn deliver(&self, id: &str, caller: &Caller, now: Timestamp) -> Result<Order, Error> {
        Ok(self.saga.deliver(id, for_staff(id, caller), now)?.order)
    }

    /// Units of a sent order came back. A repeat with the same key is the same return.
    pub fn take_back(
        &self,
        id: &str,
        lines: &[NewLine],
        (caller, key): (&Caller, Option<&str>),
        now: Timestamp,
    ) -> Result<Order, Error> {
        let mut units = BTreeMap::<String, u32>::new();
        for line in lines {
            let sum = units.entry(line.sku.clone()).or_default();
            *sum = sum.saturating_add(line.quantity);
        }
        units.retain(|_, units| *units > 0);
        if units.is_empty() {
            return Err(invalid!(
                "/lines",
                "expected units that come back, found none"
            ));
        }
        let fresh = id::new(now);
        let back = match key {
            Some(key) => keys::order_id(&self.keys, &format!("return {id}"), Some(key), now)?,
            None => fresh,
        };
        let entry = self
            .saga
            .take_back(id, (&back, &units), for_staff(id, caller), now)?;
        Ok(entry.order)
    }

    fn write_pending(
        &self,
        id: &str,
        customer: &str,
        draft: Draft<'_>,
        now: Timestamp,
    ) -> Result<Entry, Error> {
        let saga = &self.saga;
        let lives = |order: &str| {
            let found = saga.orders.get(order)?;
            Ok(found.is_some_and(|entry| entry.order.state != State::Cancelled))
        };
        let discounts = (&saga.discounts, lives);
        let pending = draft.order((id, customer), &saga.world, discounts, now)?;
        self.by_customer.add(customer, id)?;
        self.newest.add(newest::ALL, &newest::turned(id))?;
        saga.orders.update_telling(id, |entry| match entry {
            Some(entry) => Ok(Change::Leave(entry)),
            None => {
                saga.world.advance_later(id)?;
                Ok(Change::Write(pending.clone()))
            }
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

/// Lets only those through who may change everybody's orders: a customer does not send its own.
fn for_staff<'a>(
    id: &'a str,
    caller: &'a Caller,
) -> impl Fn(Option<Entry>) -> Result<Entry, Error> + 'a {
    move |entry| {
        let entry = entry.filter(|_| caller.has_scope(WRITE_ALL));
        entry.ok_or_else(|| missing(id))
    }
}

#[cfg(test)]
mod tests;
