//! The other services in memory, and links to them that can break.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use stoa_sdk::{Error, Money, conflict, unavailable};

use crate::bindings::shop::payment::payments::{Payment, PaymentState};
use crate::bindings::shop::product::inventory::ReserveLine;
use crate::bindings::shop::product::products::Offer;
use crate::bindings::shop::shipping::carriers::{Address, Shipment, ShipmentState, ShippingQuote};
use crate::{Carrier, Later, Till, Warehouse};

/// One SKU, one till, one carrier.
#[derive(Default)]
pub(super) struct Fake(pub(super) Mutex<Shelf>);

#[derive(Default)]
pub(super) struct Shelf {
    pub(super) left: u32,
    pub(super) held: BTreeMap<String, u32>,
    pub(super) sold: BTreeMap<String, u32>,
    pub(super) gone: BTreeMap<String, u32>,
    pub(super) cancelled: BTreeSet<String>,
    /// Units that came back, by order and return.
    pub(super) back: BTreeMap<(String, String), u32>,
    /// Money set aside, by order.
    pub(super) authorized: BTreeMap<String, i64>,
    /// Money taken, by order.
    pub(super) captured: BTreeMap<String, i64>,
    pub(super) voided: BTreeSet<String>,
    /// Money given back, by order and refund.
    pub(super) refunded: BTreeMap<(String, String), i64>,
    /// Orders whose customers have confirmed their payments.
    pub(super) confirmed: BTreeSet<String>,
    pub(super) shipments: BTreeMap<String, ShipmentState>,
    /// Orders that the queue was told of.
    pub(super) told: Vec<String>,
    /// Calls so far.
    pub(super) calls: u32,
    /// Calls until one breaks: before or after its effect.
    pub(super) breaks: Option<(u32, When)>,
    /// From that call on all of them fail.
    pub(super) for_good: bool,
    /// Whether no call gets through.
    pub(super) down: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum When {
    Before,
    After,
}

impl Shelf {
    /// What the shop has earned, and what it has set aside.
    pub(super) fn money(&self) -> (i64, i64) {
        let back: i64 = self.refunded.values().sum();
        let captured: i64 = self.captured.values().sum();
        (captured - back, self.authorized.values().sum())
    }
}

impl Fake {
    fn call<T>(&self, effect: impl FnOnce(&mut Shelf) -> Result<T, Error>) -> Result<T, Error> {
        let mut shelf = self.0.lock().unwrap();
        shelf.calls += 1;
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

fn sum(lines: &[ReserveLine]) -> u32 {
    lines.iter().map(|line| line.quantity).sum()
}

impl Warehouse for &Fake {
    fn find(&self, skus: &[String]) -> Result<Vec<Offer>, Error> {
        self.call(|_| Ok(()))?;
        let price = |minor, currency: &str| Money {
            minor,
            currency: currency.into(),
        };
        let offer = |sku: &String| Offer {
            sku: sku.clone(),
            product_id: "p".into(),
            name: "Cup".into(),
            title: Some("white".into()),
            prices: vec![price(1290, "EUR"), price(1000, "CHF")],
        };
        Ok(skus
            .iter()
            .filter(|sku| *sku != "NONE")
            .map(offer)
            .collect())
    }

    fn reserve(
        &self,
        order: &str,
        lines: &[ReserveLine],
        locations: Option<&[String]>,
    ) -> Result<(), Error> {
        assert_eq!(locations, Some(&["berlin".to_owned()][..]));
        let wanted = sum(lines);
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

    fn ship(&self, order: &str) -> Result<(), Error> {
        self.call(|shelf| match shelf.sold.remove(order) {
            Some(units) => {
                shelf.gone.insert(order.into(), units);
                Ok(())
            }
            None if shelf.gone.contains_key(order) => Ok(()),
            None => Err(conflict!("it can't become SHIPPED")),
        })
    }

    fn take_back(&self, order: &str, id: &str, lines: &[ReserveLine]) -> Result<(), Error> {
        self.call(|shelf| {
            assert!(shelf.gone.contains_key(order), "only what was sent");
            let back = (order.to_owned(), id.to_owned());
            if shelf.back.insert(back, sum(lines)).is_none() {
                shelf.left += sum(lines);
            }
            Ok(())
        })
    }
}

fn payment(order: &str, state: PaymentState, amount: i64) -> Payment {
    let money = |minor| Money {
        minor,
        currency: "EUR".into(),
    };
    let asks = state == PaymentState::RequiresAction;
    Payment {
        id: order.into(),
        state,
        amount: money(amount),
        refunded: money(0),
        refunds: vec![],
        reason: (state == PaymentState::Failed).then(|| "the card was declined".into()),
        action_url: asks.then(|| "https://bank/confirm".into()),
        created_at: String::new(),
        updated_at: String::new(),
        version: 1,
    }
}

impl Till for &Fake {
    fn authorize(&self, order: &str, amount: &Money, token: &str) -> Result<Payment, Error> {
        self.call(|shelf| {
            if shelf.voided.contains(order) {
                return Ok(payment(order, PaymentState::Voided, amount.minor));
            }
            let state = match token {
                "tok_ok" => PaymentState::Authorized,
                "tok_declined" => PaymentState::Failed,
                "tok_requires_action" if shelf.confirmed.contains(order) => {
                    PaymentState::Authorized
                }
                "tok_requires_action" => PaymentState::RequiresAction,
                other => return Err(stoa_sdk::invalid!("/token", "there is no {other:?}")),
            };
            assert!(shelf.held.contains_key(order) || shelf.sold.contains_key(order));
            if state == PaymentState::Authorized && !shelf.captured.contains_key(order) {
                shelf.authorized.insert(order.into(), amount.minor);
            }
            Ok(payment(order, state, amount.minor))
        })
    }

    fn capture(&self, order: &str) -> Result<(), Error> {
        self.call(|shelf| match shelf.authorized.remove(order) {
            Some(amount) => {
                shelf.captured.insert(order.into(), amount);
                Ok(())
            }
            None if shelf.captured.contains_key(order) => Ok(()),
            None => Err(conflict!("nothing to take")),
        })
    }

    fn void(&self, order: &str, _: &str) -> Result<(), Error> {
        self.call(|shelf| {
            assert!(!shelf.captured.contains_key(order), "it was taken");
            shelf.authorized.remove(order);
            shelf.voided.insert(order.into());
            Ok(())
        })
    }

    fn refund(&self, order: &str, id: &str, amount: &Money) -> Result<(), Error> {
        self.call(|shelf| {
            let key = (order.to_owned(), id.to_owned());
            shelf.refunded.insert(key, amount.minor);
            let back: i64 = shelf.refunded.values().sum();
            assert!(back <= shelf.captured.values().sum());
            Ok(())
        })
    }
}

impl Carrier for &Fake {
    fn quote(&self, country: &str, currency: &str, _: u32) -> Result<Vec<ShippingQuote>, Error> {
        assert_eq!(country, "DE");
        let quote = |service: &str, minor, days| ShippingQuote {
            service: service.into(),
            price: Money {
                minor,
                currency: currency.into(),
            },
            days,
        };
        self.call(|_| Ok(vec![quote("standard", 490, 3), quote("express", 1290, 1)]))
    }

    fn send(
        &self,
        order: &str,
        to: &Address,
        service: &str,
        units: u32,
    ) -> Result<Shipment, Error> {
        self.call(|shelf| {
            let state = shelf.shipments.entry(order.into());
            Ok(shipment(
                order,
                *state.or_insert(ShipmentState::Labelled),
                to,
                (service, units),
            ))
        })
    }

    fn track(&self, order: &str) -> Result<Shipment, Error> {
        self.call(|shelf| {
            let state = shelf.shipments.get(order).copied();
            let state = state.ok_or_else(|| stoa_sdk::not_found!("no shipment"))?;
            Ok(shipment(order, state, &super::address(), ("standard", 1)))
        })
    }
}

fn shipment(
    order: &str,
    state: ShipmentState,
    to: &Address,
    (service, units): (&str, u32),
) -> Shipment {
    Shipment {
        id: order.into(),
        state,
        service: service.into(),
        to: to.clone(),
        units,
        tracking: Some("T1".into()),
        created_at: String::new(),
        updated_at: String::new(),
        version: 1,
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
