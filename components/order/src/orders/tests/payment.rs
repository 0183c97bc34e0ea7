//! Orders and their money: never one without the other.

use std::time::Duration;

use super::*;

fn paid_by(token: &str) -> NewOrder {
    NewOrder {
        payment: Some(token.into()),
        ..wants(&[("A", 2)])
    }
}

#[test]
fn a_refused_payment_gives_the_stock_back() {
    for (token, expected) in [
        ("tok_declined", "payment refused: the card was declined"),
        ("tok_unknown", "there is no \"tok_unknown\""),
    ] {
        let (fake, disk) = (stocked(5), Disk::new());
        let shop = disk.orders(&fake);
        let Err(Error::Conflict(text)) = shop.place(&paid_by(token), &ann(), None, NOW) else {
            panic!("{token} pays for nothing")
        };
        assert!(text.contains(expected), "{text}");
        let order = all(&shop, &ann()).remove(0);
        assert_eq!(order.state, State::Cancelled);
        let shelf = fake.0.lock().unwrap();
        assert_eq!((shelf.left, shelf.money(), disk.owes()), (5, (0, 0), 0));
    }
}

#[test]
fn a_payment_that_its_customer_has_to_confirm_is_waited_for() {
    let fake = stocked(5);
    let shop = orders(&fake);
    let input = paid_by("tok_requires_action");
    let order = shop.place(&input, &ann(), Some("k"), NOW).unwrap();
    assert_eq!(order.state, State::Reserved);
    assert_eq!(order.action_url.as_deref(), Some("https://bank/confirm"));
    // The queue comes again until it has its fate.
    assert!(matches!(
        shop.resume(&order.id, NOW),
        Err(Error::Unavailable(_))
    ));
    assert_eq!(shop.place(&input, &ann(), Some("k"), NOW).unwrap(), order);
    fake.0.lock().unwrap().confirmed.insert(order.id.clone());
    shop.payment_changed(&order.id, NOW).unwrap();
    shop.payment_changed(&order.id, NOW).unwrap();
    let order = shop.get(&order.id, &ann(), NOW).unwrap();
    assert_eq!((order.state, order.action_url), (State::Confirmed, None));
    shop.resume(&order.id, NOW).unwrap();
    assert_eq!(fake.0.lock().unwrap().money(), (0, 2580));
}

/// saleor#14733, #10925: money is not held for what nobody gets.
#[test]
fn a_payment_that_nobody_confirms_is_given_up_in_time() {
    let (fake, disk) = (stocked(5), Disk::new());
    let shop = disk.orders(&fake);
    let order = shop
        .place(&paid_by("tok_requires_action"), &ann(), None, NOW)
        .unwrap();
    let late = NOW + Duration::from_secs(15 * 60);
    shop.resume(&order.id, late).unwrap();
    let order = shop.get(&order.id, &ann(), late).unwrap();
    assert_eq!(order.reason.as_deref(), Some("was left unfinished"));
    // The customer confirms it after all.
    fake.0.lock().unwrap().confirmed.insert(order.id.clone());
    shop.payment_changed(&order.id, late).unwrap();
    assert_eq!(
        shop.get(&order.id, &ann(), late).unwrap().state,
        State::Cancelled
    );
    let shelf = fake.0.lock().unwrap();
    assert_eq!((shelf.left, shelf.money(), disk.owes()), (5, (0, 0), 0));
}

/// saleor#14733: the stock is gone when the money is there.
#[test]
fn money_is_given_back_when_the_stock_is_gone() {
    let (fake, disk) = (stocked(5), Disk::new());
    let shop = disk.orders(&fake);
    let input = paid_by("tok_requires_action");
    let order = shop.place(&input, &ann(), None, NOW).unwrap();
    {
        let mut shelf = fake.0.lock().unwrap();
        // Its hold has lapsed, and others have bought the rest.
        shelf.held.clear();
        shelf.left = 0;
        shelf.confirmed.insert(order.id.clone());
    }
    shop.payment_changed(&order.id, NOW).unwrap();
    let order = shop.get(&order.id, &ann(), NOW).unwrap();
    assert_eq!(order.state, State::Cancelled);
    assert_eq!((fake.0.lock().unwrap().money(), disk.owes()), ((0, 0), 0));
}
