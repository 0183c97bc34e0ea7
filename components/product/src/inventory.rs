//! Stock and its reservation.
//!
//! Two kinds of keys and no transaction across them: a [`Shelf`] for each SKU, a
//! [`Record`] for each order. Three rules make that safe under concurrency and a
//! crash at any point:
//!
//! 1. The record decides. Its state changes first; shelves follow, and whoever
//!    comes by an open entry whose record has ended closes it.
//! 2. Whoever opens an entry on a shelf reads the record *after* the shelf, inside
//!    the compare-and-swap. If the reservation ended in between, either the record
//!    says so or the swap fails.
//! 3. Every step looks whether it was done, so that each can be repeated.

use std::sync::Arc;
use std::time::Duration;

use stoa_sdk::context::{Conditions, check_version};
use stoa_sdk::{Bucket, Change, Error, Timestamp, Violations, conflict, invalid, not_found};

use crate::bindings::exports::shop::product::inventory::{
    Allocation, Reservation, ReservationState as State, ReserveLine, Stock, StockChange,
};
use crate::input::{CODE, is_code};
use crate::reservation::{Record, Transition, illegal, step, sum};
use crate::shelf::{MOST, Shelf};
use crate::shelves::Shelves;
use crate::tell::Nobody;
use crate::{Products, Tell};

mod lapse;
mod leaving;

/// SKUs that one call may ask for.
const GET_LIMIT: usize = 1000;

/// A change of stock, as a client asks for it.
#[derive(Clone, Copy)]
pub struct Adjustment<'a> {
    /// What is counted.
    pub sku: &'a str,
    /// By how much, and where.
    pub change: &'a StockChange,
    /// The version that the client knows.
    pub conditions: Option<Conditions>,
}

/// What an order wants to be set aside.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// How much of what.
    pub lines: &'a [ReserveLine],
    /// At which locations; `None` for all.
    pub locations: Option<&'a [String]>,
}

/// The stock of the shop.
pub struct Inventory {
    shelves: Shelves,
    records: Bucket<Record>,
}

impl Inventory {
    /// Stock in these buckets.
    pub fn new(shelves: Bucket<Shelf>, records: Bucket<Record>) -> Self {
        let shelves = Shelves::new(shelves, Arc::new(Nobody));
        Self { shelves, records }
    }

    /// The same, telling `told` when what can be ordered of a SKU has changed.
    pub fn telling(mut self, told: Arc<dyn Tell>) -> Self {
        self.shelves.told = told;
        self
    }

    /// No stock, for tests.
    pub fn in_memory() -> Self {
        Self::new(Bucket::in_memory(), Bucket::in_memory())
    }

    /// The stock of a SKU that is sold or was stocked before.
    pub fn get(&self, products: &Products, sku: &str, now: Timestamp) -> Result<Stock, Error> {
        match self.shelves.get(sku)? {
            Some(shelf) => Ok(self.due(shelf, now)?.stock(sku)),
            None => new_shelf(products, sku).map(|shelf| shelf.stock(sku)),
        }
    }

    /// The stock of many SKUs; one without stock is left out.
    pub fn get_many(&self, skus: &[String], now: Timestamp) -> Result<Vec<Stock>, Error> {
        if skus.len() > GET_LIMIT {
            return Err(invalid!(
                "/skus",
                "expected at most {GET_LIMIT}, found {}",
                skus.len()
            ));
        }
        let shelves = self.shelves.get_many(skus)?;
        let stock = |(sku, shelf): (&String, Option<Shelf>)| {
            Some(self.due(shelf?, now).map(|shelf| shelf.stock(sku)))
        };
        skus.iter().zip(shelves).filter_map(stock).collect()
    }

