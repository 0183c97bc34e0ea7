use stoa_sdk::Money;

use super::*;
use crate::bindings::shop::product::products::Product;
use crate::testing::{Buckets, Shop, product, stock, translation};

fn region() -> Region {
    Region {
        code: "eu".into(),
        currency: "EUR".into(),
        countries: vec!["DE".into()],
        languages: vec!["de".into(), "fr".into(), "en".into()],
        tax_inclusive: true,
        locations: vec!["berlin".into(), "lyon".into()],
    }
}

/// A product of one variant with its prices.
fn priced(id: &str, name: &str, category: &str, prices: &[&str]) -> Product {
    let mut product = product(id, name);
    product.category = Some(category.into());
    let prices = prices.iter().map(|price| price.parse::<Money>().unwrap());
    product.variants[0].prices = prices.collect();
    product
}

/// Some products, with their units in Berlin and many in Tokyo, as a catalog heard of them.
fn heard(products: Vec<(Product, u64)>) -> (Shop, Buckets) {
    let (shop, buckets) = (Shop::default(), Buckets::new());
    for (product, units) in products {
        let sku = product.variants[0].sku.clone();
        let units = stock(&sku, 1, &[("berlin", units), ("tokyo", 99)]);
        buckets.copies.stock(&units).unwrap();
        let changed = crate::changes::Changed::Stock(sku);
        buckets.changes.add(&[changed]).unwrap();
        let (id, version) = (product.id.clone(), product.version);
        shop.put(product);
        buckets.hear(&shop, &id, version).unwrap();
    }
    // All of them can be answered without it.
    shop.is_down.set(true);
    (shop, buckets)
}

fn some() -> (Shop, Buckets) {
    heard(vec![
        (
            priced("0", "Espresso cup", "kitchen", &["12.90 EUR", "15.00 USD"]),
            3,
        ),
        (priced("1", "Teapot", "kitchen", &["39.00 EUR"]), 0),
        (priced("2", "Desk lamp", "office", &["59.00 EUR"]), 1),
        (priced("3", "Only overseas", "office", &["10.00 USD"]), 5),
        (priced("4", "armchair", "living", &["249.00 EUR"]), 2),
    ])
}

fn names(page: &ItemPage) -> String {
    let names: Vec<_> = page.items.iter().map(|item| item.name.as_str()).collect();
    names.join(", ")
}

#[test]
fn item_has_the_regions_price_and_stock() {
    let (_, buckets) = some();
    let catalog = Catalog::new(region(), None, buckets.kept());
    let item = catalog.get("0").unwrap();
    assert_eq!(item.price, "12.90 EUR".parse().unwrap());
    assert_eq!((item.variants[0].available, item.in_stock), (3, true));
    let listed = catalog.list(
        &Filter::default(),
        Sort::Created,
        &Part::default(),
        &mut Warm::default(),
    );
    assert_eq!(listed.unwrap().items[0], item);
    for missing in ["3", "none"] {
        assert!(
            matches!(catalog.get(missing), Err(Error::NotFound(_))),
            "{missing}"
        );
    }
}

#[test]
fn filters_narrow_lists_and_searches() {
    let (_, buckets) = some();
    let catalog = Catalog::new(region(), None, buckets.kept());
    let mut warm = Warm::default();
    let mut list = |filter| {
        let page = catalog
            .list(&filter, Sort::Created, &Part::default(), &mut warm)
            .unwrap();
        assert_eq!(page.next, None);
        names(&page)
    };
    let all = Filter::default();
    let kitchen = Filter {
        category: Some("kitchen".into()),
        ..all.clone()
    };
    assert_eq!(list(kitchen.clone()), "Espresso cup, Teapot");
    let between = Filter {
        min_price: Some(3900),
        max_price: Some(5900),
        ..all.clone()
    };
    assert_eq!(list(between.clone()), "Teapot, Desk lamp");
    let in_stock = Filter {
        in_stock: true,
        ..all
    };
    assert_eq!(list(in_stock.clone()), "Espresso cup, Desk lamp, armchair");
    let mut search = |filter| {
        names(
            &catalog
                .search("sku", &filter, &Part::default(), &mut warm)
                .unwrap(),
        )
    };
    assert_eq!(search(kitchen), "Espresso cup, Teapot");
    assert_eq!(search(between), "Teapot, Desk lamp");
    assert_eq!(search(in_stock), "Espresso cup, Desk lamp, armchair");
    let nothing = catalog.search(" ,", &Filter::default(), &Part::default(), &mut warm);
    assert!(matches!(nothing, Err(Error::Invalid(_))));
}

