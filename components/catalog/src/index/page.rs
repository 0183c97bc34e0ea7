//! The index as bytes: pages from which another instance has it faster than from what it is
//! made of.
//!
//! Each page has a dictionary of its own words, so that a word is looked up once a page.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::entry::Brief;
use super::terms::Posting;
use super::{Doc, Index, NO_CATEGORY};

/// Bytes of a page, about: far from the 8 MiB that a value may have, even if its last
/// product is a large one.
const SIZE: usize = 1 << 20;

#[derive(Default, Serialize, Deserialize)]
struct Page<'p> {
    #[serde(borrow)]
    words: Vec<&'p str>,
    #[serde(borrow)]
    docs: Vec<(Brief<'p>, Vec<(u32, u8)>)>,
    /// Units by location for each SKU that has some.
    #[serde(borrow)]
    stock: Vec<(&'p str, Vec<(&'p str, u64)>)>,
}

impl Index {
    /// Hands all that it knows to `write`, page by page.
    pub(crate) fn save<E>(&self, mut write: impl FnMut(Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let mut draft = Draft::default();
        for slot in &self.by_id {
            draft.add(self, self.get(*slot));
            if draft.size >= SIZE {
                write(std::mem::take(&mut draft).encode())?;
            }
        }
        for (number, shelf) in self.shelves.iter().enumerate() {
            if shelf.levels.is_empty() {
                continue;
            }
            let levels = shelf.levels.iter();
            let levels = levels.map(|(location, units)| (self.locations.text(*location), *units));
            let (sku, levels) = (self.skus.text(number as u32), levels.collect::<Vec<_>>());
            draft.size += sku.len() + 16 * levels.len();
            draft.page.stock.push((sku, levels));
            if draft.size >= SIZE {
                write(std::mem::take(&mut draft).encode())?;
            }
        }
        if draft.size > 0 {
            write(draft.encode())?;
        }
        Ok(())
    }

    /// Adds what a page has; `false` for what is none.
    pub(crate) fn load(&mut self, page: &[u8]) -> bool {
        let Ok(page) = postcard::from_bytes::<Page<'_>>(page) else {
            return false;
        };
        let words = page.words.iter().map(|word| self.terms.number(word));
        let words: Vec<_> = words.collect();
        for (brief, has) in &page.docs {
            let has = has.iter().map(|(word, weight)| {
                let number = words.get(*word as usize)?;
                Some(Posting::new(*number, *weight))
            });
            let Some(has) = has.collect() else {
                return false;
            };
            self.put_with(brief, has);
        }
        for (sku, levels) in &page.stock {
            let levels = levels.iter();
            let levels = levels.map(|(location, units)| ((*location).to_owned(), *units));
            self.stock(sku, &levels.collect());
        }
        true
    }

    fn brief<'i>(&'i self, doc: &'i Doc) -> Brief<'i> {
        let names = doc.names.iter();
        let names = names.map(|(language, name)| (self.languages.text(*language), &**name));
        let offers = doc.offers.iter().map(|variant| {
            let prices = variant.prices.iter();
            let prices = prices.map(|(currency, minor)| (self.currencies.text(*currency), *minor));
            (self.skus.text(variant.sku), prices.collect())
        });
        Brief {
            id: &doc.id,
            category: (doc.category != NO_CATEGORY).then(|| self.categories.text(doc.category)),
            names: names.collect(),
            offers: offers.collect(),
        }
    }
}

/// A page that is being written.
#[derive(Default)]
struct Draft<'i> {
    page: Page<'i>,
    /// Where a word is in the page's dictionary.
    numbers: HashMap<u32, u32>,
    /// Bytes, about.
    size: usize,
}

impl<'i> Draft<'i> {
    fn add(&mut self, index: &'i Index, doc: &'i Doc) {
        let brief = index.brief(doc);
        let names = brief.names.iter().map(|(_, name)| name.len() + 8);
        let offers = brief.offers.iter();
        let offers = offers.map(|(sku, prices)| sku.len() + 2 + 10 * prices.len());
        self.size += brief.id.len() + 4 * doc.words.len() + names.chain(offers).sum::<usize>();
        let has = doc.words.iter().map(|posting| {
            let next = self.page.words.len() as u32;
            let number = *self.numbers.entry(posting.number()).or_insert(next);
            if number == next {
                let word = index.terms.text(posting.number());
                self.size += word.len() + 1;
                self.page.words.push(word);
            }
            (number, posting.weight() as u8)
        });
        let has = has.collect();
        self.page.docs.push((brief, has));
    }

    fn encode(self) -> Vec<u8> {
        postcard::to_allocvec(&self.page).expect("numbers and texts are always written")
    }
}
