use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use stoa_sdk::Money;
use stoa_sdk::store::{Access, Store, Watched};

use super::*;
use crate::bindings::exports::shop::product::products::Translation;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LATER: Timestamp = Timestamp::from_millis(1_800_000_061_000);

fn cup(skus: &[&str]) -> NewProduct {
    let variant = |sku: &&str| ProductVariant {
        sku: (*sku).to_owned(),
        title: None,
        prices: vec![Money {
            minor: 1290,
            currency: "EUR".into(),
        }],
    };
    NewProduct {
        name: "Cup".into(),
        description: None,
        category: Some("kitchen".into()),
        variants: skus.iter().map(variant).collect(),
        translations: None,
    }
}

fn skus(offers: &[Offer]) -> Vec<&str> {
    offers.iter().map(|offer| offer.sku.as_str()).collect()
}

fn asked(skus: &[&str]) -> Vec<String> {
    skus.iter().map(ToString::to_string).collect()
}

#[test]
fn created_product_is_found_by_id_and_sku() {
    let shop = Products::in_memory();
    let made = shop.create(cup(&["A", "B"]), NOW).unwrap();
    assert_eq!(
        (made.version, made.created_at.as_str()),
        (1, "2027-01-15T08:00:00.000Z")
    );
    assert_eq!(shop.get(&made.id).unwrap(), made);
    let offers = shop.find(&asked(&["B", "NONE", "A"])).unwrap();
    assert_eq!(skus(&offers), ["B", "A"]);
    assert_eq!(offers[0].product_id, made.id);
}

#[test]
fn sku_has_one_owner() {
    let shop = Products::in_memory();
    let first = shop.create(cup(&["B"]), NOW).unwrap();
    let refused = shop.create(cup(&["A", "B", "C"]), NOW);
    assert!(
        matches!(refused, Err(Error::Conflict(text)) if text.contains("B") && text.contains(&first.id))
    );
    // What the refused one had claimed is free at once.
    shop.create(cup(&["A", "C"]), NOW).unwrap();
    assert!(shop.update(&first.id, cup(&["B", "C"]), None, NOW).is_err());
}

#[test]
fn update_moves_skus_and_obeys_if_match() {
    let shop = Products::in_memory();
    let made = shop.create(cup(&["A", "B"]), NOW).unwrap();
    let changed = shop
        .update(
            &made.id,
            cup(&["B", "C"]),
            Some(Conditions::Version(1)),
            LATER,
        )
        .unwrap();
    assert_eq!(changed.version, 2);
    assert_eq!(changed.created_at, made.created_at);
    assert_ne!(changed.updated_at, made.updated_at);
    assert_eq!(
        skus(&shop.find(&asked(&["A", "B", "C"])).unwrap()),
        ["B", "C"]
    );
    let stale = shop.update(&made.id, cup(&["B"]), Some(Conditions::Version(1)), LATER);
    assert!(matches!(stale, Err(Error::PreconditionFailed(_))));
    shop.create(cup(&["A"]), LATER).unwrap();
}

#[test]
fn deleted_product_is_gone_and_frees_its_skus() {
    let shop = Products::in_memory();
    let made = shop.create(cup(&["A"]), NOW).unwrap();
    assert!(matches!(
        shop.delete(&made.id, Some(Conditions::Version(7))),
        Err(Error::PreconditionFailed(_))
    ));
    shop.delete(&made.id, Some(Conditions::Version(1))).unwrap();
    assert!(matches!(shop.get(&made.id), Err(Error::NotFound(_))));
    assert!(matches!(
        shop.delete(&made.id, None),
        Err(Error::NotFound(_))
    ));
    assert!(shop.find(&asked(&["A"])).unwrap().is_empty());
    assert!(shop.list(None, None).unwrap().items.is_empty());
    assert!(sold_in(&shop, "EUR").is_empty());
    shop.create(cup(&["A"]), NOW).unwrap();
    assert_eq!(shop.entries.get(&made.id).unwrap().map(drop), None);
}

