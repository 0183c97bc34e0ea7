mod interrupted;
mod lapse;
mod leaving;
mod model;
mod races;

use stoa_sdk::Money;

use super::*;
use crate::bindings::exports::shop::product::products::{NewProduct, ProductVariant};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const TTL: Duration = Duration::from_secs(900);

fn line(sku: &str, quantity: u32) -> ReserveLine {
    ReserveLine {
        sku: sku.into(),
        quantity,
    }
}

fn anywhere(lines: &[ReserveLine]) -> Wish<'_> {
    Wish {
        lines,
        locations: None,
    }
}

fn products(skus: &[&str]) -> Products {
    let variant = |sku: &&str| ProductVariant {
        sku: (*sku).to_owned(),
        title: None,
        prices: vec![Money {
            minor: 100,
            currency: "EUR".into(),
        }],
    };
    let products = Products::in_memory();
    let variants = skus.iter().map(variant).collect();
    let input = NewProduct {
        name: "Cup".into(),
        description: None,
        category: None,
        variants,
        translations: None,
    };
    products.create(input, NOW).unwrap();
    products
}

fn stock(inventory: &Inventory, sku: &str, location: &str, delta: i64) {
    let change = StockChange {
        location: location.into(),
        delta,
        reason: None,
    };
    inventory
        .adjust(
            &products(&[sku]),
            Adjustment {
                sku,
                change: &change,
                conditions: None,
            },
            NOW,
        )
        .unwrap();
}

/// On hand, reserved, available.
fn level(inventory: &Inventory, sku: &str) -> (u64, u64, u64) {
    let all = inventory.get_many(&[sku.to_owned()], NOW).unwrap();
    let stock = all.first().expect("stocked");
    for level in &stock.levels {
        assert!(level.reserved <= level.on_hand, "{level:?}");
        assert_eq!(level.available, level.on_hand - level.reserved);
    }
    (stock.on_hand, stock.reserved, stock.available)
}

fn shop() -> Inventory {
    let inventory = Inventory::in_memory();
    stock(&inventory, "A", "berlin", 5);
    stock(&inventory, "B", "berlin", 2);
    stock(&inventory, "B", "lyon", 3);
    inventory
}

fn conflict_text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Conflict(text)) => text,
        other => panic!("expected a conflict, found {other:?}"),
    }
}

#[test]
fn stock_of_unknown_and_unstocked_skus() {
    let (inventory, products) = (Inventory::in_memory(), products(&["A"]));
    assert_eq!(inventory.get(&products, "A", NOW).unwrap().version, 0);
    assert!(matches!(
        inventory.get(&products, "X", NOW),
        Err(Error::NotFound(_))
    ));
    let change = StockChange {
        location: "berlin".into(),
        delta: 1,
        reason: None,
    };
    assert!(matches!(
        inventory.adjust(
            &products,
            Adjustment {
                sku: "X",
                change: &change,
                conditions: None
            },
            NOW
        ),
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        inventory.adjust(
            &products,
            Adjustment {
                sku: "A",
                change: &change,
                conditions: Some(Conditions::Version(4))
            },
            NOW
        ),
        Err(Error::PreconditionFailed(_))
    ));
    assert_eq!(
        inventory
            .adjust(
                &products,
                Adjustment {
                    sku: "A",
                    change: &change,
                    conditions: Some(Conditions::Version(0))
                },
                NOW
            )
            .unwrap()
            .version,
        1
    );
}

#[test]
fn stock_never_falls_below_what_is_reserved() {
    let inventory = shop();
    inventory
        .reserve("o1", anywhere(&[line("A", 4)]), NOW, TTL)
        .unwrap();
    let products = products(&["A"]);
    let change = |delta| StockChange {
        location: "berlin".into(),
        delta,
        reason: None,
    };
    conflict_text(inventory.adjust(
        &products,
        Adjustment {
            sku: "A",
            change: &change(-2),
            conditions: None,
        },
        NOW,
    ));
    inventory
        .adjust(
            &products,
            Adjustment {
                sku: "A",
                change: &change(-1),
                conditions: None,
            },
            NOW,
        )
        .unwrap();
    assert_eq!(level(&inventory, "A"), (4, 4, 0));
}

