//! Products: one key each, one for each SKU, and one for each currency that they
//! were ever sold in, by which the lists of a currency find them.
//!
//! Knows nothing of stock.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stoa_sdk::context::{Conditions, check_version};
use stoa_sdk::{Bucket, Change, Error, Index, Timestamp, id, invalid, not_found, page};

use crate::Tell;
use crate::bindings::exports::shop::product::products::{
    NewProduct, Offer, Product, ProductPage, ProductVariant,
};
use crate::input::check;
use crate::skus::{Claim, Owner, Skus};
use crate::tell::Nobody;

/// SKUs that one call may ask for.
const FIND_LIMIT: usize = 100;

/// The products of the shop.
pub struct Products {
    entries: Bucket<Entry>,
    skus: Skus,
    /// By currency. It may name a product that has left a currency.
    sold_in: Index,
    told: Arc<dyn Tell>,
}

/// A product as it is kept. Of a deleted one that is left only if its deletion was cut
/// short, and says whom its SKUs no longer belong to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    product: Product,
    deleted: bool,
}

impl Products {
    /// Products in these buckets.
    pub fn new(entries: Bucket<Entry>, skus: Bucket<Claim>, sold_in: Index) -> Self {
        Self {
            entries,
            skus: Skus(skus),
            sold_in,
            told: Arc::new(Nobody),
        }
    }

    /// The same, telling `told` of each change.
    pub fn telling(self, told: Arc<dyn Tell>) -> Self {
        Self { told, ..self }
    }

    /// No products, for tests.
    pub fn in_memory() -> Self {
        Self::new(Bucket::in_memory(), Bucket::in_memory(), Index::in_memory())
    }

    /// Adds a product. Conflict when another one has one of its SKUs.
    pub fn create(&self, input: NewProduct, now: Timestamp) -> Result<Product, Error> {
        check(&input)?;
        let id = id::new(now);
        self.claim(&input, &BTreeSet::new(), &id, now)?;
        let product = product(id, input, now);
        self.sell_in(&product.id, currencies(&product.variants).iter())?;
        let entry = self.entries.update_telling(&product.id, |_| {
            self.told.product(&product.id, product.version)?;
            Ok::<_, Error>(Change::Write(Entry {
                product: product.clone(),
                deleted: false,
            }))
        })?;
        let product = entry.product;
        tracing::info!(id = product.id, "product created");
        Ok(product)
    }

    /// One product.
    pub fn get(&self, id: &str) -> Result<Product, Error> {
        live(self.entries.get(id)?).ok_or_else(|| missing(id))
    }

    /// Replaces what a client may say of a product.
    pub fn update(
        &self,
        id: &str,
        input: NewProduct,
        conditions: Option<Conditions>,
        now: Timestamp,
    ) -> Result<Product, Error> {
        check(&input)?;
        let before = self.get(id)?;
        check_version(before.version, conditions)?;
        let had: BTreeSet<_> = before
            .variants
            .iter()
            .map(|variant| variant.sku.clone())
            .collect();
        self.claim(&input, &had, id, now)?;
        let new = currencies(&input.variants);
        self.sell_in(id, new.difference(&currencies(&before.variants)))?;
        let entry = self.entries.update_telling(id, |entry| {
            let current = live(entry).ok_or_else(|| missing(id))?;
            // The claims above are for what was read above.
            check_version(current.version, Some(Conditions::Version(before.version)))?;
            let product = Product {
                created_at: current.created_at,
                version: current.version + 1,
                ..product(id.to_owned(), input.clone(), now)
            };
            self.told.product(id, product.version)?;
            Ok::<_, Error>(Change::Write(Entry {
                product,
                deleted: false,
            }))
        })?;
        let has: BTreeSet<_> = entry
            .product
            .variants
            .iter()
            .map(|variant| variant.sku.clone())
            .collect();
        for sku in had.difference(&has) {
            self.skus.give_up(sku, id)?;
        }
        Ok(entry.product)
    }

    /// Takes a product out of the shop.
    pub fn delete(&self, id: &str, conditions: Option<Conditions>) -> Result<(), Error> {
        let Entry { product, .. } = self.entries.update_telling(id, |entry| {
            let product = live(entry).ok_or_else(|| missing(id))?;
            check_version(product.version, conditions)?;
            self.told.product(id, product.version + 1)?;
            Ok::<_, Error>(Change::Write(Entry {
                product,
                deleted: true,
            }))
        })?;
        // Nobody changes it any more: what follows may be cut short, and need not.
        for variant in &product.variants {
            self.skus.give_up(&variant.sku, id)?;
        }
        for currency in currencies(&product.variants) {
            self.sold_in.remove(&currency, id)?;
        }
        self.entries.delete(id)?;
        tracing::info!(id, "product deleted");
        Ok(())
    }

