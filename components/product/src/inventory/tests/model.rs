//! Any sequence of calls, also cut off at any write, against a plain model of the stock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::interrupted::dying;
use super::*;

/// What is asked of the inventory.
#[derive(Debug, Clone)]
enum Ask {
    Adjust(usize, i64),
    Reserve(usize, u32, u32),
    Commit(usize),
    Release(usize),
    Cancel(usize),
    Ship(usize),
    TakeBack(usize, usize, u32),
    /// Time goes by, and what lapsed is tidied up.
    Expire,
}

const SKUS: [&str; 2] = ["A", "B"];
const ORDERS: [&str; 3] = ["o1", "o2", "o3"];
const RETURNS: [&str; 2] = ["r1", "r2"];

fn asks() -> impl Strategy<Value = Ask> {
    let (sku, order) = (0..SKUS.len(), 0..ORDERS.len());
    prop_oneof![
        (sku, -6..8_i64).prop_map(|(sku, delta)| Ask::Adjust(sku, delta)),
        (order.clone(), 0..4_u32, 1..4_u32).prop_map(|(order, a, b)| Ask::Reserve(order, a, b)),
        order.clone().prop_map(Ask::Commit),
        order.clone().prop_map(Ask::Release),
        order.clone().prop_map(Ask::Cancel),
        order.clone().prop_map(Ask::Ship),
        (order, 0..RETURNS.len(), 1..4_u32).prop_map(|(order, id, n)| Ask::TakeBack(order, id, n)),
        Just(Ask::Expire),
    ]
}

/// The same without any thought of crashes.
#[derive(Debug, Default)]
struct Model {
    on_hand: [i64; 2],
    orders: BTreeMap<usize, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    state: State,
    units: [u32; 2],
    back: BTreeMap<usize, u32>,
    until: Timestamp,
}

impl Model {
    fn reserved(&self, sku: usize) -> i64 {
        let open = |known: &&Known| matches!(known.state, State::Held | State::Committed);
        let held = self.orders.values().filter(open);
        held.map(|known| i64::from(known.units[sku])).sum()
    }

    /// Whether it is done, and what it does.
    fn ask(&mut self, ask: &Ask, now: Timestamp) -> bool {
        match *ask {
            Ask::Adjust(sku, delta) => {
                self.lapse(now);
                let after = self.on_hand[sku] + delta;
                let fits = delta != 0 && after >= self.reserved(sku);
                if fits {
                    self.on_hand[sku] = after;
                }
                fits
            }
            Ask::Reserve(order, a, b) => self.reserve(order, [a, b], now),
            Ask::Commit(order) => self.step(order, State::Held, State::Committed),
            Ask::Release(order) => self.step(order, State::Held, State::Released),
            Ask::Cancel(order) => {
                let known = self.orders.entry(order).or_insert(Known {
                    state: State::Released,
                    units: [0; 2],
                    back: BTreeMap::new(),
                    until: now,
                });
                known.state = match known.state {
                    State::Held => State::Released,
                    State::Committed => State::Returned,
                    other => other,
                };
                true
            }
            Ask::Ship(order) => {
                let was = self.orders.get(&order).map(|known| known.state);
                let done = self.step(order, State::Committed, State::Shipped);
                if done && was == Some(State::Committed) {
                    for sku in 0..2 {
                        self.on_hand[sku] -= i64::from(self.orders[&order].units[sku]);
                    }
                }
                done
            }
            Ask::TakeBack(order, id, n) => {
                let known = self.orders.get_mut(&order);
                let Some(known) = known.filter(|known| known.state == State::Shipped) else {
                    return false;
                };
                if let Some(before) = known.back.get(&id) {
                    return *before == n;
                }
                let fits = known.back.values().sum::<u32>() + n <= known.units[1];
                if fits {
                    known.back.insert(id, n);
                    self.on_hand[1] += i64::from(n);
                }
                fits
            }
            Ask::Expire => {
                self.lapse(now);
                true
            }
        }
    }

