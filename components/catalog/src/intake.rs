//! What the product service tells of, and what becomes of it: a copy, a change for the
//! instances, and answers that are asked for again, in this order. A delivery that is cut off
//! anywhere is made again, and does it all.

use stoa_sdk::{Error, Timestamp};

use crate::changes::{Changed, Upkeep};
use crate::copies::Came;
use crate::warm::{Kept, Warm};
use crate::{Edge, Source};

/// Takes changes in.
pub struct Intake<'a, S> {
    kept: Kept<'a>,
    source: S,
}

impl<'a, S: Source + Edge> Intake<'a, S> {
    /// Takes changes of what a source has into these copies.
    pub fn new(kept: Kept<'a>, source: S) -> Self {
        Self { kept, source }
    }

    /// A product has this version now, or a newer one, or is gone.
    pub fn product(
        &self,
        id: &str,
        version: u64,
        warm: &mut Warm,
        now: Timestamp,
    ) -> Result<(), Error> {
        let came = match self.source.product(id)? {
            Some(product) => self.kept.copies.keep(&product)?,
            None => {
                self.kept.copies.bury(id, version)?;
                Came::Seen
            }
        };
        self.pass_on(&[(Changed::Product(id.to_owned()), came)], warm, now)
    }

    /// What can be ordered of a SKU has changed.
    pub fn stock(&self, sku: &str, warm: &mut Warm, now: Timestamp) -> Result<(), Error> {
        let mut changes = Vec::new();
        for stock in self.source.stock(&[sku.to_owned()])? {
            let came = self.kept.copies.stock(&stock)?;
            changes.push((Changed::Stock(stock.sku), came));
        }
        self.pass_on(&changes, warm, now)
    }

    /// Tells instances and the gateway of what was kept.
    pub(crate) fn pass_on(
        &self,
        came: &[(Changed, Came)],
        warm: &mut Warm,
        now: Timestamp,
    ) -> Result<(), Error> {
        let kept = came.iter().filter(|(_, came)| *came != Came::Late);
        let changes: Vec<_> = kept.map(|(changed, _)| changed.clone()).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let upkeep = self.kept.changes.add(&changes)?;
        if came.iter().any(|(_, came)| *came == Came::Seen) {
            self.source.forget();
        }
        // Lists and searches do without it: it is tried again some changes later.
        if upkeep == Upkeep::Save
            && let Err(fault) = warm.save(self.kept, now)
        {
            tracing::warn!("the catalog's index was not saved: {fault:?}");
        }
        Ok(())
    }

    pub(crate) fn kept(&self) -> Kept<'a> {
        self.kept
    }

    pub(crate) fn source(&self) -> &S {
        &self.source
    }
}

#[cfg(test)]
mod tests;
