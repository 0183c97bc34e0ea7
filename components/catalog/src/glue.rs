//! The contract's functions over the host's settings, buckets and links. No logic here.

use std::cell::RefCell;
use std::sync::Arc;

use stoa_sdk::bindings::stoa::service::cache;
use stoa_sdk::store::Wasi;
use stoa_sdk::{Bucket, Error, Timestamp, config, log};

use crate::bindings::exports::shop::catalog::catalog::{Guest, Item, ItemPage, RegionInfo, Sort};
use crate::bindings::exports::shop::catalog::rebuild::{self, Progress};
use crate::bindings::exports::shop::catalog::rebuild_steps;
use crate::bindings::exports::shop::product::{product_changes, stock_changes};
use crate::bindings::shop::catalog::rebuild_steps as steps;
use crate::bindings::shop::product::{
    inventory::{self, Stock},
    products::{self, Product, ProductPage},
};
use crate::{
    Catalog, Changes, Copies, Edge, Filter, Intake, Kept, Later, Part, Rebuild, Region, Source,
    Warm,
};

/// What the contract's functions are exported from.
struct Component;

/// Generated, and as unsafe as exports are.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
mod exported {
    use super::Component;

    crate::bindings::export!(Component with_types_in crate::bindings);
}

thread_local! {
    /// Kept from call to call while the instance lives.
    static WARM: RefCell<Warm> = RefCell::default();
}

/// The product service behind the link, the gateway, and the queue.
struct Link;

impl Source for Link {
    fn product(&self, id: &str) -> Result<Option<Product>, Error> {
        match products::get(id) {
            Ok(product) => Ok(Some(product)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn products(&self, limit: u32, cursor: Option<&str>) -> Result<ProductPage, Error> {
        products::list(Some(limit), cursor)
    }

    fn owners(&self, skus: &[String]) -> Result<Vec<(String, String)>, Error> {
        let offers = products::find(skus)?.into_iter();
        Ok(offers.map(|offer| (offer.sku, offer.product_id)).collect())
    }

    fn stock(&self, skus: &[String]) -> Result<Vec<Stock>, Error> {
        inventory::get_many(skus)
    }
}

impl Edge for Link {
    fn forget(&self) {
        cache::purge(&["catalog".to_owned()]);
    }
}

impl Later for Link {
    fn advance_later(&self, rebuild: &str, version: u64) -> Result<(), Error> {
        steps::advance(rebuild, version)
    }
}

/// What the service keeps.
struct Buckets {
    copies: Copies,
    changes: Changes,
}

impl Buckets {
    fn open() -> Result<Self, Error> {
        log::init();
        Ok(Self {
            copies: Copies::new(Bucket::open("items")?, Bucket::open("levels")?),
            changes: Changes::new(Arc::new(Wasi::open("index")?)),
        })
    }

    fn kept(&self) -> Kept<'_> {
        Kept {
            copies: &self.copies,
            changes: &self.changes,
        }
    }

    fn catalog(&self, region: &str, languages: Option<&str>) -> Result<Catalog<'_>, Error> {
        let region = Region::named(region, config::text)?;
        Ok(Catalog::new(region, languages, self.kept()))
    }

    fn intake(&self) -> Intake<'_, Link> {
        Intake::new(self.kept(), Link)
    }

    fn rebuild(&self) -> Result<Rebuild<'_, Link>, Error> {
        Ok(Rebuild::new(Bucket::open("rebuild")?, self.intake()))
    }
}

fn with_warm<T>(work: impl FnOnce(&mut Warm) -> T) -> T {
    WARM.with_borrow_mut(work)
}

impl Guest for Component {
    fn region(region: String) -> Result<RegionInfo, Error> {
        Ok(Buckets::open()?.catalog(&region, None)?.region())
    }

    fn get(region: String, id: String, languages: Option<String>) -> Result<Item, Error> {
        Buckets::open()?
            .catalog(&region, languages.as_deref())?
            .get(&id)
    }

    fn list(
        region: String,
        category: Option<String>,
        min_price: Option<i64>,
        max_price: Option<i64>,
        in_stock: Option<bool>,
        sort: Option<Sort>,
        facets: Option<bool>,
        limit: Option<u32>,
        cursor: Option<String>,
        languages: Option<String>,
    ) -> Result<ItemPage, Error> {
        let filter = Filter {
            category,
            min_price,
            max_price,
            in_stock: in_stock.unwrap_or(false),
        };
        let part = Part {
            facets: facets.unwrap_or(false),
            limit,
            cursor,
        };
        let sort = sort.unwrap_or(Sort::Created);
        let buckets = Buckets::open()?;
        let catalog = buckets.catalog(&region, languages.as_deref())?;
        with_warm(|warm| catalog.list(&filter, sort, &part, warm))
    }

    fn search(
        region: String,
        q: String,
        category: Option<String>,
        min_price: Option<i64>,
        max_price: Option<i64>,
        in_stock: Option<bool>,
        facets: Option<bool>,
        limit: Option<u32>,
        cursor: Option<String>,
        languages: Option<String>,
    ) -> Result<ItemPage, Error> {
        let filter = Filter {
            category,
            min_price,
            max_price,
            in_stock: in_stock.unwrap_or(false),
        };
        let part = Part {
            facets: facets.unwrap_or(false),
            limit,
            cursor,
        };
        let buckets = Buckets::open()?;
        let catalog = buckets.catalog(&region, languages.as_deref())?;
        with_warm(|warm| catalog.search(&q, &filter, &part, warm))
    }
}

impl product_changes::Guest for Component {
    fn changed(id: String, version: u64) -> Result<(), Error> {
        let buckets = Buckets::open()?;
        with_warm(|warm| {
            buckets
                .intake()
                .product(&id, version, warm, Timestamp::now())
        })
    }
}

impl stock_changes::Guest for Component {
    fn changed(sku: String) -> Result<(), Error> {
        let buckets = Buckets::open()?;
        with_warm(|warm| buckets.intake().stock(&sku, warm, Timestamp::now()))
    }
}

impl rebuild::Guest for Component {
    fn begin() -> Result<Progress, Error> {
        Buckets::open()?.rebuild()?.begin(Timestamp::now())
    }

    fn get() -> Result<Progress, Error> {
        Buckets::open()?.rebuild()?.progress()
    }
}

impl rebuild_steps::Guest for Component {
    fn advance(rebuild: String, version: u64) -> Result<(), Error> {
        let buckets = Buckets::open()?;
        let steps = buckets.rebuild()?;
        with_warm(|warm| steps.advance(&rebuild, version, warm, Timestamp::now()))
    }
}
