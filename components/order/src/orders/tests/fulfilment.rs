//! Orders that go out, arrive, and come back.

use std::sync::atomic::Ordering;

use super::fake::When;
use super::*;
use crate::bindings::shop::shipping::carriers::ShipmentState;

fn staff() -> Caller {
    named("eve", &[READ_ALL, WRITE_ALL])
}

fn back(lines: &[(&str, u32)]) -> Vec<NewLine> {
    wants(lines).lines
}

/// A confirmed order of 2 A and 3 B that is sent, for 69.40.
fn confirmed(shop: &Orders<&Fake>) -> Order {
    let input = NewOrder {
        address: Some(address()),
        ..wants(&[("A", 2), ("B", 3)])
    };
    shop.place(&input, &ann(), None, NOW).unwrap()
}

const TOTAL: i64 = 5 * 1290 + 490;

#[test]
fn a_sent_order_is_paid_and_its_stock_gone() {
    let fake = stocked(5);
    let shop = orders(&fake);
    let id = confirmed(&shop).id;
    assert!(
        matches!(shop.ship(&id, &ann(), NOW), Err(Error::NotFound(_))),
        "staff only"
    );
    for _ in 0..2 {
        let order = shop.ship(&id, &staff(), NOW).unwrap();
        assert_eq!(
            (order.state, order.tracking.as_deref()),
            (State::Fulfilling, Some("T1"))
        );
        let shelf = fake.0.lock().unwrap();
        assert_eq!((shelf.money(), shelf.gone.get(&id)), ((TOTAL, 0), Some(&5)));
    }
    let Err(Error::Conflict(text)) = shop.cancel(&id, &ann(), None, NOW) else {
        panic!("it is on its way")
    };
    assert!(
        text.contains("FULFILLING: it can't become CANCELLED"),
        "{text}"
    );
    for _ in 0..2 {
        assert_eq!(
            shop.deliver(&id, &staff(), NOW).unwrap().state,
            State::Completed
        );
    }
    let shipped = shop.ship(&id, &staff(), NOW);
    assert!(matches!(shipped, Err(Error::Conflict(_))), "{shipped:?}");
}

#[test]
fn steps_have_their_order() {
    let fake = stocked(5);
    let shop = orders(&fake);
    let order = confirmed(&shop);
    let lines = back(&[("A", 1)]);
    for refused in [
        shop.deliver(&order.id, &staff(), NOW),
        shop.take_back(&order.id, &lines, (&staff(), None), NOW),
    ] {
        let Err(Error::Conflict(text)) = refused else {
            panic!("it has not gone out")
        };
        assert!(text.contains("is CONFIRMED: it can't become"), "{text}");
    }
    shop.cancel(&order.id, &ann(), None, NOW).unwrap();
    let Err(Error::Conflict(text)) = shop.ship(&order.id, &staff(), NOW) else {
        panic!("it is called off")
    };
    assert!(
        text.contains("CANCELLED: it can't become FULFILLING"),
        "{text}"
    );
    assert_eq!(fake.0.lock().unwrap().money(), (0, 0));
}

#[test]
fn the_carrier_tells_of_arrival_and_of_return() {
    for (state, expected) in [
        (ShipmentState::InTransit, State::Fulfilling),
        (ShipmentState::Delivered, State::Completed),
        (ShipmentState::Returned, State::Returned),
    ] {
        let fake = stocked(5);
        let shop = orders(&fake);
        let id = confirmed(&shop).id;
        shop.ship(&id, &staff(), NOW).unwrap();
        fake.0.lock().unwrap().shipments.insert(id.clone(), state);
        for _ in 0..2 {
            shop.shipment_changed(&id, NOW).unwrap();
            assert_eq!(shop.get(&id, &ann(), NOW).unwrap().state, expected);
        }
        let shelf = fake.0.lock().unwrap();
        let all_back = expected == State::Returned;
        let expected = if all_back {
            (5, (0, 0))
        } else {
            (0, (TOTAL, 0))
        };
        assert_eq!((shelf.left, shelf.money()), expected, "{state:?}");
    }
    let fake = stocked(5);
    orders(&fake).shipment_changed("nobody's", NOW).unwrap();
}

