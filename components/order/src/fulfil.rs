//! What becomes of a confirmed order: it is sent, its customer has it, some of it comes back.
//!
//! What is to be done is written into the order first, and the queue told in the same step;
//! the steps at the other services follow, and can be repeated.

use std::collections::BTreeMap;

use stoa_sdk::{Change, Error, Timestamp};

use crate::World;
use crate::bindings::exports::shop::order::orders::OrderState as State;
use crate::bindings::shop::product::inventory::ReserveLine;
use crate::bindings::shop::shipping::carriers::ShipmentState;
use crate::entry::{Entry, Return};
use crate::orders::missing;
use crate::saga::Saga;

/// The return that a carrier makes of what it could not deliver.
const BY_CARRIER: &str = "carrier";

impl<W: World> Saga<W> {
    /// Sends a confirmed order, if `check` allows it.
    pub(crate) fn ship(
        &self,
        id: &str,
        check: impl Fn(Option<Entry>) -> Result<Entry, Error>,
        now: Timestamp,
    ) -> Result<Entry, Error> {
        let entry = self.orders.update_telling(id, |entry| {
            let entry = check(entry)?;
            match entry.order.state {
                State::Confirmed => {
                    self.world.advance_later(id)?;
                    Ok(Change::Write(entry.to(State::Fulfilling, None, now)))
                }
                State::Fulfilling => Ok(Change::Leave(entry)),
                _ => Err(entry.illegal(State::Fulfilling)),
            }
        })?;
        self.fulfil_or_later(entry, now)
    }

    /// Its customer has a sent order, if `check` allows it.
    pub(crate) fn deliver(
        &self,
        id: &str,
        check: impl Fn(Option<Entry>) -> Result<Entry, Error>,
        now: Timestamp,
    ) -> Result<Entry, Error> {
        self.orders.update_if(id, |entry| {
            let entry = check(entry)?;
            match entry.order.state {
                State::Fulfilling if entry.sent => {
                    Ok(Change::Write(entry.to(State::Completed, None, now)))
                }
                State::Completed => Ok(Change::Leave(entry)),
                _ => Err(entry.illegal(State::Completed)),
            }
        })
    }

    /// Takes units of a sent order back, if `check` allows it. A return that is known is the
    /// same again.
    pub(crate) fn take_back(
        &self,
        id: &str,
        back: (&str, &BTreeMap<String, u32>),
        check: impl Fn(Option<Entry>) -> Result<Entry, Error>,
        now: Timestamp,
    ) -> Result<Entry, Error> {
        let (return_id, units) = back;
        let entry = self.orders.update_telling(id, |entry| {
            let mut entry = check(entry)?;
            if entry.returns.iter().any(|known| known.id == return_id) {
                return Ok(Change::Leave(entry));
            }
            if !entry.sent {
                return Err(entry.illegal(State::Returned));
            }
            entry.take_back(return_id, units)?;
            self.world.advance_later(id)?;
            Ok(Change::Write(entry.changed(now, |_| ())))
        })?;
        self.fulfil_or_later(entry, now)
    }

    /// The carrier tells of an order.
    pub(crate) fn shipment_changed(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        let there = |entry: Option<Entry>| entry.ok_or_else(|| missing(id));
        let Some(entry) = self.orders.get(id)? else {
            return Ok(());
        };
        match self.world.track(id)?.state {
            // What is delivered before it is noted as sent waits for that.
            ShipmentState::Delivered if entry.order.state == State::Fulfilling => {
                let entry = self.fulfil(&entry, now)?;
                self.deliver(&entry.order.id, there, now).map(drop)
            }
            ShipmentState::Returned => {
                let entry = self.fulfil(&entry, now)?;
                let rest = entry.still_out();
                match rest.is_empty() {
                    true => Ok(()),
                    false => self
                        .take_back(id, (BY_CARRIER, &rest), there, now)
                        .map(drop),
                }
            }
            _ => Ok(()),
        }
    }

    /// Does what an order that is confirmed still waits for.
    pub(crate) fn fulfil(&self, entry: &Entry, now: Timestamp) -> Result<Entry, Error> {
        let mut entry = entry.clone();
        if entry.order.state == State::Fulfilling && !entry.sent {
            entry = self.send(&entry, now)?;
        }
        let waiting: Vec<_> = entry
            .returns
            .iter()
            .filter(|back| !back.done)
            .cloned()
            .collect();
        for back in waiting {
            entry = self.bring_back(&entry.order.id, &back, now)?;
        }
        Ok(entry)
    }

    fn fulfil_or_later(&self, entry: Entry, now: Timestamp) -> Result<Entry, Error> {
        match self.fulfil(&entry, now) {
            Err(Error::Unavailable(fault)) => {
                let id = &entry.order.id;
                tracing::warn!(id, "the order goes on later: {fault}");
                Ok(entry)
            }
            done => done,
        }
    }

    /// Its shipment, then its money, then its stock.
    fn send(&self, entry: &Entry, now: Timestamp) -> Result<Entry, Error> {
        let (order, world) = (&entry.order, &self.world);
        let mut tracking = None;
        if let (Some(to), Some(service)) = (&order.address, &order.shipping_service) {
            let units = order.lines.iter().map(|line| line.quantity).sum();
            tracking = world.send(&order.id, to, service, units)?.tracking;
        }
        if entry.costs() {
            world.capture(&order.id)?;
        }
        world.ship(&order.id)?;
        self.note(&order.id, |entry| match entry.sent {
            true => Change::Leave(entry),
            false => Change::Write(entry.changed(now, |entry| {
                entry.sent = true;
                entry.order.tracking.clone_from(&tracking);
            })),
        })
    }

    /// Stock, then money.
    fn bring_back(&self, id: &str, back: &Return, now: Timestamp) -> Result<Entry, Error> {
        let line = |(sku, quantity): (&String, &u32)| ReserveLine {
            sku: sku.clone(),
            quantity: *quantity,
        };
        let lines: Vec<_> = back.units.iter().map(line).collect();
        self.world.take_back(id, &back.id, &lines)?;
        if back.amount.minor > 0 {
            self.world.refund(id, &back.id, &back.amount)?;
        }
        self.note(id, |entry| {
            let done = entry
                .returns
                .iter()
                .any(|known| known.id == back.id && known.done);
            match done {
                true => Change::Leave(entry),
                false => Change::Write(entry.changed(now, |entry| entry.taken_back(&back.id))),
            }
        })
    }

    fn note(&self, id: &str, change: impl Fn(Entry) -> Change<Entry>) -> Result<Entry, Error> {
        self.orders.update_if(id, |entry| {
            Ok::<_, Error>(change(entry.ok_or_else(|| missing(id))?))
        })
    }
}
