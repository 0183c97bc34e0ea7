//! Products and stock for tests, and a product service that has them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use stoa_sdk::store::Memory;
use stoa_sdk::{Bucket, Error, Money, Timestamp, unavailable};

use crate::bindings::shop::product::inventory::{Level, Stock};
use crate::bindings::shop::product::products::{Product, ProductPage, ProductVariant, Translation};
use crate::{Changes, Copies, Edge, Intake, Kept, Later, Source, Warm};

/// A time.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A product that costs 12.50 EUR, with one SKU that its id names.
pub(crate) fn product(id: &str, name: &str) -> Product {
    Product {
        id: id.into(),
        name: name.into(),
        description: None,
        category: None,
        variants: vec![ProductVariant {
            sku: format!("SKU-{id}"),
            title: None,
            prices: vec![Money {
                minor: 1250,
                currency: "EUR".into(),
            }],
        }],
        translations: None,
        created_at: String::new(),
        updated_at: String::new(),
        version: 1,
    }
}

/// A name in a language.
pub(crate) fn translation(language: &str, name: &str) -> Translation {
    Translation {
        language: language.into(),
        name: name.into(),
        description: None,
    }
}

/// Stock of a SKU by location.
pub(crate) fn stock(sku: &str, version: u64, units: &[(&str, u64)]) -> Stock {
    let level = |(location, units): &(&str, u64)| Level {
        location: (*location).into(),
        on_hand: *units,
        reserved: 0,
        available: *units,
    };
    let total = units.iter().map(|(_, units)| units).sum();
    Stock {
        sku: sku.into(),
        on_hand: total,
        reserved: 0,
        available: total,
        levels: units.iter().map(level).collect(),
        version,
    }
}

/// A product service, and a gateway that counts.
#[derive(Default)]
pub(crate) struct Shop {
    pub(crate) products: RefCell<BTreeMap<String, Product>>,
    pub(crate) stock: RefCell<BTreeMap<String, Stock>>,
    /// Whether no call gets through.
    pub(crate) is_down: Cell<bool>,
    /// How often the gateway was told to forget answers.
    pub(crate) forgotten: Cell<u32>,
    /// Steps of rebuilds that are waiting.
    pub(crate) steps: RefCell<Vec<(String, u64)>>,
}

impl Shop {
    /// Adds a product, or changes it.
    pub(crate) fn put(&self, product: Product) {
        self.products
            .borrow_mut()
            .insert(product.id.clone(), product);
    }

    fn up(&self) -> Result<(), Error> {
        match self.is_down.get() {
            true => Err(unavailable!("the product service is down")),
            false => Ok(()),
        }
    }
}

impl Source for &Shop {
    fn product(&self, id: &str) -> Result<Option<Product>, Error> {
        self.up()?;
        Ok(self.products.borrow().get(id).cloned())
    }

    fn products(&self, limit: u32, cursor: Option<&str>) -> Result<ProductPage, Error> {
        self.up()?;
        let products = self.products.borrow();
        let rest = products
            .values()
            .filter(|product| Some(product.id.as_str()) > cursor);
        let items: Vec<_> = rest.clone().take(limit as usize).cloned().collect();
        let more = rest.count() > items.len();
        let next = items.last().filter(|_| more).map(|last| last.id.clone());
        Ok(ProductPage { items, next })
    }

    fn owners(&self, skus: &[String]) -> Result<Vec<(String, String)>, Error> {
        self.up()?;
        let products = self.products.borrow();
        let owned = products.values().flat_map(|product| {
            let variants = product.variants.iter();
            variants.map(|variant| (variant.sku.clone(), product.id.clone()))
        });
        Ok(owned.filter(|(sku, _)| skus.contains(sku)).collect())
    }

    fn stock(&self, skus: &[String]) -> Result<Vec<Stock>, Error> {
        self.up()?;
        let stock = self.stock.borrow();
        Ok(skus
            .iter()
            .filter_map(|sku| stock.get(sku).cloned())
            .collect())
    }
}

impl Edge for &Shop {
    fn forget(&self) {
        self.forgotten.set(self.forgotten.get() + 1);
    }
}

impl Later for &Shop {
    fn advance_later(&self, rebuild: &str, version: u64) -> Result<(), Error> {
        self.steps.borrow_mut().push((rebuild.to_owned(), version));
        Ok(())
    }
}

/// What a catalog keeps, in memory.
pub(crate) struct Buckets {
    pub(crate) copies: Copies,
    pub(crate) changes: Changes,
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self {
            copies: Copies::new(Bucket::in_memory(), Bucket::in_memory()),
            changes: Changes::new(Arc::new(Memory::default())),
        }
    }

    pub(crate) fn kept(&self) -> Kept<'_> {
        Kept {
            copies: &self.copies,
            changes: &self.changes,
        }
    }

    pub(crate) fn intake<'a>(&'a self, shop: &'a Shop) -> Intake<'a, &'a Shop> {
        Intake::new(self.kept(), shop)
    }

    /// Has the catalog hear of a product.
    pub(crate) fn hear(&self, shop: &Shop, id: &str, version: u64) -> Result<(), Error> {
        self.intake(shop)
            .product(id, version, &mut Warm::default(), NOW)
    }
}