    /// Changes what is on hand.
    pub fn adjust(
        &self,
        products: &Products,
        adjustment: Adjustment<'_>,
        now: Timestamp,
    ) -> Result<Stock, Error> {
        let Adjustment {
            sku,
            change,
            conditions,
        } = adjustment;
        let StockChange {
            location,
            delta,
            reason,
        } = change;
        check(change)?;
        if let Some(shelf) = self.shelves.get(sku)? {
            // What is held past its time must not stand in the way.
            self.expire_on(&shelf, now)?;
        }
        let shelf = self.shelves.update(sku, |shelf| {
            let mut shelf = shelf.map_or_else(|| new_shelf(products, sku), Ok)?;
            check_version(shelf.version(), conditions)?;
            shelf.adjust(sku, location, *delta)?;
            Ok::<_, Error>(shelf)
        })?;
        let reason = reason.as_deref().unwrap_or("none given");
        tracing::info!(sku, location, delta, reason, "stock adjusted");
        Ok(shelf.stock(sku))
    }

    /// Sets stock aside for an order: all of it, or none.
    pub fn reserve(
        &self,
        order: &str,
        wish: Wish<'_>,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Reservation, Error> {
        let wanted = sum(order, wish.lines)?;
        let locations = wish.locations.map(<[String]>::to_vec);
        let record = self.records.update_if(order, |record| match record {
            None => Ok(Change::Write(Record {
                locations: locations.clone(),
                ..Record::held(wanted.clone(), now + ttl)
            })),
            Some(Record {
                state: State::Held | State::Committed,
                wanted: other,
                ..
            }) if other != wanted => Err(conflict!("order {order} has reserved other lines")),
            Some(record) => Ok(Change::Leave(record)),
        })?;
        if record.state == State::Held {
            for (sku, quantity) in &record.wanted {
                if let Some(available) = self.hold(order, sku, *quantity, now)? {
                    let text = format!("{sku}: wanted {quantity}, available {available}");
                    self.refuse(order, text)?;
                    break;
                }
            }
        }
        // Another call may have ended the reservation meanwhile.
        let record = self.records.get(order)?.unwrap_or(record);
        self.settle(order, &record)?;
        match (record.state, &record.refusal) {
            (State::Held | State::Committed, _) => self.view(order, &record),
            (State::Released, Some(refusal)) => Err(conflict!("not enough stock of {refusal}")),
            (state, _) => Err(illegal(order, state, State::Held)),
        }
    }

    /// HELD → COMMITTED.
    pub fn commit(&self, order: &str) -> Result<Reservation, Error> {
        // Only needed, and only there, while it is held.
        let (_, sold) = self.with_units(order, self.record(order)?)?;
        let record = step(
            &self.records,
            order,
            Transition {
                from: State::Held,
                to: State::Committed,
            },
            |record| {
                record.sold.clone_from(&sold);
            },
        )?;
        self.settle(order, &record)?;
        self.view(order, &record)
    }

    /// HELD → RELEASED.
    pub fn release(&self, order: &str) -> Result<Reservation, Error> {
        let record = step(
            &self.records,
            order,
            Transition {
                from: State::Held,
                to: State::Released,
            },
            |_| (),
        )?;
        self.settle(order, &record)?;
        self.view(order, &record)
    }

    /// Holds units of one SKU; the number available if they are too few.
    fn hold(
        &self,
        order: &str,
        sku: &str,
        quantity: u32,
        now: Timestamp,
    ) -> Result<Option<u64>, Error> {
        let shelf = self.try_hold(order, sku, quantity)?;
        if shelf.entry(order).is_some() {
            return Ok(None);
        }
        // Others may hold units longer than they may.
        self.expire_on(&shelf, now)?;
        let shelf = self.try_hold(order, sku, quantity)?;
        let record = self.record(order)?;
        Ok(if shelf.entry(order).is_some() || record.end().is_some() {
            None
        } else {
            Some(shelf.available_at(record.locations.as_deref()))
        })
    }

    fn try_hold(&self, order: &str, sku: &str, quantity: u32) -> Result<Shelf, Error> {
        self.shelves.update_if(sku, |shelf| {
            let mut shelf = shelf.unwrap_or_default();
            if shelf.entry(order).is_some() {
                return Ok(Change::Leave(shelf));
            }
            let record = self.record(order)?;
            let fits = record.state == State::Held && shelf.hold(order, quantity, &record);
            Ok::<_, Error>(if fits {
                Change::Write(shelf)
            } else {
                Change::Leave(shelf)
            })
        })
    }

