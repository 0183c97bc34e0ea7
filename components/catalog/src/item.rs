//! From a product and its stock to what a region's customers see. Pure.

use std::collections::BTreeMap;

use crate::Region;
use crate::bindings::exports::shop::catalog::catalog::{Item, ItemVariant};
use crate::bindings::shop::product::inventory::Stock;
use crate::bindings::shop::product::products::Product;

/// Units that a region can order, by SKU.
pub(crate) type Available = BTreeMap<String, u64>;

/// What the region's locations have of each SKU.
pub(crate) fn available(stock: Vec<Stock>, region: &Region) -> Available {
    let units = |stock: &Stock| {
        let near = stock
            .levels
            .iter()
            .filter(|level| region.locations.contains(&level.location));
        near.map(|level| level.available).sum()
    };
    stock
        .into_iter()
        .map(|stock| (stock.sku.clone(), units(&stock)))
        .collect()
}

/// The product in a region, its stock not yet known; `None` where it is not sold there.
pub(crate) fn item(product: Product, region: &Region) -> Option<Item> {
    let Product {
        id,
        name,
        description,
        category,
        variants,
        version,
        ..
    } = product;
    let sold = variants.into_iter().filter_map(|variant| {
        let price = variant
            .prices
            .into_iter()
            .find(|price| price.currency == region.currency)?;
        Some(ItemVariant {
            sku: variant.sku,
            title: variant.title,
            price,
            available: 0,
        })
    });
    let variants: Vec<_> = sold.collect();
    let price = variants
        .iter()
        .map(|variant| &variant.price)
        .min_by_key(|price| price.minor)?
        .clone();
    Some(Item {
        id,
        name,
        description,
        category,
        variants,
        price,
        in_stock: false,
        version,
    })
}

/// The item with its stock.
pub(crate) fn stocked(mut item: Item, available: &Available) -> Item {
    for variant in &mut item.variants {
        variant.available = available.get(&variant.sku).copied().unwrap_or(0);
    }
    item.in_stock = item.variants.iter().any(|variant| variant.available > 0);
    item
}
