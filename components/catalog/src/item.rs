//! From a product to what a region's customers see. Pure.

use crate::Region;
use crate::bindings::exports::shop::catalog::catalog::{Item, ItemVariant};
use crate::bindings::shop::product::products::Product;
use crate::language::prefixes;

/// The product in a region, its names in the best language for who reads `language`, with the
/// units of each SKU that `available` says; `None` where it is not sold.
pub(crate) fn item(
    product: Product,
    region: &Region,
    language: &str,
    available: impl Fn(&str) -> u64,
) -> Option<Item> {
    let Product {
        id,
        name,
        description,
        category,
        variants,
        translations,
        version,
        ..
    } = product;
    let sold = variants.into_iter().filter_map(|variant| {
        let price = variant
            .prices
            .into_iter()
            .find(|price| price.currency == region.currency)?;
        Some(ItemVariant {
            available: available(&variant.sku),
            sku: variant.sku,
            title: variant.title,
            price,
        })
    });
    let variants: Vec<_> = sold.collect();
    let price = variants
        .iter()
        .map(|variant| &variant.price)
        .min_by_key(|price| price.minor)?
        .clone();
    let translations = translations.unwrap_or_default();
    let best = prefixes(language).find_map(|tag| {
        let mut translations = translations.iter();
        translations.find(|translation| translation.language.eq_ignore_ascii_case(tag))
    });
    let (name, description, language) = match best.cloned() {
        Some(best) => (best.name, best.description, Some(best.language)),
        None => (name, description, None),
    };
    Some(Item {
        id,
        name,
        description,
        language,
        category,
        in_stock: variants.iter().any(|variant| variant.available > 0),
        variants,
        price,
        product_version: version,
    })
}
