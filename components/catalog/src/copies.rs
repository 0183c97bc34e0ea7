//! The catalog's own copies of products and stock, each with its version.
//!
//! They come late, twice and in any order: an older one never takes the place of a newer one,
//! and of a product that is gone something stays that says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_sdk::{Bucket, Change, Error};

use crate::bindings::shop::product::inventory::Stock;
use crate::bindings::shop::product::products::Product;

/// A product, or that it is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Copied {
    version: u64,
    /// `None` of one that is gone.
    pub(crate) product: Option<Product>,
}

/// What can be ordered of a SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    version: u64,
    /// Units by location, without those that have none.
    pub(crate) units: BTreeMap<String, u64>,
}

/// What became of a fact that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// What is kept is newer.
    Late,
    /// It is kept, and changes nothing that customers see first of an item: how many there
    /// are, of something that there was before.
    Quiet,
    /// It is kept, and may have been before: a delivery that was cut off comes again.
    Seen,
}

/// The copies.
pub struct Copies {
    /// By product.
    pub(crate) items: Bucket<Copied>,
    /// By SKU.
    pub(crate) levels: Bucket<Level>,
}

impl Copies {
    /// Copies in these buckets.
    pub fn new(items: Bucket<Copied>, levels: Bucket<Level>) -> Self {
        Self { items, levels }
    }

    /// Keeps a product as it is now.
    pub(crate) fn keep(&self, product: &Product) -> Result<Came, Error> {
        let new = Copied {
            version: product.version,
            product: Some(product.clone()),
        };
        let mut came = Came::Seen;
        self.items.update_if(&product.id, |before| {
            came = match &before {
                Some(before) if before.is_newer_than(&new) => Came::Late,
                _ => Came::Seen,
            };
            Ok::<_, Error>(match before {
                Some(before) if came == Came::Late || before == new => Change::Leave(before),
                _ => Change::Write(new.clone()),
            })
        })?;
        Ok(came)
    }

    /// Keeps that a product is gone, which had this version or an older one.
    pub(crate) fn bury(&self, id: &str, version: u64) -> Result<(), Error> {
        self.items.update_if(id, |before| {
            Ok::<_, Error>(match before {
                Some(before) if before.product.is_none() && before.version >= version => {
                    Change::Leave(before)
                }
                before => {
                    let had = before.map_or(0, |before| before.version);
                    Change::Write(Copied {
                        version: version.max(had + 1),
                        product: None,
                    })
                }
            })
        })?;
        Ok(())
    }

    /// Keeps the stock of a SKU as it is now.
    pub(crate) fn stock(&self, stock: &Stock) -> Result<Came, Error> {
        let levels = stock.levels.iter().filter(|level| level.available > 0);
        let levels = levels.map(|level| (level.location.clone(), level.available));
        let new = Level {
            version: stock.version,
            units: levels.collect(),
        };
        let mut came = Came::Seen;
        self.levels.update_if(&stock.sku, |before| {
            came = match &before {
                Some(before) if before.version > new.version => Came::Late,
                Some(before) if *before == new => Came::Seen,
                Some(before) if before.units.keys().eq(new.units.keys()) => Came::Quiet,
                _ => Came::Seen,
            };
            Ok::<_, Error>(match before {
                Some(before) if came == Came::Late || before == new => Change::Leave(before),
                _ => Change::Write(new.clone()),
            })
        })?;
        Ok(came)
    }
}

impl Copied {
    /// Whether it is what became of the other later. Nothing comes after the end.
    fn is_newer_than(&self, other: &Self) -> bool {
        self.version > other.version || (self.version == other.version && self.product.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{product, stock};

    fn copies() -> Copies {
        Copies::new(Bucket::in_memory(), Bucket::in_memory())
    }

    fn kept(copies: &Copies, id: &str) -> Option<u64> {
        let copied = copies.items.get(id).unwrap()?;
        copied.product.map(|product| product.version)
    }

    #[test]
    fn an_older_product_never_takes_the_place_of_a_newer_one() {
        let copies = copies();
        let version = |version| Product {
            version,
            ..product("p", "Cup")
        };
        assert_eq!(copies.keep(&version(2)).unwrap(), Came::Seen);
        assert_eq!(copies.keep(&version(1)).unwrap(), Came::Late);
        assert_eq!(copies.keep(&version(2)).unwrap(), Came::Seen);
        assert_eq!(kept(&copies, "p"), Some(2));
        copies.bury("p", 3).unwrap();
        for late in 1..=3 {
            assert_eq!(copies.keep(&version(late)).unwrap(), Came::Late);
        }
        copies.bury("p", 1).unwrap();
        assert_eq!(kept(&copies, "p"), None);
        assert_eq!(copies.items.get("p").unwrap().unwrap().version, 3);
        // It is there after all: who says so knows of a newer one.
        assert_eq!(copies.keep(&version(4)).unwrap(), Came::Seen);
        // Gone, said by who does not know how far it has come.
        copies.bury("p", 1).unwrap();
        assert_eq!(copies.keep(&version(4)).unwrap(), Came::Late);
    }

    #[test]
    fn numbers_change_quietly_and_what_is_sold_out_does_not() {
        let copies = copies();
        let came =
            |version, units: &[(&str, u64)]| copies.stock(&stock("CUP", version, units)).unwrap();
        assert_eq!(came(1, &[("berlin", 5)]), Came::Seen);
        assert_eq!(came(2, &[("berlin", 4)]), Came::Quiet);
        assert_eq!(came(1, &[("berlin", 5)]), Came::Late);
        assert_eq!(came(3, &[("berlin", 0)]), Came::Seen);
        assert_eq!(came(3, &[("berlin", 0)]), Came::Seen, "again");
        assert_eq!(came(4, &[("berlin", 0), ("lyon", 1)]), Came::Seen);
        let level = copies.levels.get("CUP").unwrap().unwrap();
        assert_eq!(level.units, BTreeMap::from([("lyon".to_owned(), 1)]));
    }
}
