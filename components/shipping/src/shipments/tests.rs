use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use stoa_sdk::unavailable;

use super::*;
use crate::tariff::tests::tariff;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A carrier that can be away, and who is told.
#[derive(Default)]
struct World {
    is_away: AtomicBool,
    labels: AtomicUsize,
    told: Mutex<Vec<String>>,
}

impl World {
    fn told(&self) -> usize {
        self.told.lock().unwrap().len()
    }
}

impl Carrier for &World {
    fn label(&self, order: &str) -> Result<String, Error> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(unavailable!("the carrier is away"));
        }
        self.labels.fetch_add(1, Ordering::SeqCst);
        Ok(format!("NR-{order}"))
    }
}

impl Changes for &World {
    fn changed(&self, order: &str) -> Result<(), Error> {
        self.told.lock().unwrap().push(order.to_owned());
        Ok(())
    }
}

fn shipments(world: &World) -> Shipments<&World, &World> {
    Shipments::new(Bucket::in_memory(), world, world)
}

fn wanted(country: &str, service: &str) -> Wanted {
    Wanted {
        to: Address {
            name: "Ann".into(),
            street: "Domplatz 1".into(),
            city: "Köln".into(),
            postal_code: "50667".into(),
            country: country.into(),
        },
        service: service.into(),
        units: 2,
    }
}

fn create(shop: &Shipments<&World, &World>) -> Result<Shipment, Error> {
    shop.create("o", &wanted("DE", "standard"), &tariff(), NOW)
}

fn conflict_of(result: Result<Shipment, Error>) -> String {
    match result {
        Err(Error::Conflict(text)) => text,
        other => panic!("expected a conflict, found {other:?}"),
    }
}

#[test]
fn a_parcel_is_labelled_collected_and_brought() {
    let world = World::default();
    let shop = shipments(&world);
    let labelled = create(&shop).unwrap();
    assert_eq!((labelled.state, labelled.version), (State::Labelled, 2));
    assert_eq!(labelled.tracking.as_deref(), Some("NR-o"));
    assert_eq!(create(&shop).unwrap(), labelled);
    assert_eq!(world.labels.load(Ordering::SeqCst), 1);
    assert_eq!(world.told(), 0, "its caller knows");
    for (state, told) in [(State::InTransit, 1), (State::Delivered, 2)] {
        let scanned = shop.scan("o", state, NOW).unwrap();
        assert_eq!((scanned.state, scanned.version), (state, 2 + told));
        assert_eq!(shop.scan("o", state, NOW).unwrap(), scanned);
        assert_eq!(world.told() as u64, told);
        assert_eq!(shop.track("o").unwrap(), scanned);
        assert_eq!(create(&shop).unwrap(), scanned);
    }
}

#[test]
fn a_label_that_was_not_made_is_made_by_who_asks_again() {
    let world = World::default();
    let shop = shipments(&world);
    world.is_away.store(true, Ordering::SeqCst);
    assert!(matches!(create(&shop), Err(Error::Unavailable(_))));
    assert_eq!(shop.track("o").unwrap().state, State::Pending);
    conflict_of(shop.scan("o", State::InTransit, NOW));
    world.is_away.store(false, Ordering::SeqCst);
    // What was ordered is not refused since the tariff has changed.
    let again = shop.create("o", &wanted("DE", "standard"), &Tariff::default(), NOW);
    assert_eq!(again.unwrap().state, State::Labelled);
}

#[test]
fn an_order_has_one_shipment() {
    let shop_world = World::default();
    let shop = shipments(&shop_world);
    create(&shop).unwrap();
    let other = shop.create("o", &wanted("DE", "express"), &tariff(), NOW);
    assert!(conflict_of(other).contains("another shipment"));
    assert_eq!(shop.track("o").unwrap().service, "standard");
}

