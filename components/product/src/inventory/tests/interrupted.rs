//! Calls that are cut off at any write, and calls between whose writes another runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stoa_sdk::store::{Access, Change as StoreChange, Memory, Store, Watched};
use stoa_sdk::unavailable;

use super::*;

/// A store whose host dies at a write.
pub(super) fn dying(writes_left: &Arc<AtomicUsize>) -> Arc<dyn Store> {
    let left = writes_left.clone();
    Arc::new(Watched::new(move |access| {
        if access != Access::Write {
            return Ok(());
        }
        let one_less = |left: usize| left.checked_sub(1);
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .map(drop)
            .map_err(|_| unavailable!("the host has died"))
    }))
}

/// Writes that selling one SKU to an order takes.
#[test]
fn selling_takes_two_writes_and_two_for_each_sku() {
    let writes = Arc::new(AtomicUsize::new(0));
    let counted = || {
        let writes = writes.clone();
        Arc::new(Watched::new(move |access| {
            writes.fetch_add(usize::from(access == Access::Write), Ordering::SeqCst);
            Ok(())
        }))
    };
    let inventory = Inventory::new(Bucket::over(counted()), Bucket::over(counted()));
    stock(&inventory, "A", "berlin", 5);
    stock(&inventory, "B", "berlin", 5);
    for (order, skus) in [("o1", &["A"][..]), ("o2", &["A", "B"])] {
        writes.store(0, Ordering::SeqCst);
        let lines: Vec<_> = skus.iter().map(|sku| line(sku, 1)).collect();
        inventory
            .reserve(order, anywhere(&lines), NOW, TTL)
            .unwrap();
        inventory.commit(order).unwrap();
        assert_eq!(writes.load(Ordering::SeqCst), 2 + 2 * skus.len());
    }
}

#[test]
fn every_step_can_be_repeated_after_a_crash_at_any_write() {
    let mut crashes = 0;
    for writes in 0.. {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let inventory = Inventory::new(Bucket::over(dying(&left)), Bucket::over(dying(&left)));
        stock(&inventory, "A", "berlin", 5);
        stock(&inventory, "B", "lyon", 5);
        let lines = [line("A", 2), line("B", 4)];
        let steps: [&dyn Fn() -> Result<Reservation, Error>; 3] = [
            &|| inventory.reserve("o", anywhere(&lines), NOW, TTL),
            &|| inventory.commit("o"),
            &|| inventory.cancel("o", NOW),
        ];
        left.store(writes, Ordering::SeqCst);
        for (step, reserved) in steps.into_iter().zip([(2, 4), (2, 4), (0, 0)]) {
            if let Err(error) = step() {
                assert!(
                    matches!(error, Error::Unavailable(_)),
                    "after {writes} writes: {error:?}"
                );
                crashes += 1;
                left.store(usize::MAX, Ordering::SeqCst);
                step().unwrap();
            }
            assert_eq!(
                (level(&inventory, "A").1, level(&inventory, "B").1),
                reserved,
                "after {writes} writes"
            );
        }
        if left.load(Ordering::SeqCst) < usize::MAX / 2 {
            break;
        }
    }
    assert!(crashes >= 10, "{crashes}");
}

#[test]
fn maintenance_ends_a_cancellation_that_a_crash_cut_short() {
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let inventory = Inventory::new(Bucket::over(dying(&left)), Bucket::over(dying(&left)));
    stock(&inventory, "A", "berlin", 5);
    inventory
        .reserve("o", anywhere(&[line("A", 2)]), NOW, TTL)
        .unwrap();
    inventory.commit("o").unwrap();
    left.store(1, Ordering::SeqCst);
    assert!(inventory.cancel("o", NOW).is_err());
    left.store(usize::MAX, Ordering::SeqCst);
    inventory.expire(NOW).unwrap();
    assert_eq!(level(&inventory, "A"), (5, 0, 5));
    assert_eq!(inventory.cancel("o", NOW).unwrap().state, State::Returned);
}

/// A store in which another call runs at one point of one update.
struct Interrupted {
    store: Arc<Memory>,
    turn: Arc<Turn>,
}

