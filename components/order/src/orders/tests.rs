use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use stoa_sdk::{Money, unavailable};

use super::*;
use crate::bindings::shop::product::products::Offer;
use crate::contract::NewLine;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// One SKU, and a link that can break.
#[derive(Default)]
struct Fake(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    left: u32,
    held: BTreeMap<String, u32>,
    sold: BTreeMap<String, u32>,
    cancelled: BTreeSet<String>,
    /// Calls until one breaks: before or after its effect.
    breaks: Option<(u32, When)>,
}

#[derive(Clone, Copy, PartialEq)]
enum When {
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
        if due == Some(When::Before) {
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

fn stocked(left: u32) -> Fake {
    Fake(Mutex::new(Shelf {
        left,
        ..Shelf::default()
    }))
}

fn orders(fake: &Fake) -> Orders<&Fake> {
    Orders::new(Bucket::in_memory(), Bucket::in_memory(), fake)
}

fn wants(lines: &[(&str, u32)]) -> NewOrder {
    let line = |(sku, quantity): &(&str, u32)| NewLine {
        sku: (*sku).into(),
        quantity: *quantity,
    };
    NewOrder {
        currency: "EUR".into(),
        lines: lines.iter().map(line).collect(),
    }
}

fn nobody() -> Caller {
    Caller::default()
}

fn ann() -> Caller {
    named("ann", &[])
}

fn named(subject: &str, scopes: &[&str]) -> Caller {
    let scopes = scopes.iter().map(ToString::to_string).collect();
    Caller {
        subject: Some(subject.into()),
        scopes,
    }
}

#[test]
fn placed_order_is_confirmed_at_the_prices_of_the_moment() {
    let fake = stocked(10);
    let shop = orders(&fake);
    let order = shop
        .place(&wants(&[("B", 1), ("A", 2), ("B", 3)]), &ann(), None, NOW)
        .unwrap();
    assert_eq!((order.state, order.version), (State::Confirmed, 3));
    let lines: Vec<_> = order
        .lines
        .iter()
        .map(|line| (line.sku.as_str(), line.quantity))
        .collect();
    assert_eq!(lines, [("A", 2), ("B", 4)]);
    assert_eq!(
        order.total,
        Money {
            minor: 6 * 1290,
            currency: "EUR".into()
        }
    );
    assert_eq!(order.lines[0].name, "Cup, white");
    assert_eq!(shop.get(&order.id, &ann()).unwrap(), order);
    assert_eq!(fake.0.lock().unwrap().left, 4);
}

#[test]
fn refused_order_is_kept_as_cancelled_with_the_reason() {
    let fake = stocked(1);
    let shop = orders(&fake);
    let place = || shop.place(&wants(&[("A", 2)]), &ann(), Some("k"), NOW);
    let Err(Error::Conflict(text)) = place() else {
        panic!("expected a conflict")
    };
    assert!(text.contains("A: wanted 2, available 1"), "{text}");
    fake.0.lock().unwrap().left = 5;
    assert!(matches!(place(), Err(Error::Conflict(again)) if again == text));
    let all = shop.list(None, None, &ann()).unwrap().items;
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].state, all[0].reason.as_deref()),
        (State::Cancelled, Some("A: wanted 2, available 1"))
    );
}

#[test]
fn key_places_one_order() {
    let fake = stocked(10);
    let shop = orders(&fake);
    let place = |lines, key| shop.place(&wants(lines), &ann(), key, NOW);
    let first = place(&[("A", 1)], Some("k")).unwrap();
    assert_eq!(place(&[("A", 1)], Some("k")).unwrap(), first);
    assert!(matches!(
        place(&[("A", 2)], Some("k")),
        Err(Error::Invalid(_))
    ));
    assert_ne!(place(&[("A", 1)], None).unwrap().id, first.id);
    assert_eq!(fake.0.lock().unwrap().left, 8);
}

#[test]
fn broken_link_is_continued_by_a_repeat() {
    for broken in 1..=3 {
        for when in [When::Before, When::After] {
            let fake = stocked(5);
            let shop = orders(&fake);
            fake.0.lock().unwrap().breaks = Some((broken, when));
            let place = || shop.place(&wants(&[("A", 2)]), &ann(), Some("k"), NOW);
            assert!(
                matches!(place(), Err(Error::Unavailable(_))),
                "call {broken}"
            );
            let order = place().unwrap();
            assert_eq!(order.state, State::Confirmed);
            let shelf = fake.0.lock().unwrap();
            assert_eq!(
                (shelf.left, shelf.sold.get(&order.id)),
                (3, Some(&2)),
                "call {broken}"
            );
        }
    }
}