#[test]
fn what_was_cancelled_before_it_was_known_is_refused() {
    let world = World::default();
    let shop = shipments(&world);
    let cancelled = shop.cancel("o", NOW).unwrap();
    assert_eq!(cancelled.state, State::Cancelled);
    assert_eq!(shop.cancel("o", NOW).unwrap(), cancelled);
    let text = conflict_of(create(&shop));
    assert!(
        text.contains("is CANCELLED: it can't become LABELLED"),
        "{text}"
    );
    assert_eq!(world.labels.load(Ordering::SeqCst), 0);
}

/// Each of the steps that the state machine has, and none of the others.
#[test]
fn an_illegal_step_names_both_states() {
    use State::{Cancelled, Delivered, InTransit, Labelled, Pending, Returned};
    let names = [
        (Pending, "PENDING"),
        (Labelled, "LABELLED"),
        (InTransit, "IN_TRANSIT"),
        (Delivered, "DELIVERED"),
        (Returned, "RETURNED"),
        (Cancelled, "CANCELLED"),
    ];
    let mut legal = 0;
    for (from, from_name) in names {
        for (state, name) in names {
            let world = World::default();
            let shop = shipments(&world);
            let before = to(begun("o", &wanted("DE", "standard"), NOW), from, NOW);
            shop.shipments.set("o", &before).unwrap();
            let scanned = shop.scan("o", state, NOW);
            let is_legal = matches!(
                (from, state),
                (Labelled, InTransit) | (InTransit, Delivered | Returned)
            );
            legal += usize::from(is_legal);
            assert_eq!(world.told(), usize::from(is_legal));
            if is_legal || from == state {
                assert_eq!(scanned.unwrap().state, state);
            } else {
                let told = format!("is {from_name}: it can't become {name}");
                let text = conflict_of(scanned);
                assert!(text.contains(&told), "{text}");
                assert_eq!(shop.track("o").unwrap(), before);
            }
            shop.shipments.set("o", &before).unwrap();
            match (from, shop.cancel("o", NOW)) {
                (Pending | Labelled | Cancelled, cancelled) => {
                    assert_eq!(cancelled.unwrap().state, Cancelled);
                }
                (_, cancelled) => {
                    let told = format!("is {from_name}: it can't become CANCELLED");
                    assert!(conflict_of(cancelled).contains(&told));
                }
            }
        }
    }
    assert_eq!(legal, 3);
}

#[test]
fn of_create_and_cancel_at_once_nothing_is_sent() {
    for _ in 0..200 {
        let world = World::default();
        let shop = shipments(&world);
        std::thread::scope(|threads| {
            threads.spawn(|| create(&shop).map(drop));
            threads.spawn(|| shop.cancel("o", NOW).unwrap());
        });
        assert_eq!(shop.track("o").unwrap().state, State::Cancelled);
        conflict_of(shop.scan("o", State::InTransit, NOW));
    }
}

#[test]
fn what_can_not_be_sent_is_told_with_its_place() {
    let world = World::default();
    let shop = shipments(&world);
    let pointers = |order: &str, wanted: &Wanted| {
        let created = shop.create(order, wanted, &tariff(), NOW);
        match created {
            Err(Error::Invalid(found)) => found
                .into_iter()
                .map(|violation| violation.pointer)
                .collect::<Vec<_>>(),
            other => panic!("expected invalid, found {other:?}"),
        }
    };
    assert_eq!(pointers("o", &wanted("MX", "standard")), ["/to/country"]);
    assert_eq!(pointers("o", &wanted("FR", "express")), ["/service"]);
    let mut blank = nothing();
    blank.to.country = "DE".into();
    assert_eq!(
        pointers("", &blank),
        [
            "/order_id",
            "/to/name",
            "/to/street",
            "/to/city",
            "/to/postal_code",
            "/units",
            "/service"
        ]
    );
    assert!(matches!(shop.track("o"), Err(Error::NotFound(_))));
    let scanned = shop.scan("o", State::InTransit, NOW);
    assert!(matches!(scanned, Err(Error::NotFound(_))));
    assert!(matches!(shop.cancel("", NOW), Err(Error::Invalid(_))));
}
