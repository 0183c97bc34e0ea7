//! What is sold goes out, and some of it comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::interrupted::dying;
use super::*;

/// A shop that has sold 2 A and 4 B, both from the two places that have B.
pub(super) fn sold(inventory: &Inventory) {
    stock(inventory, "A", "berlin", 5);
    stock(inventory, "B", "berlin", 2);
    stock(inventory, "B", "lyon", 3);
    let lines = [line("A", 2), line("B", 4)];
    inventory.reserve("o", anywhere(&lines), NOW, TTL).unwrap();
    inventory.commit("o").unwrap();
}

#[test]
fn what_is_shipped_leaves_the_stock_once() {
    let inventory = Inventory::in_memory();
    sold(&inventory);
    assert_eq!(level(&inventory, "B"), (5, 4, 1));
    for _ in 0..2 {
        let shipped = inventory.ship("o", NOW).unwrap();
        assert_eq!(shipped.state, State::Shipped);
        assert_eq!(
            (level(&inventory, "A"), level(&inventory, "B")),
            ((3, 0, 3), (1, 0, 1))
        );
    }
    let text = conflict_text(inventory.commit("o"));
    assert!(
        text.contains("SHIPPED: it can't become COMMITTED"),
        "{text}"
    );
    assert_eq!(
        inventory.cancel("o", NOW).unwrap().state,
        State::Shipped,
        "it is gone"
    );
    assert_eq!(level(&inventory, "A"), (3, 0, 3));
    inventory
        .reserve("held", anywhere(&[line("A", 1)]), NOW, TTL)
        .unwrap();
    let text = conflict_text(inventory.ship("held", NOW));
    assert!(text.contains("HELD: it can't become SHIPPED"), "{text}");
    assert!(matches!(
        inventory.ship("none", NOW),
        Err(Error::NotFound(_))
    ));
}

#[test]
fn what_comes_back_is_no_more_than_was_sent() {
    let inventory = Inventory::in_memory();
    sold(&inventory);
    let back = |id: &str, lines: &[ReserveLine]| inventory.take_back("o", id, lines, NOW);
    let text = conflict_text(back("r1", &[line("B", 1)]));
    assert!(text.contains("COMMITTED"), "{text}");
    inventory.ship("o", NOW).unwrap();
    for _ in 0..2 {
        back("r1", &[line("B", 2)]).unwrap();
        assert_eq!(level(&inventory, "B"), (3, 0, 3));
    }
    let text = conflict_text(back("r1", &[line("B", 1)]));
    assert!(text.contains("other lines"), "{text}");
    let text = conflict_text(back("r2", &[line("A", 2), line("B", 3)]));
    assert!(
        text.contains("B: 3 are to come back, and order o has 2"),
        "{text}"
    );
    assert_eq!(level(&inventory, "A"), (3, 0, 3), "all or nothing");
    back("r2", &[line("B", 2), line("A", 2)]).unwrap();
    assert_eq!(
        (level(&inventory, "A"), level(&inventory, "B")),
        ((5, 0, 5), (5, 0, 5))
    );
    // Where they came from.
    let stock = inventory
        .get_many(&["B".to_owned()], NOW)
        .unwrap()
        .remove(0);
    let on_hand: Vec<_> = stock.levels.iter().map(|level| level.on_hand).collect();
    assert_eq!(on_hand, [2, 3]);
    conflict_text(back("r3", &[line("A", 1)]));
    assert!(matches!(
        back("a/b", &[line("A", 1)]),
        Err(Error::Invalid(_))
    ));
}

#[test]
fn an_order_takes_from_the_locations_that_it_names() {
    let inventory = Inventory::in_memory();
    stock(&inventory, "A", "berlin", 10);
    stock(&inventory, "A", "denver", 15);
    let reserve = |order: &str, quantity, locations: &[&str]| {
        let lines = [line("A", quantity)];
        let locations: Vec<_> = locations.iter().map(|name| (*name).to_owned()).collect();
        let wish = Wish {
            lines: &lines,
            locations: Some(&locations),
        };
        inventory.reserve(order, wish, NOW, TTL)
    };
    let text = conflict_text(reserve("o1", 11, &["berlin", "lyon"]));
    assert!(text.contains("A: wanted 11, available 10"), "{text}");
    let held = reserve("o2", 10, &["berlin"]).unwrap();
    assert_eq!(held.allocations[0].location, "berlin");
    conflict_text(reserve("o3", 1, &["berlin"]));
    conflict_text(reserve("o4", 1, &[]));
    let split = reserve("o5", 15, &["denver", "berlin"]).unwrap();
    assert_eq!(split.allocations[0].location, "denver");
    assert_eq!(level(&inventory, "A"), (25, 25, 0));
}

#[test]
fn shipping_and_taking_back_survive_a_crash_at_any_write() {
    let mut crashes = 0;
    for writes in 0.. {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let inventory = Inventory::new(Bucket::over(dying(&left)), Bucket::over(dying(&left)));
        sold(&inventory);
        let steps: [&dyn Fn() -> Result<Reservation, Error>; 3] = [
            &|| inventory.ship("o", NOW),
            &|| inventory.take_back("o", "r1", &[line("B", 3)], NOW),
            &|| inventory.take_back("o", "r2", &[line("A", 2), line("B", 1)], NOW),
        ];
        left.store(writes, Ordering::SeqCst);
        for (step, expected) in steps.into_iter().zip([(3, 1), (3, 4), (5, 5)]) {
            if step().is_err() {
                crashes += 1;
                left.store(usize::MAX, Ordering::SeqCst);
                // By whoever asks again, or by whoever tidies up.
                match crashes % 2 {
                    0 => drop(inventory.expire(NOW).unwrap()),
                    _ => drop(step().unwrap()),
                }
                step().unwrap();
            }
            let found = (level(&inventory, "A"), level(&inventory, "B"));
            let (a, b) = expected;
            assert_eq!(found, ((a, 0, a), (b, 0, b)), "after {writes} writes");
        }
        let open = inventory
            .shelves
            .get_many(&["A".into(), "B".into()])
            .unwrap();
        for shelf in open.into_iter().flatten() {
            assert_eq!(shelf.lapsed(NOW), [""; 0], "after {writes} writes");
        }
        if left.load(Ordering::SeqCst) < usize::MAX / 2 {
            break;
        }
    }
    assert!(crashes >= 14, "{crashes}");
}
