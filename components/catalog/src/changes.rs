//! What has changed, in order: by it each instance keeps its index up to date.
//!
//! One key, the head, has the number of the last change, and the last changes themselves. With
//! more than [`INLINE`] they go to a key of their own, named by the last number in it, which
//! names the one before. What a head says happened once and for all, so whoever writes such a
//! key writes the same.
//!
//! Now and then an instance saves its index ([`Changes::adopt`]); what is older than that is
//! not needed any more, and goes.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stoa_sdk::store::Store;
use stoa_sdk::{Error, Timestamp, id, unavailable};

/// Changes in the head: a few kilobytes, which every request reads but its first line seldom
/// tells something new.
const INLINE: usize = 64;

/// Changes after which an index is saved, and the part of all products that they must be: a
/// new instance repeats at most as many, and not too much is saved for it.
const WORTH_SAVING: u64 = 2048;
const PART: u64 = 4;

/// How long what nobody refers to stays: longer than the call that wrote it can last, and
/// than one that has begun to read it.
const GRACE: Duration = Duration::from_secs(600);

/// How pages of an index are written. To be counted up with each change of that, and of what
/// a word is.
const FORM: u32 = 1;

const HEAD: &str = "head";

/// Something of which there is a new copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Changed {
    /// A product, by id.
    #[serde(rename = "p")]
    Product(String),
    /// Stock, by SKU.
    #[serde(rename = "s")]
    Stock(String),
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The number of the last change; the first one has 1.
    pub(crate) number: u64,
    /// The last changes, and what was before them.
    last: Part,
    /// An index that was saved.
    pub(crate) saved: Option<Saved>,
}

/// Some changes in their order, and the last number of those before them; 0 if there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    before: u64,
    changes: Vec<Changed>,
}

/// An index that was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// What its pages' keys begin with.
    name: String,
    /// It knows all changes up to this one.
    pub(crate) number: u64,
    pages: u32,
    /// Products in it.
    products: u64,
    /// How its pages are written.
    form: u32,
}

/// What is said of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upkeep {
    /// Nothing.
    None,
    /// It is time to save an index.
    Save,
}

/// All changes, in a store of their own.
pub struct Changes(Arc<dyn Store>);

impl Changes {
    /// Changes in this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    /// How far it is, if that is not `known`.
    pub(crate) fn head(&self, known: Option<u64>) -> Result<Option<Head>, Error> {
        let Some(bytes) = self.0.get(HEAD)? else {
            return Ok(known.is_none().then(Head::default));
        };
        let number = known.map(|number| format!("{number}\n"));
        let is_known = number.is_some_and(|line| bytes.starts_with(line.as_bytes()));
        if is_known {
            Ok(None)
        } else {
            read(&bytes).map(Some)
        }
    }

    /// Adds changes, whose copies are written. Says whether it is time to save an index.
    pub(crate) fn add(&self, changes: &[Changed]) -> Result<Upkeep, Error> {
        let mut upkeep = Upkeep::None;
        self.0.update(HEAD, &mut |bytes| {
            let mut head = bytes.map_or_else(|| Ok(Head::default()), |bytes| read(&bytes))?;
            if head.last.changes.len() >= INLINE {
                let (key, part) = (part_key(head.number), encode(&head.last)?);
                self.0.set(&key, &part)?;
                head.last = Part {
                    before: head.number,
                    changes: Vec::new(),
                };
            }
            let before = head.since_saved();
            head.number += changes.len() as u64;
            head.last.changes.extend_from_slice(changes);
            upkeep = head.upkeep(before);
            write(&head).map(Some)
        })?;
        Ok(upkeep)
    }

    /// The changes after a number, in their order; `None` if they are not all there any more.
    pub(crate) fn since(&self, head: &Head, number: u64) -> Result<Option<Vec<Changed>>, Error> {
        let (mut part, mut end) = (head.last.clone(), head.number);
        let mut parts = Vec::new();
        while end > number {
            let (before, mut changes) = (part.before, part.changes);
            if before < number {
                changes.drain(..usize::try_from(number - before).unwrap_or(usize::MAX));
            }
            parts.push(changes);
            end = before;
            if end > number {
                let Some(bytes) = self.0.get(&part_key(end))? else {
                    return Ok(None);
                };
                part = decode(&bytes)?;
            } else {
                break;
            }
        }
        parts.reverse();
        Ok(Some(parts.concat()))
    }

