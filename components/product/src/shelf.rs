//! The stock of one SKU as it is kept in one key.
//!
//! Pure: every change is a method that keeps `reserved ≤ on_hand` at each
//! location. It knows open entries by order id, not how reservations end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_sdk::{Error, Timestamp, conflict};

use crate::bindings::exports::shop::product::inventory::{Level, Stock};

/// Units at one location at most: sums of many locations stay far from 64 bits.
pub(crate) const MOST: u64 = 1_000_000_000_000;

/// Stock of one SKU, and the reservations that are under way. Finished ones leave,
/// so that the key stays small however much is sold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shelf {
    version: u64,
    places: BTreeMap<String, Place>,
    /// By order id.
    open: BTreeMap<String, Open>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Place {
    on_hand: u64,
    reserved: u64,
}

/// Units of an order whose end is not settled here yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Open {
    purpose: Purpose,
    /// When a hold lapses.
    until: Timestamp,
    /// Quantity by location.
    pub(crate) units: BTreeMap<String, u32>,
}

/// Why an entry is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Purpose {
    /// Reserved, and neither committed nor given back.
    Hold,
    /// Sold before, and about to be given back.
    Return,
}

/// How an open entry ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its units stay reserved until they are shipped.
    Sold,
    /// Its units can be reserved by others.
    GivenBack,
}

impl Shelf {
    /// Units that can still be reserved, at all locations.
    pub(crate) fn available(&self) -> u64 {
        self.places.values().map(Place::available).sum()
    }

    /// The version that `If-Match` compares.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Changes what is on hand at a location.
    pub(crate) fn adjust(&mut self, sku: &str, location: &str, delta: i64) -> Result<(), Error> {
        let mut place = self.places.get(location).cloned().unwrap_or_default();
        let Place { on_hand, reserved } = place;
        let changed = on_hand.checked_add_signed(delta);
        place.on_hand = match changed {
            Some(units) if units > MOST => {
                return Err(conflict!(
                    "{sku} at {location} has {on_hand} on hand: changed by {delta} it would have \
                     more than {MOST}, which a location has at most"
                ));
            }
            Some(units) if units >= reserved => units,
            _ => {
                return Err(conflict!(
                    "{sku} at {location} has {on_hand} on hand, {reserved} of them reserved: \
                     it can't change by {delta}"
                ));
            }
        };
        self.places.insert(location.to_owned(), place);
        self.version += 1;
        Ok(())
    }

    /// Sets units aside for an order, or says `false` if there are too few.
    pub(crate) fn hold(&mut self, order: &str, quantity: u32, until: Timestamp) -> bool {
        if self.available() < u64::from(quantity) {
            return false;
        }
        let mut units = BTreeMap::new();
        let whole = self
            .places
            .iter()
            .find(|(_, place)| place.available() >= u64::from(quantity));
        if let Some((location, _)) = whole {
            units.insert(location.clone(), quantity);
        } else {
            let mut left = quantity;
            for (location, place) in &self.places {
                let taken = u32::try_from(place.available())
                    .unwrap_or(u32::MAX)
                    .min(left);
                left -= taken;
                if taken > 0 {
                    units.insert(location.clone(), taken);
                }
            }
        }
        for (location, quantity) in &units {
            self.places.entry(location.clone()).or_default().reserved += u64::from(*quantity);
        }
        self.open.insert(
            order.to_owned(),
            Open {
                purpose: Purpose::Hold,
                until,
                units,
            },
        );
        self.version += 1;
        true
    }

    /// The order's entry, if one is open.
    pub(crate) fn entry(&self, order: &str) -> Option<&Open> {
        self.open.get(order)
    }

    /// Whether units of the order are about to be given back.
    pub(crate) fn is_returning(&self, order: &str) -> bool {
        self.entry(order)
            .is_some_and(|entry| entry.purpose == Purpose::Return)
    }

    /// Opens an entry for units that were sold and are to be given back; `false` if
    /// that was done before.
    pub(crate) fn reopen(
        &mut self,
        order: &str,
        units: BTreeMap<String, u32>,
        now: Timestamp,
    ) -> bool {
        if self.is_returning(order) {
            return false;
        }
        self.open.insert(
            order.to_owned(),
            Open {
                purpose: Purpose::Return,
                until: now,
                units,
            },
        );
        self.version += 1;
        true
    }

    /// Closes the order's entry; `false` if there is nothing to close. Units that
    /// are about to be given back can't be sold.
    pub(crate) fn close(&mut self, order: &str, end: End) -> bool {
        let purpose = self.open.get(order).map(|entry| entry.purpose);
        if purpose.is_none() || (purpose, end) == (Some(Purpose::Return), End::Sold) {
            return false;
        }
        let entry = self.open.remove(order);
        for (location, quantity) in entry.map(|entry| entry.units).unwrap_or_default() {
            if end == End::GivenBack
                && let Some(place) = self.places.get_mut(&location)
            {
                let reserved = place.reserved.checked_sub(u64::from(quantity));
                place.reserved = reserved.expect("units of an open entry are reserved");
            }
        }
        self.version += 1;
        true
    }

    /// Orders whose entries should have been closed by now.
    pub(crate) fn lapsed(&self, now: Timestamp) -> Vec<String> {
        let due = self.open.iter().filter(|(_, entry)| entry.until <= now);
        due.map(|(order, _)| order.clone()).collect()
    }

    /// As the contract shows it.
    pub(crate) fn stock(&self, sku: &str) -> Stock {
        let level = |(location, place): (&String, &Place)| Level {
            location: location.clone(),
            on_hand: place.on_hand,
            reserved: place.reserved,
            available: place.available(),
        };
        Stock {
            sku: sku.to_owned(),
            on_hand: self.places.values().map(|place| place.on_hand).sum(),
            reserved: self.places.values().map(|place| place.reserved).sum(),
            available: self.available(),
            levels: self.places.iter().map(level).collect(),
            version: self.version,
        }
    }
}

impl Place {
    fn available(&self) -> u64 {
        self.on_hand - self.reserved
    }
}
