//! Where the catalog's facts come from: a seam over the typed link.

use stoa_sdk::Error;

use crate::bindings::shop::product::inventory::Stock;
use crate::bindings::shop::product::products::{Product, ProductPage};

/// Products and their stock.
pub trait Source {
    /// One product.
    fn product(&self, id: &str) -> Result<Product, Error>;

    /// Up to `limit` products with a price in a currency, sorted by id.
    fn products(
        &self,
        currency: &str,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<ProductPage, Error>;

    /// The stock of SKUs; one without stock is left out.
    fn stock(&self, skus: &[String]) -> Result<Vec<Stock>, Error>;
}