    /// Releases a reservation that found too little stock, and keeps why.
    fn refuse(&self, order: &str, text: String) -> Result<(), Error> {
        self.records.update_if(order, |record| {
            let record = record.ok_or_else(|| unknown(order))?;
            Ok::<_, Error>(match record.state {
                State::Held => Change::Write(Record {
                    refusal: Some(text.clone()),
                    ..record.to(State::Released)
                }),
                _ => Change::Leave(record),
            })
        })?;
        Ok(())
    }

    /// Makes the shelves follow a record that has ended.
    fn settle(&self, order: &str, record: &Record) -> Result<(), Error> {
        let Some(end) = record.end() else {
            return Ok(());
        };
        for sku in record.wanted.keys() {
            self.shelves.update_if(sku, |shelf| {
                let mut shelf = shelf.unwrap_or_default();
                let closed = shelf.close(order, end);
                Ok::<_, Error>(if closed {
                    Change::Write(shelf)
                } else {
                    Change::Leave(shelf)
                })
            })?;
        }
        Ok(())
    }

    /// The units that a held reservation has on the shelves; conflict if some are missing.
    fn held(&self, order: &str, record: &Record) -> Result<Vec<Allocation>, Error> {
        let skus: Vec<String> = record.wanted.keys().cloned().collect();
        let mut held = Vec::new();
        for (sku, shelf) in skus.iter().zip(self.shelves.get_many(&skus)?) {
            let entry = shelf.as_ref().and_then(|shelf| shelf.entry(order));
            let entry = entry.ok_or_else(|| {
                conflict!("the reservation of order {order} is not complete: {sku} is missing; reserve again")
            })?;
            held.extend(entry.units.iter().map(|(location, quantity)| Allocation {
                sku: sku.clone(),
                location: location.clone(),
                quantity: *quantity,
            }));
        }
        Ok(held)
    }

    fn view(&self, order: &str, record: &Record) -> Result<Reservation, Error> {
        let (record, allocations) = self.with_units(order, record.clone())?;
        Ok(record.view(order, allocations))
    }

    /// The record with the units that it has. Another call may take a held one on
    /// meanwhile: then it is the newer record.
    fn with_units(&self, order: &str, record: Record) -> Result<(Record, Vec<Allocation>), Error> {
        match record.state {
            State::Held => match self.held(order, &record) {
                Ok(units) => Ok((record, units)),
                Err(missing) => match self.record(order)? {
                    newer if newer.state == State::Held => Err(missing),
                    newer => self.with_units(order, newer),
                },
            },
            State::Committed | State::Shipped => Ok((record.clone(), record.sold)),
            State::Released | State::Expired | State::Returned => Ok((record, Vec::new())),
        }
    }

    fn record(&self, order: &str) -> Result<Record, Error> {
        self.records.get(order)?.ok_or_else(|| unknown(order))
    }
}

/// Refuses what can't be a change of stock, with all its faults.
fn check(change: &StockChange) -> Result<(), Error> {
    let StockChange {
        location,
        delta,
        reason,
    } = change;
    let mut faults = Violations::default();
    faults.expect(is_code(location), "/location", || {
        format!("expected {CODE}, found {location:?}")
    });
    let fits = *delta != 0 && delta.unsigned_abs() <= MOST;
    faults.expect(fits, "/delta", || {
        format!("expected a change of 1 to {MOST} units, more or less, found {delta}")
    });
    if let Some(reason) = reason {
        faults.expect_name(reason, 200, "/reason");
    }
    faults.check()
}

fn unknown(order: &str) -> Error {
    not_found!("order {order} has no reservation")
}

/// An empty shelf for a SKU that a product lists.
fn new_shelf(products: &Products, sku: &str) -> Result<Shelf, Error> {
    match products.find(&[sku.to_owned()])?.is_empty() {
        true => Err(not_found!("no product has SKU {sku:?}")),
        false => Ok(Shelf::default()),
    }
}

#[cfg(test)]
mod tests;
