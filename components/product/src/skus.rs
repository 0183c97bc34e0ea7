//! Which product owns a SKU: one key for each, so that no two products have it.
//!
//! A claim is made before the product is written and counts while the product
//! lists the SKU. One that a crash left behind is taken over after [`GRACE`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stoa_sdk::{Bucket, Change, Error, Timestamp, conflict};

/// Longer than a call may last, so that a claim this old whose product does not
/// list the SKU belongs to nobody who is still at work.
const GRACE: Duration = Duration::from_secs(60);

/// Who owns a SKU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The owner; `None` once it gave the SKU up.
    pub(crate) product: Option<String>,
    at: Timestamp,
}

/// What became of a claim's product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It lists the SKU.
    Lists,
    /// It does not, or it is not there: it may be about to.
    Silent,
    /// It was deleted.
    Gone,
}

/// The claims of all SKUs.
pub(crate) struct Skus(pub(crate) Bucket<Claim>);

impl Skus {
    /// Claims a SKU for a product. `owner` looks up what became of another one
    /// that has claimed it.
    pub(crate) fn claim(
        &self,
        sku: &str,
        product: &str,
        now: Timestamp,
        owner: impl Fn(&str) -> Result<Owner, Error>,
    ) -> Result<(), Error> {
        self.0.update(sku, |claim| {
            if let Some(Claim {
                product: Some(other),
                at,
            }) = claim
                && other != product
            {
                match owner(&other)? {
                    Owner::Lists => return Err(conflict!("SKU {sku} belongs to product {other}")),
                    Owner::Silent if now < at + GRACE => {
                        return Err(conflict!(
                            "SKU {sku} is being taken by another product: try again in a minute"
                        ));
                    }
                    Owner::Silent | Owner::Gone => {}
                }
            }
            // Written even if it is ours: whoever is about to take it over must fail.
            Ok(Claim {
                product: Some(product.to_owned()),
                at: now,
            })
        })?;
        Ok(())
    }

    /// Gives a SKU up, if it is the product's.
    pub(crate) fn give_up(&self, sku: &str, product: &str) -> Result<(), Error> {
        self.0.update_if(sku, |claim| {
            let mine = |claim: &Claim| claim.product.as_deref() == Some(product);
            Ok::<_, Error>(match claim {
                Some(claim) if mine(&claim) => Change::Write(Claim {
                    product: None,
                    at: claim.at,
                }),
                claim => Change::Leave(claim.unwrap_or(Claim {
                    product: None,
                    at: Timestamp::from_millis(0),
                })),
            })
        })?;
        Ok(())
    }
}