/// spree PR 14678, vendure#868, medusa#10842: 2 of 5, then 3, and no more.
#[test]
fn what_comes_back_is_refunded_to_the_minor_unit() {
    let fake = stocked(5);
    let shop = orders(&fake);
    let id = confirmed(&shop).id;
    shop.ship(&id, &staff(), NOW).unwrap();
    let give =
        |lines: &[(&str, u32)], key| shop.take_back(&id, &back(lines), (&staff(), Some(key)), NOW);
    let order = give(&[("A", 1), ("B", 1)], "r1").unwrap();
    assert_eq!(order.refunded.as_ref().unwrap().minor, 2580);
    assert_eq!(
        give(&[("A", 1), ("B", 1)], "r1").unwrap(),
        order,
        "the same return"
    );
    let Err(Error::Conflict(text)) = give(&[("A", 1), ("B", 3)], "r2") else {
        panic!("only 2 B are out")
    };
    assert!(text.contains("B: 3 are to come back, and order"), "{text}");
    assert!(matches!(give(&[("C", 1)], "r3"), Err(Error::Conflict(_))));
    assert!(matches!(give(&[("A", 0)], "r3"), Err(Error::Invalid(_))));
    assert_eq!(fake.0.lock().unwrap().money(), (TOTAL - 2580, 0));
    shop.deliver(&id, &staff(), NOW).unwrap();
    let order = give(&[("B", 2), ("A", 1)], "r4").unwrap();
    assert_eq!(
        (order.state, order.refunded),
        (State::Returned, Some(order.total))
    );
    assert!(matches!(give(&[("A", 1)], "r5"), Err(Error::Conflict(_))));
    let shelf = fake.0.lock().unwrap();
    assert_eq!((shelf.left, shelf.money()), (5, (0, 0)));
}

/// vendure#2393, #2523: what was not paid is not given back.
#[test]
fn a_refund_knows_of_the_discount() {
    let fake = stocked(5);
    let shop = orders(&fake);
    let input = NewOrder {
        discount: Some("TEN".into()),
        ..wants(&[("A", 3)])
    };
    // 38.70 less 3.87.
    let order = shop.place(&input, &ann(), None, NOW).unwrap();
    shop.ship(&order.id, &staff(), NOW).unwrap();
    let mut refunds = Vec::new();
    for _ in 0..3 {
        let order = shop
            .take_back(&order.id, &back(&[("A", 1)]), (&staff(), None), NOW)
            .unwrap();
        refunds.push(order.refunded.unwrap().minor);
    }
    assert_eq!(refunds, [1161, 2322, 3483]);
    assert_eq!(fake.0.lock().unwrap().money(), (0, 0));
}

/// What one call to another service, or one write, cuts off goes on by the queue.
#[test]
fn sending_and_taking_back_survive_a_broken_link_and_a_crash() {
    for returns in [false, true] {
        for (broken, when) in (1..=4).flat_map(|n| [(n, When::Before), (n, When::After)]) {
            let (fake, disk) = (stocked(5), Disk::new());
            let shop = disk.orders(&fake);
            let id = confirmed(&shop).id;
            if returns {
                shop.ship(&id, &staff(), NOW).unwrap();
            }
            fake.0.lock().unwrap().breaks = Some((broken, when));
            go(&shop, &id, returns).unwrap();
            arrives(&disk.orders(&fake), &fake, &id, returns);
        }
        for writes in 0..6 {
            let (fake, disk) = (stocked(5), Disk::new());
            let shop = disk.orders(&fake);
            let id = confirmed(&shop).id;
            if returns {
                shop.ship(&id, &staff(), NOW).unwrap();
            }
            disk.watch.left.store(writes, Ordering::SeqCst);
            let died = go(&shop, &id, returns).is_err();
            disk.watch.left.store(usize::MAX, Ordering::SeqCst);
            let after = disk.orders(&fake);
            if died && shop.get(&id, &ann(), NOW).unwrap().version < 3 {
                // Not even that it was asked for is written.
                go(&after, &id, returns).unwrap();
            }
            arrives(&after, &fake, &id, returns);
        }
    }
}

fn go(shop: &Orders<&Fake>, id: &str, returns: bool) -> Result<Order, Error> {
    match returns {
        true => shop.take_back(id, &back(&[("A", 2), ("B", 3)]), (&staff(), Some("r")), NOW),
        false => shop.ship(id, &staff(), NOW),
    }
}

/// What was begun comes to its end by the queue, which was told.
fn arrives(shop: &Orders<&Fake>, fake: &Fake, id: &str, returns: bool) {
    assert!(
        fake.0.lock().unwrap().told.len() > 1,
        "with the write that begins it"
    );
    shop.resume(id, NOW).unwrap();
    go(shop, id, returns).unwrap();
    let order = shop.get(id, &ann(), NOW).unwrap();
    let shelf = fake.0.lock().unwrap();
    match returns {
        true => assert_eq!(
            (order.state, shelf.left, shelf.money()),
            (State::Returned, 5, (0, 0))
        ),
        false => assert_eq!(
            (order.state, shelf.left, shelf.money()),
            (State::Fulfilling, 0, (TOTAL, 0))
        ),
    }
}
