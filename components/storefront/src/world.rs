//! What the pages need of other services: a seam over the typed links.

use stoa_sdk::Error;

use crate::bindings::shop::catalog::catalog::{Item, ItemPage, RegionInfo, Sort};
use crate::bindings::shop::order::orders::{NewOrder, Order};
use crate::bindings::shop::shipping::carriers::ShippingQuote;

/// Which items somebody wants to see.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Words of a search; a list without them.
    pub words: Option<String>,
    /// Only of this category.
    pub category: Option<String>,
    /// The order of a list; a search has its own.
    pub sort: Option<Sort>,
    /// Only what can be ordered now.
    pub in_stock: bool,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// What the client's `Accept-Language` says.
    pub languages: Option<String>,
}

/// The other services, whose errors are theirs.
pub trait World {
    /// A region of the catalog.
    fn region(&self, code: &str) -> Result<RegionInfo, Error>;

    /// Items of a region, with facets.
    fn items(&self, region: &str, filter: &Filter) -> Result<ItemPage, Error>;

    /// One item.
    fn item(&self, region: &str, id: &str, languages: Option<&str>) -> Result<Item, Error>;

    /// The ways of sending so many units to a country, cheapest first.
    fn quotes(
        &self,
        country: &str,
        currency: &str,
        units: u32,
    ) -> Result<Vec<ShippingQuote>, Error>;

    /// Places an order of a guest; a repeat with the same key is the same order.
    fn place(&self, guest: &str, order: &NewOrder, key: &str) -> Result<Order, Error>;

    /// One of the guest's orders.
    fn order(&self, guest: &str, id: &str) -> Result<Order, Error>;
}
