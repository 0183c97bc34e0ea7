use std::cell::Cell;

use stoa_sdk::Money;

use super::*;
use crate::bindings::shop::product::inventory::{Level, Stock};
use crate::bindings::shop::product::products::{ProductPage, ProductVariant};

/// Products with ids that sort, and one level of stock for each SKU.
struct Fake {
    products: Vec<Product>,
    stock: Vec<Stock>,
    calls: Cell<u32>,
}

impl Source for &Fake {
    fn product(&self, id: &str) -> Result<Product, Error> {
        let found = self.products.iter().find(|product| product.id == id);
        found.cloned().ok_or_else(|| not_found!("no product {id}"))
    }

    fn products(
        &self,
        currency: &str,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<ProductPage, Error> {
        self.calls.set(self.calls.get() + 1);
        let sold = self.products.iter().filter(|product| {
            let mut prices = product.variants.iter().flat_map(|variant| &variant.prices);
            prices.any(|price| price.currency == currency)
        });
        let sold: Vec<_> = sold.cloned().collect();
        let start: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let end = (start + limit as usize).min(sold.len());
        let next = (end < sold.len()).then(|| end.to_string());
        Ok(ProductPage {
            items: sold[start..end].to_vec(),
            next,
        })
    }

    fn stock(&self, skus: &[String]) -> Result<Vec<Stock>, Error> {
        self.calls.set(self.calls.get() + 1);
        Ok(self
            .stock
            .iter()
            .filter(|stock| skus.contains(&stock.sku))
            .cloned()
            .collect())
    }
}

impl Fake {
    fn new() -> Self {
        Self {
            products: Vec::new(),
            stock: Vec::new(),
            calls: Cell::new(0),
        }
    }

    /// A product of one variant with its price and its stock in Berlin.
    fn with(mut self, name: &str, category: &str, prices: &[&str], units: u64) -> Self {
        let n = self.products.len();
        let sku = format!("SKU-{n}");
        let prices = prices
            .iter()
            .map(|price| price.parse::<Money>().unwrap())
            .collect();
        self.products.push(Product {
            id: format!("{n:04}"),
            name: name.into(),
            description: None,
            category: Some(category.into()),
            variants: vec![ProductVariant {
                sku: sku.clone(),
                title: None,
                prices,
            }],
            created_at: String::new(),
            updated_at: String::new(),
            version: 1,
        });
        let level = |location: &str, available| Level {
            location: location.into(),
            on_hand: available,
            reserved: 0,
            available,
        };
        let levels = vec![level("berlin", units), level("tokyo", 99)];
        self.stock.push(Stock {
            sku,
            on_hand: 0,
            reserved: 0,
            available: 0,
            levels,
            version: 1,
        });
        self
    }

    fn catalog(&self) -> Catalog<&Self> {
        let region = Region {
            code: "eu".into(),
            currency: "EUR".into(),
            countries: vec!["DE".into()],
            languages: vec!["de".into()],
            tax_inclusive: true,
            locations: vec!["berlin".into(), "lyon".into()],
        };
        Catalog::new(region, self)
    }
}

fn shop() -> Fake {
    Fake::new()
        .with("Espresso cup", "kitchen", &["12.90 EUR", "15.00 USD"], 3)
        .with("Teapot", "kitchen", &["39.00 EUR"], 0)
        .with("Desk lamp", "office", &["59.00 EUR"], 1)
        .with("Only overseas", "office", &["10.00 USD"], 5)
        .with("armchair", "living", &["249.00 EUR"], 2)
}

fn names(page: &ItemPage) -> Vec<&str> {
    page.items.iter().map(|item| item.name.as_str()).collect()
}

#[test]
fn item_has_the_regions_price_and_stock() {
    let fake = shop();
    let item = fake.catalog().get("0000").unwrap();
    assert_eq!(item.price, "12.90 EUR".parse().unwrap());
    assert_eq!((item.variants[0].available, item.in_stock), (3, true));
    assert!(matches!(
        fake.catalog().get("0003"),
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        fake.catalog().get("none"),
        Err(Error::NotFound(_))
    ));
}

#[test]
fn one_page_takes_two_calls() {
    let fake = shop();
    let page = fake
        .catalog()
        .list(&Filter::default(), Sort::Created, Some(3), None)
        .unwrap();
    assert_eq!(names(&page), ["Espresso cup", "Teapot", "Desk lamp"]);
    assert_eq!(fake.calls.get(), 2);
}

#[test]
fn filters_narrow_the_list() {
    let fake = shop();
    let list = |filter| {
        let page = fake
            .catalog()
            .list(&filter, Sort::Created, None, None)
            .unwrap();
        assert_eq!(page.next, None);
        names(&page).join(", ")
    };
    let all = Filter::default;
    assert_eq!(
        list(Filter {
            category: Some("kitchen".into()),
            ..all()
        }),
        "Espresso cup, Teapot"
    );
    assert_eq!(
        list(Filter {
            min_price: Some(3900),
            max_price: Some(5900),
            ..all()
        }),
        "Teapot, Desk lamp"
    );
    assert_eq!(
        list(Filter {
            in_stock: true,
            ..all()
        }),
        "Espresso cup, Desk lamp, armchair"
    );
}

#[test]
fn every_sort_goes_through_all_pages() {
    let fake = shop();
    for (sort, expected) in [
        (
            Sort::Created,
            ["Espresso cup", "Teapot", "Desk lamp", "armchair"],
        ),
        (
            Sort::Name,
            ["armchair", "Desk lamp", "Espresso cup", "Teapot"],
        ),
        (
            Sort::PriceAsc,
            ["Espresso cup", "Teapot", "Desk lamp", "armchair"],
        ),
        (
            Sort::PriceDesc,
            ["armchair", "Desk lamp", "Teapot", "Espresso cup"],
        ),
    ] {
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = fake
                .catalog()
                .list(&Filter::default(), sort, Some(2), cursor.as_deref())
                .unwrap();
            listed.extend(page.items.into_iter().map(|item| item.name));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected, "{sort:?}");
    }
}

#[test]
fn search_finds_beginnings_and_typing_errors_best_first() {
    let fake = shop().with("Cup", "kitchen", &["5.00 EUR"], 1).with(
        "Espresso machine",
        "kitchen",
        &["499.00 EUR"],
        1,
    );
    let search = |text: &str| {
        let page = fake
            .catalog()
            .search(text, &Filter::default(), None, None)
            .unwrap();
        names(&page).join(", ")
    };
    assert_eq!(search("cup"), "Espresso cup, Cup");
    assert_eq!(search("espreso"), "Espresso cup, Espresso machine");
    assert_eq!(search("machine kitch"), "Espresso machine");
    assert_eq!(search("SKU-2"), "Desk lamp");
    assert_eq!(search("LAMP office"), "Desk lamp");
    assert_eq!(search("zebra"), "");
    assert!(matches!(
        fake.catalog().search(" ,", &Filter::default(), None, None),
        Err(Error::Invalid(_))
    ));
}
