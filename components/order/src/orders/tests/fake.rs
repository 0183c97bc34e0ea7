//! A warehouse in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use stoa_sdk::{Error, Money, conflict, unavailable};

use crate::bindings::shop::product::inventory::ReserveLine;
use crate::bindings::shop::product::products::Offer;
use crate::{Later, Warehouse};

/// One SKU, and a link that can break.
#[derive(Default)]
pub(super) struct Fake(pub(super) Mutex<Shelf>);

#[derive(Default)]
pub(super) struct Shelf {
    pub(super) left: u32,
    pub(super) held: BTreeMap<String, u32>,
    pub(super) sold: BTreeMap<String, u32>,
    pub(super) cancelled: BTreeSet<String>,
    /// Orders that the queue was told of.
    pub(super) told: Vec<String>,
    /// Calls until one breaks: before or after its effect.
    pub(super) breaks: Option<(u32, When)>,
    /// From that call on all of them fail.
    pub(super) for_good: bool,
    /// Whether no call gets through.
    pub(super) down: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum When {
    Before,
    After,
}

impl Fake {
    fn call(&self, effect: impl FnOnce(&mut Shelf) -> Result<(), Error>) -> Result<(), Error> {
        let mut shelf = self.0.lock().unwrap();
        let due = shelf.breaks.as_mut().and_then(|(calls, when)| {
            *calls = calls.checked_sub(1)?;
            (*calls == 0).then_some(*when)
        });
        let lost = || unavailable!("the link is broken");
        let was_down = shelf.down;
        shelf.down |= due.is_some() && shelf.for_good;
        if was_down || due == Some(When::Before) {
            return Err(lost());
        }
        let done = effect(&mut shelf);
        if due == Some(When::After) {
            Err(lost())
        } else {
            done
        }
    }
}

impl Warehouse for &Fake {
    fn find(&self, skus: &[String]) -> Result<Vec<Offer>, Error> {
        self.call(|_| Ok(()))?;
        let offer = |sku: &String| Offer {
            sku: sku.clone(),
            product_id: "p".into(),
            name: "Cup".into(),
            title: Some("white".into()),
            prices: vec![Money {
                minor: 1290,
                currency: "EUR".into(),
            }],
        };
        Ok(skus
            .iter()
            .filter(|sku| *sku != "NONE")
            .map(offer)
            .collect())
    }

    fn reserve(&self, order: &str, lines: &[ReserveLine]) -> Result<(), Error> {
        let wanted = lines.iter().map(|line| line.quantity).sum::<u32>();
        self.call(|shelf| {
            if shelf.held.contains_key(order) || shelf.sold.contains_key(order) {
                return Ok(());
            }
            let enough = shelf.left >= wanted && !shelf.cancelled.contains(order);
            if !enough {
                return Err(conflict!("A: wanted {wanted}, available {}", shelf.left));
            }
            shelf.left -= wanted;
            shelf.held.insert(order.into(), wanted);
            Ok(())
        })
    }

    fn commit(&self, order: &str) -> Result<(), Error> {
        self.call(|shelf| match shelf.held.remove(order) {
            Some(units) => {
                shelf.sold.insert(order.into(), units);
                Ok(())
            }
            None if shelf.sold.contains_key(order) => Ok(()),
            None => Err(conflict!("EXPIRED can't become COMMITTED")),
        })
    }

    fn cancel(&self, order: &str) -> Result<(), Error> {
        self.call(|shelf| {
            let units = shelf
                .held
                .remove(order)
                .or_else(|| shelf.sold.remove(order));
            shelf.left += units.unwrap_or(0);
            shelf.cancelled.insert(order.into());
            Ok(())
        })
    }
}

impl Later for &Fake {
    fn advance_later(&self, order: &str) -> Result<(), Error> {
        self.0.lock().unwrap().told.push(order.to_owned());
        Ok(())
    }
}

pub(super) fn stocked(left: u32) -> Fake {
    Fake(Mutex::new(Shelf {
        left,
        ..Shelf::default()
    }))
}
