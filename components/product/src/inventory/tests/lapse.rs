//! What is held past its time.

use super::*;
use crate::reservation::Transition;

#[test]
fn lapsed_holds_are_free_for_all_who_read() {
    let (inventory, products) = (shop(), products(&["B"]));
    inventory
        .reserve("late", anywhere(&[line("B", 4)]), NOW, TTL)
        .unwrap();
    inventory
        .reserve("sold", anywhere(&[line("B", 1)]), NOW, TTL)
        .unwrap();
    // Sold, and the host died before the shelf was told.
    step(
        &inventory.records,
        "sold",
        Transition {
            from: State::Held,
            to: State::Committed,
        },
        |_| (),
    )
    .unwrap();
    let seen = |now| {
        let stock = inventory.get(&products, "B", now).unwrap();
        let listed = inventory.get_many(&["B".into()], now).unwrap().remove(0);
        assert_eq!(listed, stock);
        (stock.reserved, stock.available, stock.version)
    };
    let almost = Timestamp::from_millis((NOW + TTL).millis() - 1);
    assert_eq!(seen(almost), (5, 0, 4));
    let later = NOW + TTL;
    let free = seen(later);
    assert_eq!(free, (1, 4, 6));
    // Closing it for good is no change to those who have seen that.
    inventory.expire(later).unwrap();
    assert_eq!(seen(later), free);
}

#[test]
fn lapsed_holds_stand_in_nobodys_way() {
    let (inventory, products) = (shop(), products(&["A"]));
    inventory
        .reserve("late", anywhere(&[line("A", 5)]), NOW, TTL)
        .unwrap();
    let change = StockChange {
        location: "berlin".into(),
        delta: -5,
        reason: None,
    };
    conflict_text(inventory.adjust(
        &products,
        Adjustment {
            sku: "A",
            change: &change,
            conditions: None,
        },
        NOW,
    ));
    let later = NOW + TTL;
    let seen = inventory.get(&products, "A", later).unwrap().version;
    let seen = Some(Conditions::Version(seen));
    let left = inventory.adjust(
        &products,
        Adjustment {
            sku: "A",
            change: &change,
            conditions: seen,
        },
        later,
    );
    assert_eq!(left.unwrap().on_hand, 0);
    conflict_text(inventory.commit("late"));
}
