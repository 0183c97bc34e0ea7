//! Every order ends, whatever breaks.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::fake::When;
use super::*;

/// States of all orders, as whoever runs the shop reads them.
fn states(shop: &Orders<&Fake>, now: Timestamp) -> Vec<State> {
    let staff = named("eve", &[READ_ALL]);
    let page = shop
        .list(Part::default(), &Filter::default(), &staff, now)
        .unwrap();
    page.items.into_iter().map(|order| order.state).collect()
}

/// Calls that placing an order makes: find, reserve, authorize, commit.
const CALLS: u32 = 4;

#[test]
fn order_whose_link_breaks_stays_where_it_is_and_goes_on() {
    type Comes = fn(&Orders<&Fake>, &str);
    let comers: [(&str, Comes); 4] = [
        ("queue", |shop, id| shop.resume(id, NOW).unwrap()),
        ("get", |shop, id| drop(shop.get(id, &ann(), NOW).unwrap())),
        ("list", |shop, _| drop(all(shop, &ann()))),
        ("place", |shop, _| {
            let again = shop.place(&wants(&[("A", 2)]), &ann(), Some("k"), NOW);
            assert_eq!(again.unwrap().state, State::Confirmed);
        }),
    ];
    for (name, comes) in comers {
        for (broken, when) in (2..=CALLS).flat_map(|n| [(n, When::Before), (n, When::After)]) {
            let (fake, disk) = (stocked(5), Disk::new());
            let shop = disk.orders(&fake);
            {
                let mut shelf = fake.0.lock().unwrap();
                (shelf.breaks, shelf.for_good) = (Some((broken, when)), true);
            }
            let placed = shop.place(&wants(&[("A", 2)]), &ann(), Some("k"), NOW);
            let placed = placed.unwrap();
            assert_eq!(placed.state, State::Pending, "call {broken} broke");
            assert_eq!(
                shop.get(&placed.id, &ann(), NOW).unwrap(),
                placed,
                "nobody gets through"
            );
            fake.0.lock().unwrap().down = false;
            comes(&shop, &placed.id);
            assert_eq!(
                states(&shop, NOW),
                [State::Confirmed],
                "{name} after call {broken}"
            );
            let shelf = fake.0.lock().unwrap();
            assert_eq!((shelf.left, shelf.sold.get(&placed.id)), (3, Some(&2)));
            assert_eq!(
                shelf.money(),
                (0, 2 * 1290),
                "{name} after call {broken}: {when:?}"
            );
            assert_eq!(shelf.told, [placed.id.as_str()], "with its first write");
        }
    }
}

#[test]
fn nothing_is_written_when_the_first_call_breaks() {
    let (fake, disk) = (stocked(5), Disk::new());
    let shop = disk.orders(&fake);
    fake.0.lock().unwrap().breaks = Some((1, When::Before));
    let placed = shop.place(&wants(&[("A", 2)]), &ann(), None, NOW);
    assert!(matches!(placed, Err(Error::Unavailable(_))), "{placed:?}");
    assert_eq!(states(&shop, NOW), []);
}

/// What it has is given back by whoever comes by.
#[test]
fn order_that_is_left_too_long_is_called_off_with_all_that_it_has() {
    type Comes = fn(&Orders<&Fake>, &str, Timestamp);
    let comers: [(&str, Comes); 3] = [
        ("queue", |shop, id, now| shop.resume(id, now).unwrap()),
        ("get", |shop, id, now| {
            drop(shop.get(id, &ann(), now).unwrap())
        }),
        ("list", |shop, _, now| {
            let part = Part::default();
            shop.list(part, &in_state(State::Cancelled), &ann(), now)
                .unwrap();
        }),
    ];
    let late = NOW + Duration::from_secs(3600);
    for (name, comes) in comers {
        for (broken, when) in (2..=CALLS).flat_map(|n| [(n, When::Before), (n, When::After)]) {
            let (fake, disk) = (stocked(5), Disk::new());
            let shop = disk.orders(&fake);
            {
                let mut shelf = fake.0.lock().unwrap();
                (shelf.breaks, shelf.for_good) = (Some((broken, when)), true);
            }
            let order = shop.place(&wants(&[("A", 2)]), &ann(), None, NOW).unwrap();
            let read = shop.get(&order.id, &ann(), late).unwrap();
            assert_eq!((read.state, disk.owes()), (State::Cancelled, 1));
            fake.0.lock().unwrap().down = false;
            comes(&shop, &order.id, late);
            let shelf = fake.0.lock().unwrap();
            let left = (shelf.left, shelf.money(), disk.owes());
            assert_eq!(left, (5, (0, 0), 0), "{name} after call {broken}: {when:?}");
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
            let died = |result: Result<Order, Error>| match result {
                Ok(order) => order.state == State::Pending,
                Err(error) => matches!(error, Error::Unavailable(_)),
            };
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
            assert_eq!(shelf.money(), (0, i64::from(sold) * 1290), "{states:?}");
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