#[test]
fn every_sort_goes_through_all_pages() {
    let (_, buckets) = some();
    let catalog = Catalog::new(region(), None, buckets.kept());
    let mut warm = Warm::default();
    for (sort, expected) in [
        (Sort::Created, "Espresso cup, Teapot, Desk lamp, armchair"),
        (Sort::Name, "armchair, Desk lamp, Espresso cup, Teapot"),
        (Sort::PriceAsc, "Espresso cup, Teapot, Desk lamp, armchair"),
        (Sort::PriceDesc, "armchair, Desk lamp, Teapot, Espresso cup"),
    ] {
        let mut part = Part {
            limit: Some(2),
            ..Part::default()
        };
        let mut pages = Vec::new();
        loop {
            let page = catalog
                .list(&Filter::default(), sort, &part, &mut warm)
                .unwrap();
            pages.push(names(&page));
            part.cursor = page.next;
            if part.cursor.is_none() {
                break;
            }
        }
        assert_eq!(pages.join(", "), expected, "{sort:?}");
    }
}

#[test]
fn names_come_in_the_language_of_who_reads_them() {
    let mut cup = priced("0", "Cup", "kitchen", &["1.00 EUR"]);
    let mut french = translation("fr", "Tasse à café");
    french.description = Some("Pour le café".into());
    cup.translations = Some(vec![translation("de", "Espressotasse"), french]);
    cup.description = Some("For coffee".into());
    let lamp = priced("1", "Desk lamp", "office", &["1.00 EUR"]);
    let (_, buckets) = heard(vec![(cup, 1), (lamp, 1)]);
    let mut warm = Warm::default();
    let mut seen = |languages: Option<&str>| {
        let catalog = Catalog::new(region(), languages, buckets.kept());
        let listed = catalog
            .list(&Filter::default(), Sort::Name, &Part::default(), &mut warm)
            .unwrap();
        let item = catalog.get("0").unwrap();
        (
            names(&listed),
            item.language.unwrap_or_default(),
            item.description,
        )
    };
    let seen_by = |names: &str, language: &str, description: Option<&str>| {
        (
            names.to_owned(),
            language.to_owned(),
            description.map(str::to_owned),
        )
    };
    let german = seen_by("Desk lamp, Espressotasse", "de", None);
    assert_eq!(seen(None), german);
    assert_eq!(seen(Some("ja")), german);
    assert_eq!(
        seen(Some("fr-CA, de;q=0.9")),
        seen_by("Desk lamp, Tasse à café", "fr", Some("Pour le café"))
    );
    assert_eq!(
        seen(Some("en")),
        seen_by("Cup, Desk lamp", "", Some("For coffee"))
    );
    let catalog = Catalog::new(region(), Some("en"), buckets.kept());
    for typed in ["espressotase", "CAFE", "coffee"] {
        let found = catalog.search(typed, &Filter::default(), &Part::default(), &mut warm);
        assert_eq!(names(&found.unwrap()), "Cup", "{typed}");
    }
}

#[test]
fn facets_say_what_another_choice_would_find() {
    let (_, buckets) = some();
    let catalog = Catalog::new(region(), None, buckets.kept());
    let filter = Filter {
        category: Some("kitchen".into()),
        in_stock: true,
        ..Filter::default()
    };
    let part = Part {
        facets: true,
        limit: Some(1),
        ..Part::default()
    };
    let mut warm = Warm::default();
    let page = catalog.list(&filter, Sort::Name, &part, &mut warm).unwrap();
    let facets = page.facets.unwrap();
    assert_eq!((facets.total, facets.in_stock), (1, 1));
    let categories = facets.categories.iter();
    let categories: Vec<_> = categories
        .map(|counted| (counted.category.as_str(), counted.count))
        .collect();
    assert_eq!(categories, [("kitchen", 1), ("living", 1), ("office", 1)]);
    let prices = facets.prices.iter();
    let prices: Vec<_> = prices
        .map(|counted| (counted.from, counted.to, counted.count))
        .collect();
    assert_eq!(prices, [(1000, 2000, 1)]);
    let unasked = catalog.list(&filter, Sort::Name, &Part::default(), &mut warm);
    assert_eq!(unasked.unwrap().facets, None);
}
