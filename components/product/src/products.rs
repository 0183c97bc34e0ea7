//! Products: one key each, and one for each SKU.
//!
//! Knows nothing of stock.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stoa_sdk::context::check_version;
use stoa_sdk::{Bucket, Error, Money, Timestamp, Violations, id, invalid, not_found, page};

use crate::bindings::exports::shop::product::products::{NewProduct, Offer, Product, ProductPage};
use crate::skus::{Claim, Owner, Skus};

/// SKUs that one call may ask for.
const FIND_LIMIT: usize = 100;

/// The products of the shop.
pub struct Products {
    entries: Bucket<Entry>,
    skus: Skus,
}

/// A product as it is kept. A deleted one stays as the tombstone that says whom
/// its SKUs no longer belong to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    product: Product,
    deleted: bool,
}

impl Products {
    /// Products in these buckets.
    pub(crate) fn new(entries: Bucket<Entry>, skus: Bucket<Claim>) -> Self {
        Self {
            entries,
            skus: Skus(skus),
        }
    }

    /// No products, for tests.
    pub fn in_memory() -> Self {
        Self::new(Bucket::in_memory(), Bucket::in_memory())
    }

    /// Adds a product. Conflict when another one has one of its SKUs.
    pub fn create(&self, input: NewProduct, now: Timestamp) -> Result<Product, Error> {
        check(&input)?;
        let id = id::new(now);
        self.claim(&input, &BTreeSet::new(), &id, now)?;
        let product = product(id, input, now.to_string(), now, 1);
        self.entries.set(
            &product.id,
            &Entry {
                product: product.clone(),
                deleted: false,
            },
        )?;
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
        if_match: Option<&str>,
        now: Timestamp,
    ) -> Result<Product, Error> {
        check(&input)?;
        let before = self.get(id)?;
        check_version(before.version, if_match)?;
        let had: BTreeSet<_> = before
            .variants
            .iter()
            .map(|variant| variant.sku.clone())
            .collect();
        self.claim(&input, &had, id, now)?;
        let entry = self.entries.update(id, |entry| {
            let current = live(entry).ok_or_else(|| missing(id))?;
            // The claims above are for what was read above.
            check_version(current.version, Some(&before.version.to_string()))?;
            let product = product(
                id.to_owned(),
                input.clone(),
                current.created_at,
                now,
                current.version + 1,
            );
            Ok::<_, Error>(Entry {
                product,
                deleted: false,
            })
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
    pub fn delete(&self, id: &str, if_match: Option<&str>) -> Result<(), Error> {
        self.entries.update(id, |entry| {
            let product = live(entry).ok_or_else(|| missing(id))?;
            check_version(product.version, if_match)?;
            Ok::<_, Error>(Entry {
                product,
                deleted: true,
            })
        })?;
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

fn product(
    id: String,
    input: NewProduct,
    created_at: String,
    now: Timestamp,
    version: u64,
) -> Product {
    let NewProduct {
        name,
        description,
        category,
        variants,
    } = input;
    let updated_at = now.to_string();
    Product {
        id,
        name,
        description,
        category,
        variants,
        created_at,
        updated_at,
        version,
    }
}

/// Whether text can be a SKU, a category or a location.
pub(crate) fn is_code(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fine)
}

fn check(input: &NewProduct) -> Result<(), Error> {
    let mut faults = Violations::default();
    faults.expect_length(&input.name, 1, 200, "/name");
    faults.expect_length(
        input.description.as_deref().unwrap_or_default(),
        0,
        5000,
        "/description",
    );
    let category = input.category.as_deref();
    faults.expect(category.is_none_or(is_category), "/category", || {
        format!("expected 1 to 64 lower-case letters, digits or -, found {category:?}")
    });
    faults.expect(
        (1..=100).contains(&input.variants.len()),
        "/variants",
        || format!("expected 1 to 100, found {}", input.variants.len()),
    );
    let mut skus = BTreeSet::new();
    for (at, variant) in input.variants.iter().enumerate() {
        let pointer = format!("/variants/{at}");
        let sku = &variant.sku;
        faults.expect(is_code(sku), format!("{pointer}/sku"), || {
            format!("expected 1 to 64 letters, digits, -, _ or ., found {sku:?}")
        });
        faults.expect(skus.insert(sku), format!("{pointer}/sku"), || {
            format!("{sku:?} is there twice")
        });
        faults.expect_length(
            variant.title.as_deref().unwrap_or_default(),
            0,
            200,
            format!("{pointer}/title"),
        );
        check_prices(&variant.prices, &format!("{pointer}/prices"), &mut faults);
    }
    faults.check()
}

fn is_category(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(fine)
}

fn check_prices(prices: &[Money], pointer: &str, faults: &mut Violations) {
    faults.expect(!prices.is_empty(), pointer, || {
        "expected at least one price, found none".into()
    });
    let mut currencies = BTreeSet::new();
    for (at, price) in prices.iter().enumerate() {
        faults.expect(price.minor >= 0, format!("{pointer}/{at}/minor"), || {
            format!("expected 0 or more, found {}", price.minor)
        });
        let known = Money::new(price.minor, &price.currency).map(drop);
        let text = || {
            known
                .as_ref()
                .err()
                .map(ToString::to_string)
                .unwrap_or_default()
        };
        faults.expect(known.is_ok(), format!("{pointer}/{at}/currency"), text);
        faults.expect(
            currencies.insert(&price.currency),
            format!("{pointer}/{at}/currency"),
            || format!("{} is there twice", price.currency),
        );
    }
}

#[cfg(test)]
mod tests;