    /// The pages of a saved index, one by one; `false` if they are not all there any more.
    pub(crate) fn read(
        &self,
        saved: &Saved,
        mut page: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        for number in 0..saved.pages {
            match self.0.get(&page_key(&saved.name, number))? {
                Some(bytes) => page(&bytes)?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Writes a page of an index that is about to be adopted.
    pub(crate) fn write(&self, draft: &mut Saved, page: &[u8]) -> Result<(), Error> {
        self.0.set(&page_key(&draft.name, draft.pages), page)?;
        draft.pages += 1;
        Ok(())
    }

    /// Has new instances begin with an index whose pages are written, unless there is a newer
    /// one, and removes what nobody needs any more.
    pub(crate) fn adopt(&self, saved: &Saved, now: Timestamp) -> Result<(), Error> {
        let mut kept = None;
        self.0.update(HEAD, &mut |bytes| {
            let mut head = bytes.map_or_else(|| Ok(Head::default()), |bytes| read(&bytes))?;
            let newer = head
                .saved
                .as_ref()
                .is_none_or(|other| other.number < saved.number);
            if newer {
                head.saved = Some(saved.clone());
            }
            kept.clone_from(&head.saved);
            newer.then(|| write(&head)).transpose()
        })?;
        match kept {
            Some(kept) => self.tidy(&kept, now),
            None => Ok(()),
        }
    }

    /// Removes changes that a saved index knows, and the pages of others. A reader that is
    /// about to need them begins anew.
    fn tidy(&self, saved: &Saved, now: Timestamp) -> Result<(), Error> {
        let mut cursor = None;
        loop {
            let (keys, next) = self.0.keys(cursor.as_deref())?;
            for key in keys {
                let gone = match (key.strip_prefix("part."), key.strip_prefix("page.")) {
                    (Some(number), _) => number.parse().is_ok_and(|last: u64| last <= saved.number),
                    (_, Some(page)) => !page.starts_with(&saved.name) && is_old(page, now),
                    _ => false,
                };
                if gone {
                    self.0.delete(&key)?;
                }
            }
            cursor = next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}

impl Head {
    /// Changes that a new instance repeats.
    fn since_saved(&self) -> u64 {
        self.number - self.saved.as_ref().map_or(0, |saved| saved.number)
    }

    /// Whether the last change but those before made it time to save. One that was not saved
    /// then is tried again half as many changes later.
    fn upkeep(&self, before: u64) -> Upkeep {
        let products = self.saved.as_ref().map_or(0, |saved| saved.products);
        let step = WORTH_SAVING.max(products / PART);
        let (times, tried) = (2 * self.since_saved() / step, 2 * before / step);
        if times > tried && times > 1 {
            Upkeep::Save
        } else {
            Upkeep::None
        }
    }
}

impl Saved {
    /// An index of so many products that knows all changes up to a number, without pages yet.
    pub(crate) fn draft(number: u64, products: usize, now: Timestamp) -> Self {
        Self {
            name: id::new(now),
            number,
            pages: 0,
            products: products as u64,
            form: FORM,
        }
    }

    /// Whether this revision reads its pages.
    pub(crate) fn is_readable(&self) -> bool {
        self.form == FORM
    }
}

fn part_key(last: u64) -> String {
    format!("part.{last}")
}

fn page_key(name: &str, page: u32) -> String {
    format!("page.{name}.{page}")
}

/// Whether a page was begun so long ago that nobody writes or reads it.
fn is_old(page: &str, now: Timestamp) -> bool {
    let name = page.split('.').next().unwrap_or_default();
    id::time(name).is_none_or(|begun| begun + GRACE < now)
}

/// The number stands in a line of its own, before all else.
fn write(head: &Head) -> Result<Vec<u8>, Error> {
    let mut bytes = format!("{}\n", head.number).into_bytes();
    bytes.extend(encode(head)?);
    Ok(bytes)
}

fn read(bytes: &[u8]) -> Result<Head, Error> {
    let start = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    decode(&bytes[start..])
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|fault| unavailable!("changes can't be written: {fault}"))
}

fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|fault| {
        tracing::error!("the catalog's changes are not what this revision writes: {fault}");
        unavailable!("the catalog's changes can't be read")
    })
}

#[cfg(test)]
mod tests;