fn sold_in(shop: &Products, currency: &str) -> Vec<String> {
    let page = shop.list_in(currency, None, None).unwrap();
    page.items.into_iter().map(|product| product.id).collect()
}

#[test]
fn lists_of_a_currency_follow_the_prices() {
    let shop = Products::in_memory();
    let price = |currency: &str| Money {
        minor: 1,
        currency: currency.into(),
    };
    let mut abroad = cup(&["A"]);
    abroad.variants[0].prices = vec![price("USD"), price("EUR")];
    let first = shop.create(abroad, NOW).unwrap().id;
    let second = shop.create(cup(&["B"]), LATER).unwrap().id;
    assert_eq!(sold_in(&shop, "EUR"), [first.as_str(), &second]);
    assert_eq!(sold_in(&shop, "USD"), [first.as_str()]);
    let mut yen = cup(&["A"]);
    yen.variants[0].prices = vec![price("JPY")];
    shop.update(&first, yen, None, LATER).unwrap();
    assert!(sold_in(&shop, "USD").is_empty());
    assert_eq!(sold_in(&shop, "JPY"), [first]);
}

/// What a store is asked for.
#[derive(Debug, Default)]
struct Cost {
    keys: AtomicUsize,
    values: AtomicUsize,
}

impl Cost {
    fn store(self: &Arc<Self>) -> Arc<dyn Store> {
        let cost = self.clone();
        Arc::new(Watched::new(move |access| {
            match access {
                Access::List(keys) => cost.keys.fetch_add(keys, Ordering::SeqCst),
                Access::Read(values) => cost.values.fetch_add(values, Ordering::SeqCst),
                Access::Write => 0,
            };
            Ok(())
        }))
    }

    /// Keys and values that a page took.
    fn of(&self, page: &dyn Fn() -> Result<ProductPage, Error>) -> (usize, usize, ProductPage) {
        for count in [&self.keys, &self.values] {
            count.store(0, Ordering::SeqCst);
        }
        let page = page().unwrap();
        let (keys, values) = (&self.keys, &self.values);
        (
            keys.load(Ordering::SeqCst),
            values.load(Ordering::SeqCst),
            page,
        )
    }
}

#[test]
fn a_page_costs_the_page_however_many_products_there_are() {
    let cost = Arc::new(Cost::default());
    let index = cost.clone();
    let buckets = Mutex::new(BTreeMap::<String, Arc<dyn Store>>::new());
    let shop = Products::new(
        Bucket::over(cost.store()),
        Bucket::in_memory(),
        Index::over(move |name| {
            let mut buckets = buckets.lock().unwrap();
            let bucket = buckets.entry(name.to_owned());
            Ok(bucket.or_insert_with(|| index.store()).clone())
        }),
    );
    let mut made = 0;
    for products in [100, 10_000, 100_000] {
        for n in made..products {
            // One in fifty is sold in the other currency.
            let mut input = cup(&["A"]);
            if n % 50 == 7 {
                input.variants[0].prices[0].currency = "USD".into();
            }
            let id = format!("{n:08}");
            shop.sell_in(&id, currencies(&input.variants).iter())
                .unwrap();
            let product = product(id.clone(), input, NOW);
            let entry = Entry {
                product,
                deleted: false,
            };
            shop.entries.set(&id, &entry).unwrap();
        }
        made = products;
        for limit in [1, 20] {
            let page = |cursor: Option<&str>| shop.list(Some(limit), cursor);
            expect_cheap(&cost, limit as usize, page);
            // Two of a hundred are sold in the other currency.
            let few = (limit as usize).min(products / 50);
            expect_cheap(&cost, few, |cursor| {
                shop.list_in("USD", Some(limit), cursor)
            });
        }
    }
}

