//! Lists and searches of one region, read from the product service.
//!
//! A list by creation costs two calls a page, however many products there are, in
//! the region's currency or not. One that is sorted or searched reads every product
//! of the currency, so its cost grows with the shop.

use stoa_sdk::page::{self, Cursor, Keyed, Page};
use stoa_sdk::{Error, invalid, not_found};

use crate::bindings::exports::shop::catalog::catalog::{Item, ItemPage, RegionInfo, Sort};
use crate::bindings::shop::product::products::Product;
use crate::item::{available, item, stocked};
use crate::search::Query;
use crate::{Region, Source};

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

impl Filter {
    fn accepts(&self, item: &Item) -> bool {
        let price = item.price.minor;
        (self.category.is_none() || self.category == item.category)
            && self.min_price.is_none_or(|min| min <= price)
            && self.max_price.is_none_or(|max| price <= max)
    }
}

/// The catalog of one region.
pub struct Catalog<S> {
    region: Region,
    source: S,
}

impl Keyed for Product {
    fn key(&self) -> &str {
        &self.id
    }
}

impl<S: Source> Catalog<S> {
    /// What a region sees of a source.
    pub fn new(region: Region, source: S) -> Self {
        Self { region, source }
    }

    /// The region itself.
    pub fn region(&self) -> RegionInfo {
        self.region.info()
    }

    /// One item.
    pub fn get(&self, id: &str) -> Result<Item, Error> {
        let item = item(self.source.product(id)?, &self.region);
        let item = item.ok_or_else(|| {
            not_found!("product {id:?} is not sold in region {}", self.region.code)
        })?;
        self.with_stock(vec![item])?
            .pop()
            .ok_or_else(|| not_found!("there is no product {id:?}"))
    }

    /// Items that pass a filter.
    pub fn list(
        &self,
        filter: &Filter,
        sort: Sort,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<ItemPage, Error> {
        let limit = page::limit(limit)?;
        if sort == Sort::Created {
            return Ok(to_page(self.scan(filter, limit, cursor)?));
        }
        let key = |item: &Item| match sort {
            Sort::Created => String::new(),
            Sort::Name => item.name.to_lowercase(),
            Sort::PriceAsc => format!("{:020}", item.price.minor),
            Sort::PriceDesc => format!("{:020}", i64::MAX - item.price.minor),
        };
        self.sorted(filter, limit, cursor, |item| Some(key(item)))
    }

    /// Items that match what somebody typed, best first.
    pub fn search(
        &self,
        text: &str,
        filter: &Filter,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<ItemPage, Error> {
        let limit = page::limit(limit)?;
        let query =
            Query::read(text).ok_or_else(|| invalid!("/q", "expected a word, found {text:?}"))?;
        self.sorted(filter, limit, cursor, |item| {
            Some(format!("{:010}", u32::MAX - query.rank(item)?))
        })
    }

    /// A page of all items that have a key, sorted by it and then by creation.
    fn sorted(
        &self,
        filter: &Filter,
        limit: usize,
        cursor: Option<&str>,
        key: impl Fn(&Item) -> Option<String>,
    ) -> Result<ItemPage, Error> {
        let at = Cursor::parse(cursor)?;
        let start = (at.page.unwrap_or_default(), at.after);
        let all = self.scan(filter, usize::MAX, None)?.items;
        let mut rest: Vec<_> = all
            .into_iter()
            .filter_map(|item| Some(((key(&item)?, item.id.clone()), item)))
            .collect();
        rest.retain(|(place, _)| *place > start);
        rest.sort_by(|(left, _), (right, _)| left.cmp(right));
        let more = rest.len() > limit;
        rest.truncate(limit);
        let last = rest
            .last()
            .filter(|_| more)
            .map(|((key, id), _)| (key.clone(), id.clone()));
        let next = last.map(|(key, id)| {
            Cursor {
                page: Some(key),
                after: id,
            }
            .encode()
        });
        Ok(ItemPage {
            items: rest.into_iter().map(|(_, item)| item).collect(),
            next,
        })
    }

    /// Items by creation.
    fn scan(
        &self,
        filter: &Filter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Item>, Error> {
        // Without a filter one page of products is one page of items, as a rule.
        let narrow = *filter != Filter::default();
        let batch = if narrow {
            page::MAX_LIMIT
        } else {
            limit.min(page::MAX_LIMIT)
        };
        page::scan(
            cursor,
            limit,
            |from| {
                let currency = &self.region.currency;
                let page = self.source.products(currency, batch as u32, from)?;
                Ok((page.items, page.next))
            },
            |products| self.load(products, filter),
        )
    }

    /// The items of some products, `None` for each that is not to be shown.
    fn load(&self, products: Vec<Product>, filter: &Filter) -> Result<Vec<Option<Item>>, Error> {
        let shown = |product| item(product, &self.region).filter(|item| filter.accepts(item));
        let items: Vec<_> = products.into_iter().map(shown).collect();
        let present = items.iter().map(Option::is_some).collect::<Vec<_>>();
        let mut stocked = self
            .with_stock(items.into_iter().flatten().collect())?
            .into_iter();
        let stocked = present
            .into_iter()
            .map(|present| if present { stocked.next() } else { None });
        Ok(stocked
            .map(|item| item.filter(|item| item.in_stock || !filter.in_stock))
            .collect())
    }

    /// The items with their stock, which takes one call however many there are.
    fn with_stock(&self, items: Vec<Item>) -> Result<Vec<Item>, Error> {
        let skus = items
            .iter()
            .flat_map(|item| &item.variants)
            .map(|variant| variant.sku.clone());
        let skus: Vec<_> = skus.collect();
        let mut stock = Vec::new();
        for skus in skus.chunks(STOCK_LIMIT) {
            stock.extend(self.source.stock(skus)?);
        }
        let available = available(stock, &self.region);
        Ok(items
            .into_iter()
            .map(|item| stocked(item, &available))
            .collect())
    }
}

/// SKUs that the product service tells the stock of in one call.
const STOCK_LIMIT: usize = 1000;

fn to_page(page: Page<Item>) -> ItemPage {
    ItemPage {
        items: page.items,
        next: page.next,
    }
}

#[cfg(test)]
mod tests;