    fn reserve(&mut self, order: usize, units: [u32; 2], now: Timestamp) -> bool {
        if let Some(known) = self.orders.get(&order) {
            let open = matches!(known.state, State::Held | State::Committed);
            return open && known.units == units;
        }
        let fits = |model: &Self| {
            (0..2).all(|sku| model.on_hand[sku] - model.reserved(sku) >= i64::from(units[sku]))
        };
        if !fits(self) {
            // Who finds too little looks for what lapsed.
            self.lapse(now);
        }
        let state = match fits(self) {
            true => State::Held,
            false => State::Released,
        };
        let known = Known {
            state,
            units,
            back: BTreeMap::new(),
            until: now + TTL,
        };
        self.orders.insert(order, known);
        state == State::Held
    }

    fn step(&mut self, order: usize, from: State, to: State) -> bool {
        let Some(known) = self.orders.get_mut(&order) else {
            return false;
        };
        let allowed = known.state == from || known.state == to;
        if allowed {
            known.state = to;
        }
        allowed
    }

    fn lapse(&mut self, now: Timestamp) {
        for known in self.orders.values_mut() {
            if known.state == State::Held && known.until <= now {
                known.state = State::Expired;
            }
        }
    }
}

fn ask(inventory: &Inventory, products: &Products, ask: &Ask, now: Timestamp) -> Result<(), Error> {
    match *ask {
        Ask::Adjust(sku, delta) => {
            let change = StockChange {
                location: "berlin".into(),
                delta,
                reason: None,
            };
            let adjustment = Adjustment {
                sku: SKUS[sku],
                change: &change,
                conditions: None,
            };
            inventory.adjust(products, adjustment, now).map(drop)
        }
        Ask::Reserve(order, a, b) => {
            let lines = [line("A", a), line("B", b)];
            let lines = &lines[usize::from(a == 0)..];
            let held = inventory.reserve(ORDERS[order], anywhere(lines), now, TTL);
            held.map(drop)
        }
        Ask::Commit(order) => inventory.commit(ORDERS[order]).map(drop),
        Ask::Release(order) => inventory.release(ORDERS[order]).map(drop),
        Ask::Cancel(order) => inventory.cancel(ORDERS[order], now).map(drop),
        Ask::Ship(order) => inventory.ship(ORDERS[order], now).map(drop),
        Ask::TakeBack(order, id, n) => {
            let lines = [line("B", n)];
            let back = inventory.take_back(ORDERS[order], RETURNS[id], &lines, now);
            back.map(drop)
        }
        Ask::Expire => inventory.expire(now).map(drop),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A call that a crash cut off is made again, as its caller does; the answer and the
    /// stock are those of the model, whatever was done before the crash.
    #[test]
    fn the_stock_is_as_the_model_has_it(
        steps in prop::collection::vec((asks(), 0..30_usize, 0..600_u64), 1..40),
    ) {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let inventory = Inventory::new(Bucket::over(dying(&left)), Bucket::over(dying(&left)));
        let (products, mut model, mut now) = (products(&SKUS), Model::default(), NOW);
        for sku in SKUS {
            stock(&inventory, sku, "berlin", 4);
        }
        model.on_hand = [4, 4];
        for (step, writes, seconds) in steps {
            now = now + Duration::from_secs(seconds);
            left.store(writes, Ordering::SeqCst);
            let mut done = ask(&inventory, &products, &step, now);
            left.store(usize::MAX, Ordering::SeqCst);
            // Every other call can be repeated; a change of stock is written in one step.
            let cut_off = matches!(done, Err(Error::Unavailable(_)));
            if cut_off {
                done = ask(&inventory, &products, &step, now);
            }
            let expected = model.ask(&step, now);
            prop_assert_eq!(done.is_ok(), expected, "{:?} at {}: {:?}", step, now, done);
            inventory.expire(now).unwrap();
            model.lapse(now);
            for (at, sku) in SKUS.iter().enumerate() {
                let (on_hand, reserved, _) = level(&inventory, sku);
                let expected = (model.on_hand[at] as u64, model.reserved(at) as u64);
                prop_assert_eq!((on_hand, reserved), expected, "{} after {:?}", sku, step);
            }
        }
    }
}
