//! The index of an instance, and how it keeps up with changes.

use stoa_sdk::{Error, Timestamp, unavailable};

use crate::changes::{Changed, Changes, Head, Saved};
use crate::copies::Copies;
use crate::index::{Entry, Index};

/// Copies that are read at once.
const BATCH: usize = 500;

/// How often an instance begins anew whose beginnings are taken away meanwhile.
const ATTEMPTS: usize = 5;

/// An index that an instance keeps from call to call.
#[derive(Default)]
pub struct Warm {
    index: Index,
    /// It knows all changes up to this one; `None` before it knows anything.
    number: Option<u64>,
}

/// What an instance reads its index from.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    /// Products and stock.
    pub copies: &'a Copies,
    /// What of them has changed.
    pub changes: &'a Changes,
}

impl Warm {
    /// The index as of now.
    pub(crate) fn index(&mut self, kept: Kept<'_>) -> Result<&mut Index, Error> {
        for _ in 0..ATTEMPTS {
            let Some(head) = kept.changes.head(self.number)? else {
                return Ok(&mut self.index);
            };
            if self.follow(&head, kept)? {
                return Ok(&mut self.index);
            }
            *self = Self::default();
        }
        Err(unavailable!(
            "the catalog's index is changing too fast to be read: try again"
        ))
    }

    /// Saves the index for new instances.
    pub(crate) fn save(&mut self, kept: Kept<'_>, now: Timestamp) -> Result<(), Error> {
        self.index(kept)?;
        let number = self.number.unwrap_or_default();
        let mut draft = Saved::draft(number, self.index.len(), now);
        self.index
            .save(|page| kept.changes.write(&mut draft, &page))?;
        kept.changes.adopt(&draft, now)
    }

    /// Learns what came before a head; `false` if that is not all there any more.
    fn follow(&mut self, head: &Head, kept: Kept<'_>) -> Result<bool, Error> {
        if self.number.is_some_and(|number| number > head.number) {
            // Another history: somebody brought an older state back.
            return Ok(false);
        }
        let number = match self.number {
            Some(number) => number,
            None => match self.begin(head, kept)? {
                Some(number) => number,
                None => return Ok(false),
            },
        };
        let Some(mut changes) = kept.changes.since(head, number)? else {
            return Ok(false);
        };
        changes.sort_unstable();
        changes.dedup();
        for changes in changes.chunks(BATCH) {
            self.learn(changes, kept.copies)?;
        }
        self.number = Some(head.number);
        Ok(true)
    }

    /// Begins with the index that was saved; says which changes it knows.
    fn begin(&mut self, head: &Head, kept: Kept<'_>) -> Result<Option<u64>, Error> {
        self.index = Index::default();
        let Some(saved) = &head.saved else {
            return Ok(Some(0));
        };
        let index = &mut self.index;
        let (mut readable, mut whole) = (saved.is_readable(), true);
        if readable {
            whole = kept.changes.read(saved, |page| {
                readable &= index.load(page);
                Ok(())
            })?;
        }
        if whole && !readable {
            tracing::warn!("the catalog's saved index is of another revision: it is made anew");
            self.index = Index::default();
            self.read_all(kept.copies)?;
            return Ok(Some(head.number));
        }
        Ok(whole.then_some(saved.number))
    }

    /// Learns all copies that there are.
    fn read_all(&mut self, copies: &Copies) -> Result<(), Error> {
        let mut cursor = None;
        loop {
            let (ids, next) = copies.items.keys(cursor.as_deref())?;
            let changes: Vec<_> = ids.into_iter().map(Changed::Product).collect();
            self.learn(&changes, copies)?;
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        loop {
            let (skus, next) = copies.levels.keys(cursor.as_deref())?;
            let changes: Vec<_> = skus.into_iter().map(Changed::Stock).collect();
            self.learn(&changes, copies)?;
            cursor = next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    fn learn(&mut self, changes: &[Changed], copies: &Copies) -> Result<(), Error> {
        let (mut ids, mut skus) = (Vec::new(), Vec::new());
        for changed in changes {
            match changed {
                Changed::Product(id) => ids.push(id.clone()),
                Changed::Stock(sku) => skus.push(sku.clone()),
            }
        }
        for (id, copied) in ids.iter().zip(copies.items.get_many(&ids)?) {
            match copied.and_then(|copied| copied.product) {
                Some(product) => self.index.put(&Entry::of(&product)),
                None => self.index.remove(id),
            }
        }
        for (sku, level) in skus.iter().zip(copies.levels.get_many(&skus)?) {
            let units = level.map(|level| level.units).unwrap_or_default();
            self.index.stock(sku, &units);
        }
        Ok(())
    }
}
