//! Every order ends, whatever breaks.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::fake::When;
use super::*;

/// States of all orders, as whoever runs the shop reads them.
fn states(shop: &Orders<&Fake>, now: Timestamp) -> Vec<State> {
    let staff = named("eve", &[READ_ALL]);
    let page = shop.list(Some(100), None, &staff, now).unwrap();
    page.items.into_iter().map(|order| order.state).collect()
}

#[test]
fn order_whose_link_breaks_is_cancelled_and_a_repeat_places_another() {
    for broken in 1..=3 {
        for when in [When::Before, When::After] {
            let (fake, disk) = (stocked(5), Disk::new());
            let shop = disk.orders(&fake);
            fake.0.lock().unwrap().breaks = Some((broken, when));
            let place = || shop.place(&wants(&[("A", 2)]), &ann(), Some("k"), NOW);
            let Err(Error::Unavailable(text)) = place() else {
                panic!("call {broken} broke")
            };
            assert_eq!(text.contains("CANCELLED"), broken > 1, "{text}");
            // The first call looks for the offers: there is no order yet.
            let given_up = vec![State::Cancelled; usize::from(broken > 1)];
            assert_eq!(states(&shop, NOW), given_up, "call {broken}");
            assert_eq!((fake.0.lock().unwrap().left, disk.owes()), (5, 0));
            let order = place().unwrap();
            assert_eq!(order.state, State::Confirmed);
            let shelf = fake.0.lock().unwrap();
            let sold = shelf.sold.get(&order.id);
            assert_eq!((shelf.left, sold), (3, Some(&2)), "call {broken}");
        }
    }
}

#[test]
fn stock_of_a_cancelled_order_is_given_back_by_whoever_comes_by() {
    type Comes = fn(&Orders<&Fake>, &str);
    let comers: [(&str, Comes); 4] = [
        ("get", |shop, id| drop(shop.get(id, &ann(), NOW).unwrap())),
        ("list", |shop, _| {
            shop.list(None, None, &ann(), NOW).unwrap();
        }),
        ("place", |shop, _| {
            let placed = shop.place(&wants(&[("A", 1)]), &named("bob", &[]), None, NOW);
            shop.cancel(&placed.unwrap().id, &named("bob", &[]), None, NOW)
                .unwrap();
        }),
        ("cancel", |shop, id| {
            shop.cancel(id, &ann(), None, NOW).unwrap();
        }),
    ];
    for (name, comes) in comers {
        for broken in 2..=3 {
            for when in [When::Before, When::After] {
                let (fake, disk) = (stocked(5), Disk::new());
                let shop = disk.orders(&fake);
                {
                    let mut shelf = fake.0.lock().unwrap();
                    (shelf.breaks, shelf.for_good) = (Some((broken, when)), true);
                }
                let placed = shop.place(&wants(&[("A", 2)]), &ann(), None, NOW);
                assert!(matches!(placed, Err(Error::Unavailable(_))));
                let order = shop.list(None, None, &ann(), NOW).unwrap().items.remove(0);
                assert_eq!((order.state, disk.owes()), (State::Cancelled, 1));
                fake.0.lock().unwrap().down = false;
                comes(&shop, &order.id);
                assert_eq!(
                    (fake.0.lock().unwrap().left, disk.owes()),
                    (5, 0),
                    "{name} after call {broken}"
                );
            }
        }
    }
}

/// The host dies at each write of placing or cancelling an order; then somebody
/// reads it, at once or much later.
#[test]
fn order_that_a_crash_cut_off_is_ended_by_reading_it() {
    let late = NOW + Duration::from_secs(3600);
    let mut seen = BTreeSet::new();
    for cancels in [false, true] {
        for (writes, now) in (0..20).flat_map(|writes| [(writes, NOW), (writes, late)]) {
            let (fake, disk) = (stocked(5), Disk::new());
            let shop = disk.orders(&fake);
            let died = |result: Result<Order, Error>| matches!(result, Err(Error::Unavailable(_)));
            let die_after = |writes| disk.watch.left.store(writes, Ordering::SeqCst);
            let place = || shop.place(&wants(&[("A", 2)]), &ann(), None, NOW);
            let crashed = if cancels {
                let id = place().unwrap().id;
                die_after(writes);
                died(shop.cancel(&id, &ann(), None, NOW))
            } else {
                die_after(writes);
                died(place())
            };
            die_after(usize::MAX);
            let after = disk.orders(&fake);
            let states = states(&after, now);
            let shelf = fake.0.lock().unwrap();
            let sold = match states[..] {
                [] | [State::Cancelled] => 0,
                [State::Confirmed] => 2,
                _ => panic!("{states:?} after {writes} writes"),
            };
            assert_eq!(
                (shelf.left, shelf.sold.values().sum::<u32>()),
                (5 - sold, sold),
                "{states:?} after {writes} writes"
            );
            seen.insert((cancels, crashed, now == late, sold));
        }
    }
    // A crash in the middle of placing: confirmed at once, not much later. One in
    // the middle of cancelling: as if nobody had asked.
    for expected in [
        (false, true, false, 2),
        (false, true, true, 0),
        (true, true, false, 2),
    ] {
        assert!(seen.contains(&expected), "{expected:?} in {seen:?}");
    }
}
