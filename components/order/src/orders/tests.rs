mod disk;
mod endings;
mod fake;
mod fulfilment;
mod payment;
mod terms;

use std::sync::atomic::Ordering;

use super::*;
use crate::bindings::shop::shipping::carriers::Address;
use crate::contract::NewLine;
use disk::Disk;
use fake::{Fake, stocked};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn orders(fake: &Fake) -> Orders<&Fake> {
    Disk::new().orders(fake)
}

fn wants(lines: &[(&str, u32)]) -> NewOrder {
    let line = |(sku, quantity): &(&str, u32)| NewLine {
        sku: (*sku).into(),
        quantity: *quantity,
    };
    NewOrder {
        currency: "EUR".into(),
        region: None,
        lines: lines.iter().map(line).collect(),
        discount: None,
        address: None,
        shipping: None,
        payment: None,
    }
}

fn address() -> Address {
    Address {
        name: "Ann".into(),
        street: "Main Street 1".into(),
        city: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
    }
}

/// What the operator of the shop has set.
fn settings() -> Vec<(String, String)> {
    let region = r#"{"currency": "EUR", "countries": ["DE"], "tax_inclusive": true, "tax_bp": 1900, "locations": ["berlin"]}"#;
    let outside = r#"{"currency": "CHF", "countries": ["DE"], "tax_inclusive": false, "tax_bp": 810, "locations": ["berlin"]}"#;
    let ten = r#"{"off": {"percent_bp": 1000}, "limit": 1}"#;
    let free = r#"{"off": {"percent_bp": 10000}}"#;
    [
        ("region.eu", region),
        ("region.ch", outside),
        ("payment_token", "tok_ok"),
        ("discount.TEN", ten),
        ("discount.FREE", free),
    ]
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .to_vec()
}

/// All orders that somebody sees, as far as a filter takes them.
fn listed(shop: &Orders<&Fake>, caller: &Caller, filter: &Filter) -> Vec<Order> {
    let part = Part {
        limit: Some(100),
        cursor: None,
    };
    shop.list(part, filter, caller, NOW).unwrap().items
}

fn all(shop: &Orders<&Fake>, caller: &Caller) -> Vec<Order> {
    listed(shop, caller, &Filter::default())
}

fn in_state(state: State) -> Filter {
    Filter {
        state: Some(state),
        ..Filter::default()
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
    assert_eq!((order.state, order.version), (State::Confirmed, 2));
    let lines: Vec<_> = order
        .lines
        .iter()
        .map(|line| (line.sku.as_str(), line.quantity))
        .collect();
    assert_eq!(lines, [("A", 2), ("B", 4)]);
    assert_eq!(
        order.total,
        stoa_sdk::Money {
            minor: 6 * 1290,
            currency: "EUR".into()
        }
    );
    assert_eq!(order.lines[0].name, "Cup, white");
    assert_eq!(shop.get(&order.id, &ann(), NOW).unwrap(), order);
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
    assert_eq!(
        all(&shop, &ann()),
        [],
        "it does not fill the customer's list"
    );
    let all = listed(&shop, &ann(), &in_state(State::Cancelled));
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
fn placing_takes_four_writes_and_one_for_a_key() {
    let (fake, disk) = (stocked(5), Disk::new());
    let shop = disk.orders(&fake);
    for (key, writes) in [(None, 4), (Some("k"), 5)] {
        disk.watch.writes.store(0, Ordering::SeqCst);
        shop.place(&wants(&[("A", 1)]), &ann(), key, NOW).unwrap();
        assert_eq!(disk.watch.writes.load(Ordering::SeqCst), writes);
    }
}

#[test]
fn a_customers_list_costs_its_page_however_many_orders_there_are() {
    let (fake, disk) = (stocked(100_000), Disk::new());
    let shop = disk.orders(&fake);
    let watch = &disk.watch;
    let buy = |customer: &str| {
        let placed = shop.place(&wants(&[("A", 1)]), &named(customer, &[]), None, NOW);
        placed.unwrap();
    };
    (0..3).for_each(|_| buy("ann"));
    for others in [10, 2_000] {
        (0..others).for_each(|_| buy("bob"));
        for count in [&watch.keys, &watch.values] {
            count.store(0, Ordering::SeqCst);
        }
        assert_eq!(all(&shop, &ann()).len(), 3);
        let cost = [&watch.keys, &watch.values].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(cost, [3, 3], "among {others} others");
    }
}

#[test]
fn cancel_gives_the_stock_back_and_can_be_repeated() {
    let fake = stocked(5);
    let shop = orders(&fake);
    let order = shop.place(&wants(&[("A", 2)]), &ann(), None, NOW).unwrap();
    let cancel = |conditions| shop.cancel(&order.id, &ann(), conditions, NOW);
    assert!(matches!(
        cancel(Some(Conditions::Version(1))),
        Err(Error::PreconditionFailed(_))
    ));
    // The link breaks after the order is cancelled: a repeat gives the stock back.
    fake.0.lock().unwrap().breaks = Some((1, fake::When::Before));
    let cancelled = cancel(Some(Conditions::Version(2))).unwrap();
    assert_eq!(fake.0.lock().unwrap().left, 3);
    assert_eq!(cancel(None).unwrap(), cancelled);
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
        match shop.get(&id, &ann(), NOW).unwrap().state {
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
            shop.get(&order.id, other, NOW),
            Err(Error::NotFound(_))
        ));
        assert!(matches!(
            shop.cancel(&order.id, other, None, NOW),
            Err(Error::NotFound(_))
        ));
        assert!(all(&shop, other).is_empty());
    }
    let staff = named("eve", &[READ_ALL]);
    assert_eq!(all(&shop, &staff).len(), 1);
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
    assert_eq!(pointers(&dollars), ["/currency"]);
    assert_eq!(
        pointers(&NewOrder {
            currency: "usd".into(),
            ..wants(&[])
        }),
        ["/currency", "/lines"]
    );
    assert_eq!(
        pointers(&wants(&[("A", 0), ("B", 10_001), ("C", 1)])),
        ["/lines/0/quantity", "/lines/1/quantity"]
    );
    let summed = shop.place(&wants(&[("A", 6_000), ("A", 6_000)]), &ann(), None, NOW);
    let text = format!("{summed:?}");
    assert!(text.contains("found 12000 up to this one"), "{text}");
    assert_eq!(pointers(&wants(&[("A", 1), ("NONE", 1)])), ["/lines/1/sku"]);
    assert!(all(&shop, &ann()).is_empty());
}