#[test]
fn reserve_commit_and_repeats() {
    let inventory = shop();
    let lines = [line("B", 1), line("A", 2), line("B", 3)];
    let held = inventory.reserve("o1", anywhere(&lines), NOW, TTL).unwrap();
    assert_eq!(held.state, State::Held);
    let at = |sku: &str, location: &str, quantity| Allocation {
        sku: sku.into(),
        location: location.into(),
        quantity,
    };
    // No location has 4 of B: they are used up in order.
    assert_eq!(
        held.allocations,
        [
            at("A", "berlin", 2),
            at("B", "berlin", 2),
            at("B", "lyon", 2)
        ]
    );
    assert_eq!(
        inventory.reserve("o1", anywhere(&lines), NOW, TTL).unwrap(),
        held
    );
    assert_eq!(level(&inventory, "B"), (5, 4, 1));

    let sold = inventory.commit("o1").unwrap();
    assert_eq!(
        (sold.state, &sold.allocations),
        (State::Committed, &held.allocations)
    );
    assert_eq!(inventory.commit("o1").unwrap(), sold);
    assert_eq!(
        inventory.reserve("o1", anywhere(&lines), NOW, TTL).unwrap(),
        sold
    );
    conflict_text(inventory.reserve("o1", anywhere(&[line("A", 1)]), NOW, TTL));
    assert_eq!(level(&inventory, "B"), (5, 4, 1));
}

#[test]
fn a_location_with_the_whole_quantity_is_preferred() {
    let inventory = shop();
    let held = inventory
        .reserve("o1", anywhere(&[line("B", 3)]), NOW, TTL)
        .unwrap();
    assert_eq!(held.allocations[0].location, "lyon");
}

#[test]
fn too_little_stock_reserves_nothing_and_says_what_is_missing() {
    let inventory = shop();
    let refused =
        conflict_text(inventory.reserve("o1", anywhere(&[line("A", 1), line("B", 6)]), NOW, TTL));
    assert_eq!(refused, "not enough stock of B: wanted 6, available 5");
    assert_eq!(level(&inventory, "A"), (5, 0, 5));
    stock(&inventory, "B", "lyon", 10);
    let again =
        conflict_text(inventory.reserve("o1", anywhere(&[line("A", 1), line("B", 6)]), NOW, TTL));
    assert_eq!(again, refused);
    conflict_text(inventory.reserve("o2", anywhere(&[line("NONE", 1)]), NOW, TTL));
}

#[test]
fn illegal_steps_name_both_states() {
    let inventory = shop();
    assert!(matches!(inventory.commit("none"), Err(Error::NotFound(_))));
    inventory
        .reserve("o1", anywhere(&[line("A", 1)]), NOW, TTL)
        .unwrap();
    let released = inventory.release("o1").unwrap();
    assert_eq!(
        (released.state, inventory.release("o1").unwrap()),
        (State::Released, released.clone())
    );
    assert_eq!(level(&inventory, "A"), (5, 0, 5));
    let text = conflict_text(inventory.commit("o1"));
    assert!(
        text.contains("RELEASED") && text.contains("COMMITTED"),
        "{text}"
    );
    conflict_text(inventory.reserve("o1", anywhere(&[line("A", 1)]), NOW, TTL));
    inventory
        .reserve("o2", anywhere(&[line("A", 1)]), NOW, TTL)
        .unwrap();
    inventory.commit("o2").unwrap();
    let text = conflict_text(inventory.release("o2"));
    assert!(
        text.contains("COMMITTED") && text.contains("RELEASED"),
        "{text}"
    );
}