/// When the other call runs. Shared by the stores of one inventory.
struct Turn {
    /// Points that are still to pass: two for each update.
    left: AtomicUsize,
    other: Box<dyn Fn() + Send + Sync>,
}

impl Turn {
    fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            (self.other)();
        }
    }
}

impl Store for Interrupted {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.store.get(key)
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.store.get_many(keys)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.store.set(key, value)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.store.delete(key)
    }

    fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Error> {
        self.store.keys(cursor)
    }

    fn update(&self, key: &str, change: &mut StoreChange<'_>) -> Result<(), Error> {
        self.turn.pass();
        self.store.update(key, &mut |current| {
            let changed = change(current)?;
            self.turn.pass();
            Ok(changed)
        })
    }
}

type Call = fn(&Inventory);

fn place(inventory: &Inventory) {
    let _ = inventory.reserve("o", anywhere(&[line("A", 2), line("B", 4)]), NOW, TTL);
    let _ = inventory.commit("o");
}

fn call_off(inventory: &Inventory) {
    inventory.cancel("o", NOW).unwrap();
}

fn expire(inventory: &Inventory) {
    inventory.expire(NOW + TTL).unwrap();
}

/// Runs `other` at the given point of `first`; whether that point was reached.
fn interleave(first: Call, other: Call, point: usize) -> bool {
    let (shelves, records) = (Arc::new(Memory::default()), Arc::new(Memory::default()));
    let plain = {
        let (shelves, records) = (shelves.clone(), records.clone());
        move || Inventory::new(Bucket::over(shelves.clone()), Bucket::over(records.clone()))
    };
    stock(&plain(), "A", "berlin", 5);
    stock(&plain(), "B", "lyon", 5);
    let inventory = plain();
    // Somebody else's units, which nobody may give back.
    inventory
        .reserve(
            "else",
            anywhere(&[line("A", 1), line("B", 1)]),
            NOW,
            TTL * 9,
        )
        .unwrap();
    let turn = Arc::new(Turn {
        left: AtomicUsize::new(point),
        other: Box::new(move || other(&plain())),
    });
    let watched = |store: Arc<Memory>| {
        Arc::new(Interrupted {
            store,
            turn: turn.clone(),
        })
    };
    first(&Inventory::new(
        Bucket::over(watched(shelves)),
        Bucket::over(watched(records)),
    ));
    let reached = turn.left.load(Ordering::SeqCst) > point;

    let state = inventory
        .records
        .get("o")
        .unwrap()
        .expect("one of them wrote it")
        .state;
    let expected = if state == State::Committed {
        (3, 5)
    } else {
        (1, 1)
    };
    assert_ne!(state, State::Held, "point {point}");
    let reserved = (level(&inventory, "A").1, level(&inventory, "B").1);
    assert_eq!(reserved, expected, "point {point}: {state:?}");
    call_off(&inventory);
    assert_eq!(
        (level(&inventory, "A").1, level(&inventory, "B").1),
        (1, 1),
        "point {point}: {state:?}"
    );
    for shelf in inventory
        .shelves
        .get_many(&["A".into(), "B".into()])
        .unwrap()
    {
        assert_eq!(
            shelf.expect("stocked").lapsed(NOW + TTL * 2),
            [""; 0],
            "point {point}: {state:?}"
        );
    }
    reached
}

#[test]
fn another_call_at_any_point_of_an_update_does_no_harm() {
    for (first, other) in [
        (place as Call, place as Call),
        (place, call_off),
        (place, expire),
        (call_off, place),
        (call_off, call_off),
    ] {
        let points = (1..)
            .take_while(|point| interleave(first, other, *point))
            .count();
        assert!(points > 1, "{points}");
    }
}

#[test]
fn two_cancellations_of_a_sold_order_give_its_stock_back_once() {
    fn place_and_call_off(inventory: &Inventory) {
        place(inventory);
        call_off(inventory);
    }
    for other in [call_off as Call, expire, place] {
        let points = (1..)
            .take_while(|point| interleave(place_and_call_off, other, *point))
            .count();
        assert!(points > 10, "{points}");
    }
}
