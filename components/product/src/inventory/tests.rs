use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stoa_sdk::store::{Change as StoreChange, Memory, Store};
use stoa_sdk::{Money, unavailable};

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
        .adjust(&products(&[sku]), sku, &change, None)
        .unwrap();
}

/// On hand, reserved, available.
fn level(inventory: &Inventory, sku: &str) -> (u64, u64, u64) {
    let all = inventory.get_many(&[sku.to_owned()]).unwrap();
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
    assert_eq!(inventory.get(&products, "A").unwrap().version, 0);
    assert!(matches!(
        inventory.get(&products, "X"),
        Err(Error::NotFound(_))
    ));
    let change = StockChange {
        location: "berlin".into(),
        delta: 1,
        reason: None,
    };
    assert!(matches!(
        inventory.adjust(&products, "X", &change, None),
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        inventory.adjust(&products, "A", &change, Some("4")),
        Err(Error::PreconditionFailed(_))
    ));
    assert_eq!(
        inventory
            .adjust(&products, "A", &change, Some("0"))
            .unwrap()
            .version,
        1
    );
}

#[test]
fn stock_never_falls_below_what_is_reserved() {
    let inventory = shop();
    inventory.reserve("o1", &[line("A", 4)], NOW, TTL).unwrap();
    let products = products(&["A"]);
    let change = |delta| StockChange {
        location: "berlin".into(),
        delta,
        reason: None,
    };
    conflict_text(inventory.adjust(&products, "A", &change(-2), None));
    conflict_text(inventory.adjust(&products, "A", &change(i64::MIN), None));
    conflict_text(inventory.adjust(&products, "A", &change(i64::MAX), None));
    inventory.adjust(&products, "A", &change(-1), None).unwrap();
    assert_eq!(level(&inventory, "A"), (4, 4, 0));
}

#[test]
fn reserve_commit_and_repeats() {
    let inventory = shop();
    let lines = [line("B", 1), line("A", 2), line("B", 3)];
    let held = inventory.reserve("o1", &lines, NOW, TTL).unwrap();
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
    assert_eq!(inventory.reserve("o1", &lines, NOW, TTL).unwrap(), held);
    assert_eq!(level(&inventory, "B"), (5, 4, 1));

    let sold = inventory.commit("o1").unwrap();
    assert_eq!(
        (sold.state, &sold.allocations),
        (State::Committed, &held.allocations)
    );
    assert_eq!(inventory.commit("o1").unwrap(), sold);
    assert_eq!(inventory.reserve("o1", &lines, NOW, TTL).unwrap(), sold);
    conflict_text(inventory.reserve("o1", &[line("A", 1)], NOW, TTL));
    assert_eq!(level(&inventory, "B"), (5, 4, 1));
}

#[test]
fn a_location_with_the_whole_quantity_is_preferred() {
    let inventory = shop();
    let held = inventory.reserve("o1", &[line("B", 3)], NOW, TTL).unwrap();
    assert_eq!(held.allocations[0].location, "lyon");
}

#[test]
fn too_little_stock_reserves_nothing_and_says_what_is_missing() {
    let inventory = shop();
    let refused = conflict_text(inventory.reserve("o1", &[line("A", 1), line("B", 6)], NOW, TTL));
    assert_eq!(refused, "not enough stock of B: wanted 6, available 5");
    assert_eq!(level(&inventory, "A"), (5, 0, 5));
    stock(&inventory, "B", "lyon", 10);
    let again = conflict_text(inventory.reserve("o1", &[line("A", 1), line("B", 6)], NOW, TTL));
    assert_eq!(again, refused);
    conflict_text(inventory.reserve("o2", &[line("NONE", 1)], NOW, TTL));
}

#[test]
fn illegal_steps_name_both_states() {
    let inventory = shop();
    assert!(matches!(inventory.commit("none"), Err(Error::NotFound(_))));
    inventory.reserve("o1", &[line("A", 1)], NOW, TTL).unwrap();
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
    conflict_text(inventory.reserve("o1", &[line("A", 1)], NOW, TTL));
    inventory.reserve("o2", &[line("A", 1)], NOW, TTL).unwrap();
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
        .reserve("held", &[line("A", 1)], NOW, TTL)
        .unwrap();
    assert_eq!(
        inventory.cancel("held", NOW).unwrap().state,
        State::Released
    );
    inventory
        .reserve("sold", &[line("A", 1), line("B", 4)], NOW, TTL)
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
    conflict_text(inventory.reserve("never", &[line("A", 1)], NOW, TTL));
    assert_eq!(
        (level(&inventory, "A"), level(&inventory, "B")),
        ((5, 0, 5), (5, 0, 5))
    );
}

#[test]
fn lapsed_reservations_expire() {
    let inventory = shop();
    inventory
        .reserve("late", &[line("A", 3), line("B", 1)], NOW, TTL)
        .unwrap();
    inventory
        .reserve("sold", &[line("A", 1)], NOW, TTL)
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
        .reserve("late", &[line("A", 5)], NOW, TTL)
        .unwrap();
    conflict_text(inventory.reserve("early", &[line("A", 1)], NOW, TTL));
    inventory
        .reserve("next", &[line("A", 5)], NOW + TTL, TTL)
        .unwrap();
    assert_eq!(level(&inventory, "A"), (5, 5, 0));
}

#[test]
fn last_units_go_to_exactly_as_many_orders() {
    let inventory = shop();
    let sold: Vec<bool> = std::thread::scope(|threads| {
        let inventory = &inventory;
        let buy = |n: usize| {
            let order = format!("o{n}");
            let lines = [line("B", 1), line("A", 1)];
            let bought = inventory.reserve(&order, &lines, NOW, TTL).is_ok();
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
                let _ = inventory.reserve("o", &lines, NOW, TTL);
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

/// A store whose host dies at a write.
struct Dying {
    memory: Memory,
    writes_left: Arc<AtomicUsize>,
}

impl Dying {
    fn write(&self) -> Result<(), Error> {
        let left = self
            .writes_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        left.map(drop)
            .map_err(|_| unavailable!("the host has died"))
    }
}

impl Store for Dying {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.memory.get(key)
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.memory.get_many(keys)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.write()?;
        self.memory.set(key, value)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.write()?;
        self.memory.delete(key)
    }

    fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Error> {
        self.memory.keys(cursor)
    }

    fn update(&self, key: &str, change: &mut StoreChange<'_>) -> Result<(), Error> {
        self.memory.update(key, &mut |current| {
            let changed = change(current)?;
            if changed.is_some() {
                self.write()?;
            }
            Ok(changed)
        })
    }
}

fn dying(writes_left: &Arc<AtomicUsize>) -> Arc<Dying> {
    Arc::new(Dying {
        memory: Memory::default(),
        writes_left: writes_left.clone(),
    })
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
            &|| inventory.reserve("o", &lines, NOW, TTL),
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
    inventory.reserve("o", &[line("A", 2)], NOW, TTL).unwrap();
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
    let _ = inventory.reserve("o", &[line("A", 2), line("B", 4)], NOW, TTL);
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
        .reserve("else", &[line("A", 1), line("B", 1)], NOW, TTL * 9)
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
