//! A reservation as it is kept: one key for each order, whose state decides.
//!
//! A state changes here first, by compare-and-swap; the shelves follow. So two
//! calls that want different ends of one reservation can't both have theirs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_sdk::{Bucket, Change, Error, Timestamp, Violations, conflict, not_found};

use crate::bindings::exports::shop::product::inventory::{
    Allocation, Reservation, ReservationState as State, ReserveLine,
};
use crate::input::{CODE, is_code};
use crate::shelf::End;

/// What an order wants, and where that stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub(crate) state: State,
    pub(crate) version: u64,
    /// Quantity by SKU.
    pub(crate) wanted: BTreeMap<String, u32>,
    /// The locations that it may have its units at; all if none are named.
    #[serde(default)]
    pub(crate) locations: Option<Vec<String>>,
    /// Where a committed reservation has its units, and a shipped one had them.
    pub(crate) sold: Vec<Allocation>,
    pub(crate) expires_at: Timestamp,
    /// Why it was released, when that was for want of stock.
    pub(crate) refusal: Option<String>,
    /// What came back of a shipped one, by the return's id.
    #[serde(default)]
    pub(crate) back: BTreeMap<String, Back>,
}

/// Shipped units that come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Back {
    /// To where.
    pub(crate) units: Vec<Allocation>,
    /// Whether they are all on the shelves.
    pub(crate) done: bool,
}

impl Back {
    pub(crate) fn on_its_way(units: Vec<Allocation>) -> Self {
        Self { units, done: false }
    }

    /// Quantity by SKU.
    pub(crate) fn wanted(&self) -> BTreeMap<String, u32> {
        let mut wanted = BTreeMap::new();
        for unit in &self.units {
            *wanted.entry(unit.sku.clone()).or_default() += unit.quantity;
        }
        wanted
    }
}

impl Record {
    /// A reservation whose units are not on the shelves yet.
    pub(crate) fn held(wanted: BTreeMap<String, u32>, expires_at: Timestamp) -> Self {
        Self {
            state: State::Held,
            version: 1,
            wanted,
            locations: None,
            sold: Vec::new(),
            expires_at,
            refusal: None,
            back: BTreeMap::new(),
        }
    }

    /// What stands for an order that was cancelled before it reserved anything.
    pub(crate) fn never(now: Timestamp) -> Self {
        Self {
            state: State::Released,
            ..Self::held(BTreeMap::new(), now)
        }
    }

    /// The record in another state.
    pub(crate) fn to(self, state: State) -> Self {
        Self {
            state,
            version: self.version + 1,
            ..self
        }
    }

    /// How the shelves follow; `None` while units are held.
    pub(crate) fn end(&self) -> Option<End> {
        match self.state {
            State::Held => None,
            State::Committed => Some(End::Sold),
            State::Shipped => Some(End::Shipped),
            State::Released | State::Expired | State::Returned => Some(End::GivenBack),
        }
    }

    /// Whether it is held past its time.
    pub(crate) fn has_lapsed(&self, now: Timestamp) -> bool {
        self.state == State::Held && self.expires_at <= now
    }

    /// How the shelves are to follow, now that a hold may have lapsed.
    pub(crate) fn due(&self, now: Timestamp) -> Option<End> {
        self.has_lapsed(now)
            .then_some(End::GivenBack)
            .or_else(|| self.end())
    }

    /// A return that is written down.
    pub(crate) fn returned(&self, order: &str, id: &str) -> Result<&Back, Error> {
        let back = self.back.get(id);
        back.ok_or_else(|| not_found!("order {order} has no return {id}"))
    }

    /// The same, to be changed.
    pub(crate) fn returned_mut(&mut self, order: &str, id: &str) -> Result<&mut Back, Error> {
        let back = self.back.get_mut(id);
        back.ok_or_else(|| not_found!("order {order} has no return {id}"))
    }

