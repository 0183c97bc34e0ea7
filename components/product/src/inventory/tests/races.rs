//! Calls at the same time, on threads.

use super::leaving::sold;
use super::*;

#[test]
fn last_units_go_to_exactly_as_many_orders() {
    let inventory = shop();
    let sold: Vec<bool> = std::thread::scope(|threads| {
        let inventory = &inventory;
        let buy = |n: usize| {
            let order = format!("o{n}");
            let lines = [line("B", 1), line("A", 1)];
            let bought = inventory
                .reserve(&order, anywhere(&lines), NOW, TTL)
                .is_ok();
            bought && inventory.commit(&order).is_ok()
        };
        let all: Vec<_> = (0..24).map(|n| threads.spawn(move || buy(n))).collect();
        all.into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(sold.iter().filter(|sold| **sold).count(), 5);
    assert_eq!(
        (level(&inventory, "A"), level(&inventory, "B")),
        ((5, 5, 0), (5, 5, 0))
    );
}

#[test]
fn calls_about_one_order_agree_whatever_they_race_with() {
    for round in 0..50 {
        let inventory = shop();
        let lines = [line("A", 2), line("B", 4)];
        std::thread::scope(|threads| {
            let place = || {
                let _ = inventory.reserve("o", anywhere(&lines), NOW, TTL);
                let _ = inventory.commit("o");
            };
            threads.spawn(place);
            threads.spawn(place);
            threads.spawn(|| inventory.cancel("o", NOW));
            threads.spawn(|| inventory.expire(NOW + TTL));
        });
        let end = inventory.cancel("o", NOW).unwrap().state;
        assert_ne!(end, State::Held, "round {round}");
        inventory.expire(NOW + TTL).unwrap();
        let levels = (level(&inventory, "A"), level(&inventory, "B"));
        assert_eq!(levels, ((5, 0, 5), (5, 0, 5)), "round {round}: {end:?}");
    }
}

/// Whoever of them is first has it; nothing is given back and sent, too.
#[test]
fn a_sold_order_is_shipped_or_called_off() {
    for _ in 0..100 {
        let inventory = Inventory::in_memory();
        sold(&inventory);
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| inventory.ship("o", NOW).is_ok());
                // One that comes too late may be told so.
                threads.spawn(|| inventory.cancel("o", NOW).is_ok());
            }
        });
        let state = inventory.record("o").unwrap().state;
        let expected = match state {
            State::Shipped => ((3, 0, 3), (1, 0, 1)),
            State::Returned => ((5, 0, 5), (5, 0, 5)),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (level(&inventory, "A"), level(&inventory, "B")),
            expected,
            "{state:?}"
        );
    }
}

#[test]
fn two_that_take_the_same_back_take_it_once() {
    for _ in 0..100 {
        let inventory = Inventory::in_memory();
        sold(&inventory);
        inventory.ship("o", NOW).unwrap();
        std::thread::scope(|threads| {
            for id in ["r1", "r1", "r2", "r2"] {
                let inventory = &inventory;
                threads.spawn(move || inventory.take_back("o", id, &[line("B", 2)], NOW).unwrap());
            }
        });
        assert_eq!(level(&inventory, "B"), (5, 0, 5));
    }
}
