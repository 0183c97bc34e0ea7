//! The contract's functions over the host's settings and links. No logic here.

use stoa_sdk::{Error, config, log};

use crate::bindings::exports::shop::catalog::catalog::{Guest, Item, ItemPage, RegionInfo, Sort};
use crate::bindings::shop::product::{
    inventory::{self, Stock},
    products::{self, Product, ProductPage},
};
use crate::{Catalog, Filter, Region, Source};

/// What the contract's functions are exported from.
struct Component;

/// Generated, and as unsafe as exports are.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
mod exported {
    use super::Component;

    crate::bindings::export!(Component with_types_in crate::bindings);
}

/// The product service behind the link.
struct Link;

impl Source for Link {
    fn product(&self, id: &str) -> Result<Product, Error> {
        products::get(id)
    }

    fn products(
        &self,
        currency: &str,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<ProductPage, Error> {
        products::list_in(currency, Some(limit), cursor)
    }

    fn stock(&self, skus: &[String]) -> Result<Vec<Stock>, Error> {
        inventory::get_many(skus)
    }
}

fn catalog(region: &str) -> Result<Catalog<Link>, Error> {
    log::init();
    Ok(Catalog::new(Region::named(region, config::text)?, Link))
}

impl Guest for Component {
    fn region(region: String) -> Result<RegionInfo, Error> {
        Ok(catalog(&region)?.region())
    }

    fn get(region: String, id: String) -> Result<Item, Error> {
        catalog(&region)?.get(&id)
    }

    fn list(
        region: String,
        category: Option<String>,
        min_price: Option<i64>,
        max_price: Option<i64>,
        in_stock: Option<bool>,
        sort: Option<Sort>,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<ItemPage, Error> {
        let in_stock = in_stock.unwrap_or(false);
        let filter = Filter {
            category,
            min_price,
            max_price,
            in_stock,
        };
        let sort = sort.unwrap_or(Sort::Created);
        catalog(&region)?.list(&filter, sort, limit, cursor.as_deref())
    }

    fn search(
        region: String,
        q: String,
        category: Option<String>,
        in_stock: Option<bool>,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<ItemPage, Error> {
        let filter = Filter {
            category,
            in_stock: in_stock.unwrap_or(false),
            ..Filter::default()
        };
        catalog(&region)?.search(&q, &filter, limit, cursor.as_deref())
    }
}