    /// Where so many shipped units came from; conflict when fewer are out.
    pub(crate) fn still_out(
        &self,
        order: &str,
        wanted: &BTreeMap<String, u32>,
    ) -> Result<Vec<Allocation>, Error> {
        let mut out = by_sku(&self.sold);
        for unit in self.back.values().flat_map(|back| &back.units) {
            let place = out
                .get_mut(&unit.sku)
                .and_then(|at| at.get_mut(&unit.location));
            if let Some(left) = place {
                *left = left.saturating_sub(unit.quantity);
            }
        }
        let mut units = Vec::new();
        for (sku, quantity) in wanted {
            let (mut left, places) = (*quantity, out.remove(sku).unwrap_or_default());
            let sent: u32 = places.values().sum();
            if sent < left {
                return Err(conflict!(
                    "{sku}: {left} are to come back, and order {order} has {sent} of them"
                ));
            }
            for (location, there) in places {
                let quantity = there.min(left);
                left -= quantity;
                if quantity > 0 {
                    let sku = sku.clone();
                    units.push(Allocation {
                        sku,
                        location,
                        quantity,
                    });
                }
            }
        }
        Ok(units)
    }

    /// As the contract writes its state.
    pub(crate) fn state_name(&self) -> &'static str {
        name(self.state)
    }

    /// As the contract shows it.
    pub(crate) fn view(&self, order: &str, allocations: Vec<Allocation>) -> Reservation {
        Reservation {
            order_id: order.to_owned(),
            state: self.state,
            allocations,
            expires_at: self.expires_at.to_string(),
            version: self.version,
        }
    }
}

/// A step of a reservation.
#[derive(Clone, Copy)]
pub(crate) struct Transition {
    pub(crate) from: State,
    pub(crate) to: State,
}

/// Steps an existing reservation to `to`, from `from` only. Leaves one that is
/// there already. Another state is a conflict that names both.
pub(crate) fn step(
    records: &Bucket<Record>,
    order: &str,
    Transition { from, to }: Transition,
    change: impl Fn(&mut Record),
) -> Result<Record, Error> {
    records.update_if(order, |record| match record {
        None => Err(not_found!("order {order} has no reservation")),
        Some(record) if record.state == to => Ok(Change::Leave(record)),
        Some(record) if record.state == from => {
            let mut record = record.to(to);
            change(&mut record);
            Ok(Change::Write(record))
        }
        Some(record) => Err(illegal(order, record.state, to)),
    })
}

/// The conflict of a step that the state machine does not have.
pub(crate) fn illegal(order: &str, from: State, to: State) -> Error {
    conflict!(
        "the reservation of order {order} is {}: it can't become {}",
        name(from),
        name(to)
    )
}

fn name(state: State) -> &'static str {
    match state {
        State::Held => "HELD",
        State::Committed => "COMMITTED",
        State::Shipped => "SHIPPED",
        State::Released => "RELEASED",
        State::Expired => "EXPIRED",
        State::Returned => "RETURNED",
    }
}

/// Quantities by SKU, so in sorted order: two orders never wait for each other.
pub(crate) fn sum(order: &str, lines: &[ReserveLine]) -> Result<BTreeMap<String, u32>, Error> {
    let mut faults = Violations::default();
    faults.expect(is_code(order), "/order_id", || {
        format!("expected an order's id, found {order:?}")
    });
    faults.expect(!lines.is_empty(), "/lines", || {
        "expected at least one line, found none".into()
    });
    let mut wanted = BTreeMap::<String, u32>::new();
    for (at, ReserveLine { sku, quantity }) in lines.iter().enumerate() {
        faults.expect(is_code(sku), format!("/lines/{at}/sku"), || {
            format!("expected a SKU of {CODE}, found {sku:?}")
        });
        let sum = wanted.entry(sku.clone()).or_default();
        let total = sum.checked_add(*quantity).filter(|_| *quantity > 0);
        faults.expect(
            total.is_some(),
            format!("/lines/{at}/quantity"),
            || match quantity {
                0 => "expected 1 or more, found 0".to_owned(),
                _ => format!("expected a sum of all lines of {sku} below 2^32, found more"),
            },
        );
        *sum = total.unwrap_or(*sum);
    }
    faults.check()?;
    Ok(wanted)
}

/// Quantities by location, by SKU.
pub(crate) fn by_sku(allocations: &[Allocation]) -> BTreeMap<String, BTreeMap<String, u32>> {
    let mut all = BTreeMap::<_, BTreeMap<_, _>>::new();
    for Allocation {
        sku,
        location,
        quantity,
    } in allocations
    {
        all.entry(sku.clone())
            .or_default()
            .insert(location.clone(), *quantity);
    }
    all
}