#[test]
fn cancel_gives_the_stock_back_and_can_be_repeated() {
    let fake = stocked(5);
    let shop = orders(&fake);
    let order = shop.place(&wants(&[("A", 2)]), &ann(), None, NOW).unwrap();
    let cancel = |if_match| shop.cancel(&order.id, &ann(), if_match, NOW);
    assert!(matches!(
        cancel(Some("1")),
        Err(Error::PreconditionFailed(_))
    ));
    // The link breaks after the order is cancelled: a repeat ends it.
    fake.0.lock().unwrap().breaks = Some((1, When::Before));
    assert!(matches!(cancel(Some("3")), Err(Error::Unavailable(_))));
    assert_eq!(fake.0.lock().unwrap().left, 3);
    let cancelled = cancel(None).unwrap();
    assert_eq!(
        (cancelled.state, fake.0.lock().unwrap().left),
        (State::Cancelled, 5)
    );
    assert_eq!(cancel(None).unwrap(), cancelled);
    assert_eq!(fake.0.lock().unwrap().left, 5);
}

#[test]
fn cancel_and_place_of_one_order_never_leave_stock_behind() {
    for _ in 0..100 {
        let fake = stocked(5);
        let shop = orders(&fake);
        let id = keys::order_id(&shop.keys, "ann", Some("k"), NOW).unwrap();
        std::thread::scope(|threads| {
            let place = || {
                shop.place(&wants(&[("A", 2)]), &ann(), Some("k"), NOW)
                    .map(drop)
            };
            threads.spawn(place);
            threads.spawn(place);
            threads.spawn(|| shop.cancel(&id, &ann(), None, NOW).map(drop));
        });
        let shelf = fake.0.lock().unwrap();
        match shop.get(&id, &ann()).unwrap().state {
            State::Confirmed => assert_eq!((shelf.left, shelf.sold.len()), (3, 1)),
            State::Cancelled => assert_eq!((shelf.left, shelf.sold.len()), (5, 0)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn customers_see_their_own_orders() {
    let fake = stocked(10);
    let shop = orders(&fake);
    let (ann, bob) = (ann(), named("bob", &[]));
    let order = shop.place(&wants(&[("A", 1)]), &ann, None, NOW).unwrap();
    assert_eq!(order.customer.as_deref(), Some("ann"));
    for other in [&bob, &nobody()] {
        assert!(matches!(
            shop.get(&order.id, other),
            Err(Error::NotFound(_))
        ));
        assert!(matches!(
            shop.cancel(&order.id, other, None, NOW),
            Err(Error::NotFound(_))
        ));
        assert!(shop.list(None, None, other).unwrap().items.is_empty());
    }
    let staff = named("eve", &[READ_ALL]);
    assert_eq!(shop.list(None, None, &staff).unwrap().items.len(), 1);
    assert!(shop.cancel(&order.id, &staff, None, NOW).is_err());
    assert!(
        shop.cancel(&order.id, &named("eve", &[WRITE_ALL]), None, NOW)
            .is_ok()
    );
}

#[test]
fn nobody_places_no_order_and_owns_none() {
    let fake = stocked(10);
    let shop = orders(&fake);
    let placed = shop.place(&wants(&[("A", 1)]), &nobody(), None, NOW);
    assert!(matches!(placed, Err(Error::Unauthorized(_))));
    let order = shop.place(&wants(&[("A", 1)]), &ann(), None, NOW).unwrap();
    let ownerless = Order {
        customer: None,
        ..order.clone()
    };
    assert!(!may(&nobody(), &ownerless, READ_ALL));
    assert!(may(&named("eve", &[READ_ALL]), &ownerless, READ_ALL));
}

#[test]
fn bad_orders_are_refused_before_anything_is_written() {
    let fake = stocked(10);
    let shop = orders(&fake);
    let pointers = |input: &NewOrder| match shop.place(input, &ann(), None, NOW) {
        Err(Error::Invalid(found)) => found
            .into_iter()
            .map(|violation| violation.pointer)
            .collect::<Vec<_>>(),
        other => panic!("expected invalid, found {other:?}"),
    };
    let dollars = NewOrder {
        currency: "USD".into(),
        ..wants(&[("A", 1)])
    };
    assert_eq!(pointers(&dollars), ["/lines/0/sku"]);
    assert_eq!(
        pointers(&NewOrder {
            currency: "usd".into(),
            lines: vec![]
        }),
        ["/currency", "/lines"]
    );
    assert_eq!(
        pointers(&wants(&[("A", 0), ("B", 10_001), ("C", 1)])),
        ["/lines/0/quantity", "/lines/1/quantity"]
    );
    assert_eq!(pointers(&wants(&[("A", 1), ("NONE", 1)])), ["/lines/1/sku"]);
    assert!(shop.list(None, None, &ann()).unwrap().items.is_empty());
}
