//! The catalog made anew from all that the product service has, in steps.
//!
//! A step is named by the version of the progress that it begins with, and its end is written
//! together with the call of the next one: whatever is cut off goes on, and nothing is
//! counted twice. Changes that come meanwhile are taken in as always: a copy is only replaced
//! by a newer one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stoa_sdk::{Bucket, Change, Error, Timestamp, id, not_found};

use crate::bindings::exports::shop::catalog::rebuild::{Progress, RebuildState as State};
use crate::changes::Changed;
use crate::copies::Came;
use crate::intake::Intake;
use crate::warm::Warm;
use crate::{Edge, Later, Source};

/// Products of a step: as many as the product service tells at once.
const STEP: u32 = 100;

/// SKUs whose stock, or whose owner, is asked for at once.
const SKUS: usize = 100;

/// The key of the only rebuild that is under way or was the last.
const CURRENT: &str = "current";

/// A rebuild, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rebuilt {
    progress: Progress,
    /// Where the next step begins, in products or in the catalog's own items.
    cursor: Option<String>,
}

/// The last rebuild.
pub struct Rebuild<'a, S> {
    kept: Bucket<Rebuilt>,
    intake: Intake<'a, S>,
}

impl<'a, S: Source + Edge + Later> Rebuild<'a, S> {
    /// The rebuild in this bucket.
    pub fn new(kept: Bucket<Rebuilt>, intake: Intake<'a, S>) -> Self {
        Self { kept, intake }
    }

    /// Begins one. One that is under way ends where it is.
    pub fn begin(&self, now: Timestamp) -> Result<Progress, Error> {
        let rebuild = id::new(now);
        let begun = self.kept.update_telling(CURRENT, |before| {
            // Never the same version twice: it is what answers are compared by.
            let version = before.map_or(0, |before| before.progress.version) + 1;
            self.intake.source().advance_later(&rebuild, version)?;
            Ok::<_, Error>(Change::Write(Rebuilt {
                progress: Progress {
                    id: rebuild.clone(),
                    state: State::Reading,
                    products: 0,
                    swept: 0,
                    removed: 0,
                    started_at: now.to_string(),
                    updated_at: now.to_string(),
                    version,
                },
                cursor: None,
            }))
        })?;
        tracing::info!(id = rebuild, "rebuild begun");
        Ok(begun.progress)
    }

    /// How far it is.
    pub fn progress(&self) -> Result<Progress, Error> {
        let kept = self.kept.get(CURRENT)?;
        let kept = kept.ok_or_else(|| not_found!("the catalog was never rebuilt"))?;
        Ok(kept.progress)
    }

    /// Does one step, and has the next one done.
    pub fn advance(
        &self,
        rebuild: &str,
        version: u64,
        warm: &mut Warm,
        now: Timestamp,
    ) -> Result<(), Error> {
        let is_due = |kept: &Rebuilt| {
            let progress = &kept.progress;
            progress.id == rebuild && progress.version == version
        };
        let Some(due) = self.kept.get(CURRENT)?.filter(is_due) else {
            return Ok(());
        };
        let next = match due.progress.state {
            State::Reading => self.read(due, warm, now)?,
            State::Sweeping => self.sweep(due, warm, now)?,
            State::Done => return Ok(()),
        };
        self.kept.update_telling(CURRENT, |kept| match kept {
            Some(kept) if is_due(&kept) => {
                let mut next = next.clone();
                next.progress.version = version + 1;
                next.progress.updated_at = now.to_string();
                if next.progress.state != State::Done {
                    self.intake.source().advance_later(rebuild, version + 1)?;
                }
                Ok::<_, Error>(Change::Write(next))
            }
            kept => Ok(Change::Leave(kept.unwrap_or_else(|| next.clone()))),
        })?;
        Ok(())
    }

    /// Copies some products and their stock.
    fn read(&self, mut at: Rebuilt, warm: &mut Warm, now: Timestamp) -> Result<Rebuilt, Error> {
        let (source, copies) = (self.intake.source(), self.intake.kept().copies);
        let page = source.products(STEP, at.cursor.as_deref())?;
        let mut came = Vec::new();
        for product in &page.items {
            came.push((Changed::Product(product.id.clone()), copies.keep(product)?));
        }
        let variants = page.items.iter().flat_map(|product| &product.variants);
        let skus: Vec<_> = variants.map(|variant| variant.sku.clone()).collect();
        for skus in skus.chunks(SKUS) {
            for stock in source.stock(skus)? {
                let kept = copies.stock(&stock)?;
                came.push((Changed::Stock(stock.sku), kept));
            }
        }
        self.intake.pass_on(&came, warm, now)?;
        at.progress.products += page.items.len() as u64;
        at.progress.state = match page.next {
            Some(_) => State::Reading,
            None => State::Sweeping,
        };
        at.cursor = page.next;
        Ok(at)
    }

    /// Takes out those of some items whose products are gone.
    fn sweep(&self, mut at: Rebuilt, warm: &mut Warm, now: Timestamp) -> Result<Rebuilt, Error> {
        let copies = self.intake.kept().copies;
        let (ids, next) = copies.items.keys(at.cursor.as_deref())?;
        let copied = copies.items.get_many(&ids)?.into_iter().flatten();
        // Each by one of its SKUs: those that still have it are told from many at once.
        let skus = copied.filter_map(|copied| {
            let product = copied.product?;
            let sku = product.variants.first()?.sku.clone();
            Some((sku, (product.id, product.version)))
        });
        let mut doubtful: BTreeMap<String, u64> = BTreeMap::new();
        let skus: Vec<_> = skus.collect();
        for some in skus.chunks(SKUS) {
            let asked: Vec<_> = some.iter().map(|(sku, _)| sku.clone()).collect();
            let owners: BTreeSet<_> = self.intake.source().owners(&asked)?.into_iter().collect();
            let lost = some
                .iter()
                .filter(|(sku, (id, _))| !owners.contains(&(sku.clone(), id.clone())));
            doubtful.extend(lost.map(|(_, product)| product.clone()));
        }
        let mut came = Vec::new();
        for (id, version) in doubtful {
            let kept = match self.intake.source().product(&id)? {
                Some(product) => copies.keep(&product)?,
                None => {
                    copies.bury(&id, version)?;
                    at.progress.removed += 1;
                    Came::Seen
                }
            };
            came.push((Changed::Product(id), kept));
        }
        self.intake.pass_on(&came, warm, now)?;
        at.progress.swept += ids.len() as u64;
        if next.is_none() {
            at.progress.state = State::Done;
            let (id, products) = (&at.progress.id, at.progress.products);
            tracing::info!(id, products, removed = at.progress.removed, "rebuild done");
        }
        at.cursor = next;
        Ok(at)
    }
}

#[cfg(test)]
mod tests;
