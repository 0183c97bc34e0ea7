use super::*;
use crate::Filter;
use crate::changes::Saved;
use crate::index::{Ask, Order};
use crate::testing::{Buckets, NOW, Shop, product, stock};

/// The ids that an instance lists, and whether each can be ordered in Berlin.
fn listed(buckets: &Buckets, warm: &mut Warm) -> String {
    let index = warm.index(buckets.kept()).unwrap();
    let mut list = |in_stock| {
        let answer = index.ask(&Ask {
            currency: "EUR",
            locations: &["berlin".to_owned()],
            filter: &Filter {
                in_stock,
                ..Filter::default()
            },
            order: Order::Created,
            facets: false,
            limit: 100,
            cursor: None,
        });
        answer.unwrap().ids.join(" ")
    };
    format!("{} / {}", list(false), list(true))
}

#[test]
fn every_instance_follows_what_it_hears() {
    let (shop, buckets) = (Shop::default(), Buckets::new());
    let (mut early, mut late) = (Warm::default(), Warm::default());
    assert_eq!(listed(&buckets, &mut early), " / ");
    shop.put(product("a", "Cup"));
    shop.put(product("b", "Teapot"));
    buckets.hear(&shop, "a", 1).unwrap();
    buckets.hear(&shop, "b", 1).unwrap();
    assert_eq!(listed(&buckets, &mut early), "a b / ");
    let units = stock("SKU-b", 1, &[("berlin", 2)]);
    shop.stock.borrow_mut().insert("SKU-b".into(), units);
    buckets
        .intake(&shop)
        .stock("SKU-b", &mut early, NOW)
        .unwrap();
    shop.products.borrow_mut().remove("a");
    buckets.hear(&shop, "a", 2).unwrap();
    for warm in [&mut early, &mut late] {
        assert_eq!(listed(&buckets, warm), "b / b");
    }
}

#[test]
fn what_could_not_be_read_is_told_again() {
    let (shop, buckets) = (Shop::default(), Buckets::new());
    shop.put(product("a", "Cup"));
    shop.is_down.set(true);
    let failed = buckets.hear(&shop, "a", 1);
    assert!(matches!(failed, Err(Error::Unavailable(_))));
    assert_eq!(listed(&buckets, &mut Warm::default()), " / ");
    shop.is_down.set(false);
    buckets.hear(&shop, "a", 1).unwrap();
    assert_eq!(listed(&buckets, &mut Warm::default()), "a / ");
}

#[test]
fn answers_are_forgotten_when_customers_would_see_it() {
    let (shop, buckets) = (Shop::default(), Buckets::new());
    let mut warm = Warm::default();
    let mut forgotten = |version, units: u64| {
        let before = shop.forgotten.get();
        let units = stock("SKU-a", version, &[("berlin", units)]);
        shop.stock.borrow_mut().insert("SKU-a".into(), units);
        buckets
            .intake(&shop)
            .stock("SKU-a", &mut warm, NOW)
            .unwrap();
        shop.forgotten.get() - before
    };
    assert_eq!(forgotten(1, 2), 1);
    assert_eq!(forgotten(2, 1), 0, "one less");
    assert_eq!(forgotten(3, 0), 1, "sold out");
    assert_eq!(forgotten(3, 0), 1, "a delivery that may have been cut off");
    assert_eq!(forgotten(2, 1), 0, "an old one");
    shop.put(product("a", "Cup"));
    buckets.hear(&shop, "a", 1).unwrap();
    assert_eq!(shop.forgotten.get(), 4);
}

#[test]
fn a_new_instance_begins_with_what_others_saved() {
    let (shop, buckets) = (Shop::default(), Buckets::new());
    let mut warm = Warm::default();
    for number in 0..3000 {
        let id = format!("{number:05}");
        shop.put(product(&id, "Cup"));
        let intake = buckets.intake(&shop);
        intake.product(&id, 1, &mut warm, NOW).unwrap();
    }
    let head = buckets.changes.head(None).unwrap().unwrap();
    let saved = head
        .saved
        .as_ref()
        .expect("there were enough changes to save it");
    assert_eq!(saved.number, 2048);
    assert_eq!(
        buckets.changes.since(&head, 0).unwrap(),
        None,
        "it is needed"
    );
    let mut fresh = Warm::default();
    assert_eq!(fresh.index(buckets.kept()).unwrap().len(), 3000);
    assert_eq!(listed(&buckets, &mut fresh), listed(&buckets, &mut warm));
}

#[test]
fn an_index_that_can_not_be_read_is_made_of_the_copies() {
    let (shop, buckets) = (Shop::default(), Buckets::new());
    let mut warm = Warm::default();
    for id in ["a", "b"] {
        shop.put(product(id, "Cup"));
        buckets.hear(&shop, id, 1).unwrap();
    }
    let units = stock("SKU-b", 1, &[("berlin", 2)]);
    shop.stock.borrow_mut().insert("SKU-b".into(), units);
    buckets
        .intake(&shop)
        .stock("SKU-b", &mut warm, NOW)
        .unwrap();
    let mut saved = Saved::draft(3, 2, NOW);
    buckets.changes.write(&mut saved, b"\xff\xff\xff").unwrap();
    buckets.changes.adopt(&saved, NOW).unwrap();
    assert_eq!(listed(&buckets, &mut Warm::default()), "a b / b");
}