#[test]
fn cancel_gives_back_whatever_there_is() {
    let inventory = shop();
    inventory
        .reserve("held", anywhere(&[line("A", 1)]), NOW, TTL)
        .unwrap();
    assert_eq!(
        inventory.cancel("held", NOW).unwrap().state,
        State::Released
    );
    inventory
        .reserve("sold", anywhere(&[line("A", 1), line("B", 4)]), NOW, TTL)
        .unwrap();
    inventory.commit("sold").unwrap();
    assert_eq!(
        inventory.cancel("sold", NOW).unwrap().state,
        State::Returned
    );
    assert_eq!(
        inventory.cancel("sold", NOW).unwrap().state,
        State::Returned
    );
    assert_eq!(
        inventory.cancel("never", NOW).unwrap().state,
        State::Released
    );
    conflict_text(inventory.reserve("never", anywhere(&[line("A", 1)]), NOW, TTL));
    assert_eq!(
        (level(&inventory, "A"), level(&inventory, "B")),
        ((5, 0, 5), (5, 0, 5))
    );
}

#[test]
fn lapsed_reservations_expire() {
    let inventory = shop();
    inventory
        .reserve("late", anywhere(&[line("A", 3), line("B", 1)]), NOW, TTL)
        .unwrap();
    inventory
        .reserve("sold", anywhere(&[line("A", 1)]), NOW, TTL)
        .unwrap();
    inventory.commit("sold").unwrap();
    assert_eq!(inventory.expire(NOW).unwrap(), 0);
    assert_eq!(inventory.expire(NOW + TTL).unwrap(), 1);
    assert_eq!(inventory.expire(NOW + TTL).unwrap(), 0);
    assert_eq!(
        (level(&inventory, "A"), level(&inventory, "B")),
        ((5, 1, 4), (5, 0, 5))
    );
    let text = conflict_text(inventory.commit("late"));
    assert!(text.contains("EXPIRED"), "{text}");
}

#[test]
fn a_lapsed_reservation_makes_room_without_maintenance() {
    let inventory = shop();
    inventory
        .reserve("late", anywhere(&[line("A", 5)]), NOW, TTL)
        .unwrap();
    conflict_text(inventory.reserve("early", anywhere(&[line("A", 1)]), NOW, TTL));
    inventory
        .reserve("next", anywhere(&[line("A", 5)]), NOW + TTL, TTL)
        .unwrap();
    assert_eq!(level(&inventory, "A"), (5, 5, 0));
}

#[test]
fn changes_of_stock_name_their_limits() {
    let (inventory, products) = (shop(), products(&["A"]));
    let adjust = |location: &str, delta, reason: Option<&str>| {
        let change = StockChange {
            location: location.into(),
            delta,
            reason: reason.map(Into::into),
        };
        inventory.adjust(
            &products,
            Adjustment {
                sku: "A",
                change: &change,
                conditions: None,
            },
            NOW,
        )
    };
    for (location, delta, reason, pointer) in [
        ("berlin", i64::MAX, None, "/delta"),
        ("berlin", i64::MIN, None, "/delta"),
        ("berlin", 0, None, "/delta"),
        ("..", 1, None, "/location"),
        ("berlin", 1, Some("\u{200B}"), "/reason"),
    ] {
        let Err(Error::Invalid(found)) = adjust(location, delta, reason) else {
            panic!("expected invalid: {location} {delta} {reason:?}")
        };
        assert_eq!(found[0].pointer, pointer);
        let limit = delta.unsigned_abs() <= MOST || found[0].detail.contains("1000000000000");
        assert!(limit, "{}", found[0].detail);
    }
    let text = conflict_text(adjust("berlin", MOST as i64, None));
    assert!(text.contains("1000000000000"), "{text}");
    adjust("lyon", MOST as i64, Some("counted")).unwrap();
}