/// Fails unless the first page and the second cost little more than their items. The
/// memory's own pages are of seven keys.
fn expect_cheap(
    cost: &Cost,
    items: usize,
    list: impl Fn(Option<&str>) -> Result<ProductPage, Error>,
) {
    let (mut most, mut next) = (items + 6, None);
    for _ in 0..2 {
        let (keys, values, page) = cost.of(&|| list(next.as_deref()));
        assert!(
            keys <= most && values <= most,
            "{keys} keys, {values} values for {items} items"
        );
        assert!(page.items.len() == items || page.next.is_none());
        // A page that goes on reads its beginning again.
        most = items + 13;
        next = page.next;
        if next.is_none() {
            break;
        }
    }
}

#[test]
fn every_fault_of_the_input_is_reported() {
    let mut input = cup(&["A", "A", "no spaces", ".."]);
    input.name = "\u{3164} ".into();
    input.description = Some("\0".into());
    input.variants[0].title = Some(" ".into());
    input.category = Some("Kitchen".into());
    input.variants[1].prices = vec![
        Money {
            minor: -1,
            currency: "EUR".into(),
        },
        Money {
            minor: 1,
            currency: "EUR".into(),
        },
        Money {
            minor: 1,
            currency: "XXX".into(),
        },
    ];
    let Err(Error::Invalid(found)) = Products::in_memory().create(input, NOW) else {
        panic!("expected invalid")
    };
    let pointers: Vec<_> = found
        .iter()
        .map(|violation| violation.pointer.as_str())
        .collect();
    let expected = [
        "/name",
        "/description",
        "/category",
        "/variants/0/title",
        "/variants/1/sku",
        "/variants/1/prices/0/minor",
        "/variants/1/prices/1/currency",
        "/variants/1/prices/2/currency",
        "/variants/2/sku",
        "/variants/3/sku",
    ];
    assert_eq!(pointers, expected);
}

/// Remembers what it is told.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, u64)>>);

impl Tell for Heard {
    fn product(&self, id: &str, version: u64) -> Result<(), Error> {
        self.0.lock().unwrap().push((id.to_owned(), version));
        Ok(())
    }

    fn stock(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn each_change_is_told_with_its_version() {
    let heard = Arc::new(Heard::default());
    let shop = Products::in_memory().telling(heard.clone());
    let id = shop.create(cup(&["A"]), NOW).unwrap().id;
    assert!(shop.create(cup(&["A"]), NOW).is_err());
    shop.update(&id, cup(&["A"]), None, NOW).unwrap();
    let stale = shop.update(&id, cup(&["A"]), Some(Conditions::Version(1)), NOW);
    assert!(stale.is_err());
    shop.delete(&id, None).unwrap();
    assert!(shop.delete(&id, None).is_err());
    let told = heard.0.lock().unwrap().clone();
    assert_eq!(told, [1, 2, 3].map(|version| (id.clone(), version)));
}

#[test]
fn translations_are_kept_and_checked() {
    let shop = Products::in_memory();
    let translation = |language: &str, name: &str| Translation {
        language: language.into(),
        name: name.into(),
        description: None,
    };
    let named = |translations: Vec<Translation>| NewProduct {
        translations: Some(translations),
        ..cup(&["A"])
    };
    let fine = vec![translation("de", "Tasse"), translation("fr", "Tasse")];
    let made = shop.create(named(fine.clone()), NOW).unwrap();
    assert_eq!(shop.get(&made.id).unwrap().translations, Some(fine));
    let bad = vec![
        translation("de_DE", "Tasse"),
        translation("fr", ""),
        translation("FR", "x"),
    ];
    let Err(Error::Invalid(found)) = shop.update(&made.id, named(bad), None, NOW) else {
        panic!("expected invalid")
    };
    let pointers: Vec<_> = found.iter().map(|found| found.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/translations/0/language",
            "/translations/1/name",
            "/translations/2/language"
        ]
    );
}

#[test]
fn a_product_from_before_translations_is_read() {
    let shop = Products::in_memory();
    let made = shop.create(cup(&["A"]), NOW).unwrap();
    let mut kept = serde_json::to_value(&made).unwrap();
    kept.as_object_mut().unwrap().remove("translations");
    assert_eq!(serde_json::from_value::<Product>(kept).unwrap(), made);
}
