//! Where the catalog's facts come from, and who keeps answers: seams over links.

use stoa_sdk::Error;

use crate::bindings::shop::product::inventory::Stock;
use crate::bindings::shop::product::products::{Product, ProductPage};

/// Products and their stock, as the product service has them now.
pub trait Source {
    /// One product; `None` of one that is gone.
    fn product(&self, id: &str) -> Result<Option<Product>, Error>;

    /// Up to `limit` products, sorted by id.
    fn products(&self, limit: u32, cursor: Option<&str>) -> Result<ProductPage, Error>;

    /// Which of some SKUs are sold, each with the product that has it.
    fn owners(&self, skus: &[String]) -> Result<Vec<(String, String)>, Error>;

    /// The stock of SKUs, at most 1000; one without stock is left out.
    fn stock(&self, skus: &[String]) -> Result<Vec<Stock>, Error>;
}

/// Answers that the gateway keeps.
pub trait Edge {
    /// Has lists, searches and items asked for again.
    fn forget(&self);
}

/// A queue of a rebuild's steps.
pub trait Later {
    /// Has the step done that `version` of a rebuild's progress is about.
    fn advance_later(&self, rebuild: &str, version: u64) -> Result<(), Error>;
}