    /// Products in the order of their creation.
    pub fn list(&self, limit: Option<u32>, cursor: Option<&str>) -> Result<ProductPage, Error> {
        let page = self
            .entries
            .list(cursor, page::limit(limit)?, |entry| !entry.deleted)?;
        let items = page.items.into_iter().map(|entry| entry.product).collect();
        Ok(ProductPage {
            items,
            next: page.next,
        })
    }

    /// Products with a price in a currency, in the order of their creation.
    pub fn list_in(
        &self,
        currency: &str,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<ProductPage, Error> {
        let sold = |product: &Product| currencies(&product.variants).contains(currency);
        let load = |ids: Vec<String>| {
            let found = self.entries.get_many(&ids)?.into_iter();
            Ok(found.map(|entry| live(entry).filter(sold)).collect())
        };
        let limit = page::limit(limit)?;
        let page = self.sold_in.list(currency, cursor, limit, load)?;
        Ok(ProductPage {
            items: page.items,
            next: page.next,
        })
    }

    /// The offers behind SKUs; one that is not sold is left out.
    pub fn find(&self, skus: &[String]) -> Result<Vec<Offer>, Error> {
        if skus.len() > FIND_LIMIT {
            return Err(invalid!(
                "/skus",
                "expected at most {FIND_LIMIT}, found {}",
                skus.len()
            ));
        }
        let claims = self.skus.0.get_many(skus)?;
        let owner = |claim: Option<Claim>| claim.and_then(|claim| claim.product);
        let (skus, owners): (Vec<&String>, Vec<String>) = skus
            .iter()
            .zip(claims)
            .filter_map(|(sku, claim)| Some((sku, owner(claim)?)))
            .unzip();
        let products = self.entries.get_many(&owners)?.into_iter();
        Ok(skus
            .into_iter()
            .zip(products)
            .filter_map(|(sku, entry)| offer(live(entry)?, sku))
            .collect())
    }

    /// Has the lists of these currencies name the product.
    fn sell_in<'a>(
        &self,
        id: &str,
        mut currencies: impl Iterator<Item = &'a String>,
    ) -> Result<(), Error> {
        currencies.try_for_each(|currency| self.sold_in.add(currency, id))
    }

    /// Claims the SKUs of `input` that the product does not have: all or none.
    fn claim(
        &self,
        input: &NewProduct,
        had: &BTreeSet<String>,
        id: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let wanted: BTreeSet<_> = input
            .variants
            .iter()
            .map(|variant| variant.sku.clone())
            .collect();
        let mut claimed = Vec::new();
        for sku in wanted.difference(had) {
            if let Err(refused) = self
                .skus
                .claim(sku, id, now, |other| self.owner(other, sku))
            {
                for sku in claimed {
                    self.skus.give_up(sku, id)?;
                }
                return Err(refused);
            }
            claimed.push(sku);
        }
        Ok(())
    }

    fn owner(&self, product: &str, sku: &str) -> Result<Owner, Error> {
        Ok(match self.entries.get(product)? {
            Some(entry) if entry.deleted => Owner::Gone,
            Some(entry)
                if entry
                    .product
                    .variants
                    .iter()
                    .any(|variant| variant.sku == sku) =>
            {
                Owner::Lists
            }
            _ => Owner::Silent,
        })
    }
}

fn missing(id: &str) -> Error {
    not_found!("there is no product {id:?}")
}

fn live(entry: Option<Entry>) -> Option<Product> {
    entry
        .filter(|entry| !entry.deleted)
        .map(|entry| entry.product)
}

fn currencies(variants: &[ProductVariant]) -> BTreeSet<String> {
    let prices = variants.iter().flat_map(|variant| &variant.prices);
    prices.map(|price| price.currency.clone()).collect()
}

fn offer(product: Product, sku: &str) -> Option<Offer> {
    let variant = product
        .variants
        .into_iter()
        .find(|variant| variant.sku == sku)?;
    let (product_id, name) = (product.id, product.name);
    Some(Offer {
        sku: variant.sku,
        product_id,
        name,
        title: variant.title,
        prices: variant.prices,
    })
}

/// A product that comes new.
fn product(id: String, input: NewProduct, now: Timestamp) -> Product {
    let NewProduct {
        name,
        description,
        category,
        variants,
        translations,
    } = input;
    Product {
        id,
        name,
        description,
        category,
        variants,
        translations,
        created_at: now.to_string(),
        updated_at: now.to_string(),
        version: 1,
    }
}

#[cfg(test)]
mod tests;
