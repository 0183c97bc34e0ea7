//! The stock of one SKU as it is kept in one key.
//!
//! Pure: every change is a method that keeps `reserved ≤ on_hand` at each
//! location. It knows open entries by order id, not how reservations end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_sdk::{Error, Timestamp, conflict};

use crate::bindings::exports::shop::product::inventory::{Level, Stock};
use crate::reservation::Record;

/// Units at one location at most: sums of many locations stay far from 64 bits.
pub(crate) const MOST: u64 = 1_000_000_000_000;

/// Stock of one SKU, and the reservations that are under way. Finished ones leave,
/// so that the key stays small however much is sold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Shelf {
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
    /// Sold before, and about to leave.
    Ship,
    /// Shipped before, and on the shelf again: a note that says so while the record does not.
    Back,
}

/// What is about to become of units that were sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// They are given back.
    Back,
    /// They go to the customer.
    Out,
}

/// How an open entry ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its units stay reserved until they are shipped.
    Sold,
    /// Its units can be reserved by others.
    GivenBack,
    /// Its units are gone.
    Shipped,
}

impl Shelf {
    /// Units that can still be reserved, at all locations.
    pub(crate) fn available(&self) -> u64 {
        self.available_at(None)
    }

    /// The same, at some locations only.
    pub(crate) fn available_at(&self, locations: Option<&[String]>) -> u64 {
        self.at(locations).map(|(_, place)| place.available()).sum()
    }

    /// The places of some locations, or all.
    fn at<'s>(
        &'s self,
        locations: Option<&[String]>,
    ) -> impl Iterator<Item = (&'s String, &'s Place)> {
        let asked = move |location| locations.is_none_or(|named| named.contains(location));
        self.places
            .iter()
            .filter(move |(location, _)| asked(location))
    }

    /// Units that can still be reserved, by location; not those that have none.
    pub(crate) fn orderable(&self) -> BTreeMap<String, u64> {
        let some = self
            .places
            .iter()
            .filter(|(_, place)| place.available() > 0);
        some.map(|(location, place)| (location.clone(), place.available()))
            .collect()
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

    /// Sets units aside for an order that its `record` wants of this SKU, or says `false`
    /// if there are too few.
    pub(crate) fn hold(&mut self, order: &str, quantity: u32, record: &Record) -> bool {
        let locations = record.locations.as_deref();
        if self.available_at(locations) < u64::from(quantity) {
            return false;
        }
        let until = record.expires_at;
        let mut units = BTreeMap::new();
        let whole = self
            .at(locations)
            .find(|(_, place)| place.available() >= u64::from(quantity));
        if let Some((location, _)) = whole {
            units.insert(location.clone(), quantity);
        } else {
            let mut left = quantity;
            for (location, place) in self.at(locations) {
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
        self.open(order, Purpose::Hold, units, until);
        self.version += 1;
        true
    }

    /// The order's entry, if one is open.
    pub(crate) fn entry(&self, order: &str) -> Option<&Open> {
        self.open.get(order)
    }

    /// What is about to become of units that were sold to the order.
    pub(crate) fn leaving(&self, order: &str) -> Option<Leaving> {
        match self.entry(order)?.purpose {
            Purpose::Return => Some(Leaving::Back),
            Purpose::Ship => Some(Leaving::Out),
            Purpose::Hold | Purpose::Back => None,
        }
    }

    /// Whether an entry is a note of units that came back.
    pub(crate) fn is_note(&self, of: &str) -> bool {
        (self.entry(of)).is_some_and(|entry| entry.purpose == Purpose::Back)
    }

    /// Opens an entry for units that were sold and are to go; `false` if that was done
    /// before. The order's record says in the end where they went.
    pub(crate) fn reopen(
        &mut self,
        order: &str,
        units: BTreeMap<String, u32>,
        leaving: Leaving,
        now: Timestamp,
    ) -> bool {
        if self.leaving(order).is_some() {
            return false;
        }
        let purpose = match leaving {
            Leaving::Back => Purpose::Return,
            Leaving::Out => Purpose::Ship,
        };
        self.open(order, purpose, units, now);
        self.version += 1;
        true
    }

    /// Puts units back that were shipped, with a note that it is done; `false` if there is
    /// one.
    pub(crate) fn take_back(
        &mut self,
        note: &str,
        units: BTreeMap<String, u32>,
        now: Timestamp,
    ) -> bool {
        if self.open.contains_key(note) {
            return false;
        }
        for (location, quantity) in &units {
            self.places.entry(location.clone()).or_default().on_hand += u64::from(*quantity);
        }
        self.open(note, Purpose::Back, units, now);
        self.version += 1;
        true
    }

    /// Forgets the note of units that came back; `false` if there is none. The stock stays
    /// as it is.
    pub(crate) fn forget(&mut self, note: &str) -> bool {
        self.open.remove(note).is_some()
    }

    /// Closes the order's entry; `false` if there is nothing to close. Units that
    /// are about to go can't be sold.
    pub(crate) fn close(&mut self, order: &str, end: End) -> bool {
        let Some(entry) = self.open.get(order) else {
            return false;
        };
        if entry.purpose != Purpose::Hold && end == End::Sold {
            return false;
        }
        let entry = self.open.remove(order);
        for (location, quantity) in entry.map(|entry| entry.units).unwrap_or_default() {
            let Some(place) = self.places.get_mut(&location) else {
                continue;
            };
            let less = |units: u64| {
                let less = units.checked_sub(u64::from(quantity));
                less.expect("units of an open entry are reserved, and on hand")
            };
            if end != End::Sold {
                place.reserved = less(place.reserved);
            }
            if end == End::Shipped {
                place.on_hand = less(place.on_hand);
            }
        }
        self.version += 1;
        true
    }

    fn open(
        &mut self,
        order: &str,
        purpose: Purpose,
        units: BTreeMap<String, u32>,
        until: Timestamp,
    ) {
        let entry = Open {
            purpose,
            until,
            units,
        };
        self.open.insert(order.to_owned(), entry);
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
