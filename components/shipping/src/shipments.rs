//! Shipments: one key each.
//!
//! A shipment is written PENDING before the carrier is asked for its label, so that one
//! that a crash cut off goes on when its caller asks again; each step is a
//! compare-and-swap.

use stoa_sdk::{Bucket, Change, Error, Timestamp, Violations, conflict, not_found};

use crate::bindings::exports::shop::shipping::carriers::{
    Address, Shipment, ShipmentState as State,
};
use crate::state::{illegal, is_here, is_scanned};
use crate::{Carrier, Changes, Tariff};

/// Characters of an id, and of a line of an address, at most.
const LONGEST_ID: usize = 64;
const LONGEST_LINE: usize = 200;
const LONGEST_CODE: usize = 16;

/// What is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Where.
    pub to: Address,
    /// How.
    pub service: String,
    /// How many.
    pub units: u32,
}

/// The shipments of the shop.
pub struct Shipments<B, C> {
    shipments: Bucket<Shipment>,
    carrier: B,
    changes: C,
}

impl<B: Carrier, C: Changes> Shipments<B, C> {
    /// Shipments in this bucket, by a carrier.
    pub fn new(shipments: Bucket<Shipment>, carrier: B, changes: C) -> Self {
        Self {
            shipments,
            carrier,
            changes,
        }
    }

    /// Orders a shipment, and has its label made. The tariff is asked for a new one only:
    /// what was ordered is not refused because prices have changed since.
    pub fn create(
        &self,
        order: &str,
        wanted: &Wanted,
        tariff: &Tariff,
        now: Timestamp,
    ) -> Result<Shipment, Error> {
        let shipment = match self.shipments.get(order)? {
            Some(shipment) => shipment,
            None => {
                check(order, wanted, tariff)?;
                self.shipments.update_if(order, |shipment| {
                    Ok::<_, Error>(match shipment {
                        None => Change::Write(begun(order, wanted, now)),
                        Some(shipment) => Change::Leave(shipment),
                    })
                })?
            }
        };
        if shipment.state == State::Cancelled {
            return Err(illegal(order, State::Cancelled, State::Labelled));
        }
        if !is_of(&shipment, wanted) {
            return Err(conflict!("order {order} has another shipment"));
        }
        if shipment.state != State::Pending {
            return Ok(shipment);
        }
        let tracking = self.carrier.label(order)?;
        self.shipments.update_if(order, |shipment| {
            let shipment = shipment.ok_or_else(|| missing(order))?;
            match shipment.state {
                State::Cancelled => Err(illegal(order, State::Cancelled, State::Labelled)),
                State::Pending => Ok(Change::Write(Shipment {
                    tracking: Some(tracking.clone()),
                    ..to(shipment, State::Labelled, now)
                })),
                _ => Ok(Change::Leave(shipment)),
            }
        })
    }

    /// Where a shipment is.
    pub fn track(&self, order: &str) -> Result<Shipment, Error> {
        self.shipments.get(order)?.ok_or_else(|| missing(order))
    }

    /// Calls a shipment off that the carrier does not have yet.
    pub fn cancel(&self, order: &str, now: Timestamp) -> Result<Shipment, Error> {
        let mut faults = Violations::default();
        faults.expect_name(order, LONGEST_ID, "/order_id");
        faults.check()?;
        self.shipments.update_if(order, |shipment| {
            let shipment = shipment.unwrap_or_else(|| begun(order, &nothing(), now));
            match shipment.state {
                State::Cancelled => Ok(Change::Leave(shipment)),
                state if is_here(state) => Ok(Change::Write(to(shipment, State::Cancelled, now))),
                state => Err(illegal(order, state, State::Cancelled)),
            }
        })
    }

    /// Moves a shipment on that the carrier's people have seen. Who wants to know is told
    /// in the same step.
    pub fn scan(&self, order: &str, state: State, now: Timestamp) -> Result<Shipment, Error> {
        self.shipments.update_telling(order, |shipment| {
            let shipment = shipment.ok_or_else(|| missing(order))?;
            if shipment.state == state {
                return Ok(Change::Leave(shipment));
            }
            if !is_scanned(shipment.state, state) {
                return Err(illegal(order, shipment.state, state));
            }
            self.changes.changed(order)?;
            Ok(Change::Write(to(shipment, state, now)))
        })
    }
}

fn missing(order: &str) -> Error {
    not_found!("order {order:?} has no shipment")
}

/// A shipment that the carrier was not asked for yet.
fn begun(order: &str, wanted: &Wanted, now: Timestamp) -> Shipment {
    Shipment {
        id: order.to_owned(),
        state: State::Pending,
        service: wanted.service.clone(),
        to: wanted.to.clone(),
        units: wanted.units,
        tracking: None,
        created_at: now.to_string(),
        updated_at: now.to_string(),
        version: 1,
    }
}

/// What a shipment is of that was called off before it was known.
fn nothing() -> Wanted {
    let to = Address {
        name: String::new(),
        street: String::new(),
        city: String::new(),
        postal_code: String::new(),
        country: String::new(),
    };
    Wanted {
        to,
        service: String::new(),
        units: 0,
    }
}

/// The next version of a shipment, in this state.
fn to(shipment: Shipment, state: State, now: Timestamp) -> Shipment {
    Shipment {
        state,
        version: shipment.version + 1,
        updated_at: now.to_string(),
        ..shipment
    }
}

fn is_of(shipment: &Shipment, wanted: &Wanted) -> bool {
    let Wanted { to, service, units } = wanted;
    shipment.to == *to && shipment.service == *service && shipment.units == *units
}

/// Refuses what can't be sent, with all its faults.
fn check(order: &str, wanted: &Wanted, tariff: &Tariff) -> Result<(), Error> {
    let Wanted { to, service, units } = wanted;
    let mut faults = Violations::default();
    faults.expect_name(order, LONGEST_ID, "/order_id");
    for (line, place) in [
        (&to.name, "/to/name"),
        (&to.street, "/to/street"),
        (&to.city, "/to/city"),
    ] {
        faults.expect_name(line, LONGEST_LINE, place);
    }
    faults.expect_name(&to.postal_code, LONGEST_CODE, "/to/postal_code");
    tariff.check((&to.country, service, *units), &mut faults);
    faults.check()
}

#[cfg(test)]
mod tests;
