//! Lists and searches of one region, from the catalog's own copies.
//!
//! An index says which items an answer has, and their copies what they are. A page costs what
//! the page has, and a search or a count what it finds.

use stoa_sdk::{Error, invalid, not_found, page};

use crate::Region;
use crate::bindings::exports::shop::catalog::catalog::{
    CategoryCount, Facets, Item, ItemPage, PriceCount, RegionInfo, Sort,
};
use crate::copies::Copied;
use crate::index::{self, Ask, Order};
use crate::item::item;
use crate::language::best;
use crate::warm::{Kept, Warm};
use crate::words::words;

/// Words of a query at most; more are ignored.
const MAX_WORDS: usize = 8;

/// Which items a list has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of a category.
    pub category: Option<String>,
    /// Minor units of the region's currency, included.
    pub min_price: Option<i64>,
    /// Minor units of the region's currency, included.
    pub max_price: Option<i64>,
    /// Only those that can be ordered now.
    pub in_stock: bool,
}

/// Which part of a list is wanted, and what is wanted beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// How many items there are of each kind.
    pub facets: bool,
    /// 1 to 100.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// The catalog of one region, for one reader.
pub struct Catalog<'a> {
    region: Region,
    language: String,
    kept: Kept<'a>,
}

impl<'a> Catalog<'a> {
    /// What a region has for who sends this `Accept-Language`.
    pub fn new(region: Region, languages: Option<&str>, kept: Kept<'a>) -> Self {
        let language = best(languages, &region.languages);
        Self {
            language: language.unwrap_or_default().to_owned(),
            region,
            kept,
        }
    }

    /// The region itself.
    pub fn region(&self) -> RegionInfo {
        self.region.info()
    }

    /// One item.
    pub fn get(&self, id: &str) -> Result<Item, Error> {
        let copied = self.kept.copies.items.get(id)?;
        let product = copied.and_then(|copied| copied.product);
        let product = product.ok_or_else(|| not_found!("there is no product {id:?}"))?;
        let skus: Vec<_> = product
            .variants
            .iter()
            .map(|variant| variant.sku.clone())
            .collect();
        let levels = self.kept.copies.levels.get_many(&skus)?;
        let available = |sku: &str| {
            let at = skus.iter().position(|other| other == sku);
            let level = at.and_then(|at| levels[at].as_ref());
            let near = level.into_iter().flat_map(|level| &level.units);
            let near = near.filter(|(location, _)| self.region.locations.contains(location));
            near.map(|(_, units)| units).sum()
        };
        item(product, &self.region, &self.language, available)
            .ok_or_else(|| not_found!("product {id:?} is not sold in region {}", self.region.code))
    }

    /// Items that pass a filter.
    pub fn list(
        &self,
        filter: &Filter,
        sort: Sort,
        part: &Part,
        warm: &mut Warm,
    ) -> Result<ItemPage, Error> {
        let order = match sort {
            Sort::Created => Order::Created,
            Sort::Name => Order::Name(&self.language),
            Sort::PriceAsc => Order::PriceAsc,
            Sort::PriceDesc => Order::PriceDesc,
        };
        self.page(filter, order, part, warm)
    }

    /// Items that match what somebody typed, best first.
    pub fn search(
        &self,
        text: &str,
        filter: &Filter,
        part: &Part,
        warm: &mut Warm,
    ) -> Result<ItemPage, Error> {
        let mut typed = words(text);
        typed.truncate(MAX_WORDS);
        if typed.is_empty() {
            return Err(invalid!("/q", "expected a word, found {text:?}"));
        }
        self.page(filter, Order::Rank(&typed), part, warm)
    }

    fn page(
        &self,
        filter: &Filter,
        order: Order<'_>,
        part: &Part,
        warm: &mut Warm,
    ) -> Result<ItemPage, Error> {
        let limit = page::limit(part.limit)?;
        let index = warm.index(self.kept)?;
        let found = index.ask(&Ask {
            currency: &self.region.currency,
            locations: &self.region.locations,
            filter,
            order,
            facets: part.facets,
            limit,
            cursor: part.cursor.as_deref(),
        })?;
        let copied = self.kept.copies.items.get_many(&found.ids)?;
        let available = |sku: &str| index.available(sku, &self.region.locations);
        // One may be gone since: a page may hold fewer.
        let items = copied
            .into_iter()
            .flatten()
            .filter_map(|Copied { product, .. }| {
                item(product?, &self.region, &self.language, available)
            });
        Ok(ItemPage {
            items: items.collect(),
            facets: found.facets.map(told),
            next: found.next,
        })
    }
}

/// As the contract says it.
fn told(facets: index::Facets) -> Facets {
    let categories = facets.categories.into_iter();
    let prices = facets.prices.into_iter();
    Facets {
        total: facets.total,
        categories: categories
            .map(|(category, count)| CategoryCount { category, count })
            .collect(),
        prices: prices
            .map(|(from, to, count)| PriceCount { from, to, count })
            .collect(),
        in_stock: facets.in_stock,
    }
}

#[cfg(test)]
mod tests;
