//! The catalog in memory: what lists, searches and facets are answered from.
//!
//! Holds no texts to show, only what decides which items an answer has, and in which order.
//! All regions share it; what differs between them is a [`View`], made when it is first
//! asked for. Pure: whoever keeps it says what has changed.

mod entry;
mod facets;
mod names;
mod page;
mod query;
pub(crate) mod spelling;
mod terms;
mod view;

use std::cmp::Ordering;
use std::collections::BTreeMap;

pub(crate) use entry::Entry;
pub(crate) use facets::Facets;
pub(crate) use query::{Ask, Order};

use crate::language::prefixes;
use entry::Brief;
use names::Names;
use terms::{Posting, Terms};
use view::{Place, View};

/// Orders and views that are kept; with more the oldest are made anew when they are asked
/// for again. A shop has a few regions with a few languages each.
const KEPT: usize = 32;

/// The number of no category.
const NO_CATEGORY: u32 = u32::MAX;

/// Products and their stock, by everything that they are asked for by.
#[derive(Default)]
pub(crate) struct Index {
    docs: Vec<Option<Doc>>,
    free: Vec<u32>,
    /// Sorted by id, which is the order of creation.
    by_id: Vec<u32>,
    /// For each language that was asked for, sorted by the name in it, then by id.
    by_name: Vec<(String, Vec<u32>)>,
    views: Vec<View>,
    terms: Terms,
    categories: Names,
    currencies: Names,
    languages: Names,
    locations: Names,
    skus: Names,
    /// By the number of the SKU.
    shelves: Vec<Shelf>,
}

/// A product.
struct Doc {
    id: Box<str>,
    category: u32,
    /// By language; the first one is the product's own.
    names: Box<[(u32, Box<str>)]>,
    offers: Box<[Variant]>,
    words: Box<[Posting]>,
}

struct Variant {
    sku: u32,
    /// By currency.
    prices: Box<[(u32, i64)]>,
}

/// What can be ordered of a SKU, and which products have it.
#[derive(Default)]
struct Shelf {
    /// Units by location, without those that have none.
    levels: Box<[(u32, u64)]>,
    docs: Vec<u32>,
}

impl Index {
    /// Products in it.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Adds a product, or what it is now.
    pub(crate) fn put(&mut self, entry: &Entry<'_>) {
        let words = entry.words.iter();
        let words = words.map(|(word, weight)| Posting::new(self.terms.number(word), *weight));
        let words = words.collect();
        self.put_with(&entry.brief(), words);
    }

    fn put_with(&mut self, entry: &Brief<'_>, words: Box<[Posting]>) {
        let doc = self.doc(entry, words);
        let slot = match self.place(entry.id) {
            Ok(at) => {
                let slot = self.by_id[at];
                self.detach(slot);
                slot
            }
            Err(at) => {
                let slot = self.free.pop().unwrap_or_else(|| {
                    self.docs.push(None);
                    u32::try_from(self.docs.len() - 1).expect("memory ends before the numbers do")
                });
                self.by_id.insert(at, slot);
                slot
            }
        };
        self.docs[slot as usize] = Some(doc);
        self.attach(slot);
    }

    /// Takes a product out.
    pub(crate) fn remove(&mut self, id: &str) {
        if let Ok(at) = self.place(id) {
            let slot = self.by_id.remove(at);
            self.detach(slot);
            self.docs[slot as usize] = None;
            self.free.push(slot);
        }
    }

    /// Says what can be ordered of a SKU, by location.
    pub(crate) fn stock(&mut self, sku: &str, levels: &BTreeMap<String, u64>) {
        let some = levels.iter().filter(|(_, units)| **units > 0);
        let levels = some.map(|(location, units)| (self.locations.number(location), *units));
        let levels = levels.collect();
        let shelf = self.shelf(sku);
        self.shelves[shelf as usize].levels = levels;
        for slot in self.shelves[shelf as usize].docs.clone() {
            for at in 0..self.views.len() {
                let place = self.seen_by(slot, &self.views[at]);
                self.views[at].places[slot as usize].in_stock = place.in_stock;
            }
        }
    }

    /// Units of a SKU at some locations.
    pub(crate) fn available(&self, sku: &str, locations: &[String]) -> u64 {
        let Some(sku) = self.skus.find(sku) else {
            return 0;
        };
        let levels = self.shelves[sku as usize].levels.iter();
        let near = levels.filter(|(location, _)| {
            let location = self.locations.text(*location);
            locations.iter().any(|near| near == location)
        });
        near.map(|(_, units)| units).sum()
    }

    /// Makes ready what a region is answered from.
    fn view(&mut self, currency: &str, locations: &[String]) -> usize {
        let currency = self.currencies.number(currency);
        let mut near: Vec<_> = locations
            .iter()
            .map(|location| self.locations.number(location))
            .collect();
        near.sort_unstable();
        let is_it = |view: &View| view.currency == currency && view.locations == near;
        if let Some(at) = self.views.iter().position(is_it) {
            return at;
        }
        if self.views.len() == KEPT {
            self.views.remove(0);
        }
        let mut view = View::new(currency, near);
        view.places = (0..self.docs.len() as u32)
            .map(|slot| self.seen_by(slot, &view))
            .collect();
        let sold = |slot: &u32| view.places[*slot as usize].price.is_some();
        let mut by_price: Vec<_> = self.by_id.iter().copied().filter(sold).collect();
        // Stable: those of one price stay in the order of their ids.
        by_price.sort_by_key(|slot| view.places[*slot as usize].price);
        view.by_price = by_price;
        self.views.push(view);
        self.views.len() - 1
    }

    /// Makes ready the order of the names in a language.
    fn names_in(&mut self, language: &str) -> usize {
        let is_it = |(kept, _): &(String, Vec<u32>)| kept == language;
        if let Some(at) = self.by_name.iter().position(is_it) {
            return at;
        }
        if self.by_name.len() == KEPT {
            self.by_name.remove(0);
        }
        let chain = self.chain(language);
        let named = self
            .by_id
            .iter()
            .map(|slot| (self.name(*slot, &chain), *slot));
        let mut named: Vec<_> = named.collect();
        // Stable: those of one name stay in the order of their ids.
        named.sort_by_key(|(name, _)| *name);
        let slots = named.into_iter().map(|(_, slot)| slot).collect();
        self.by_name.push((language.to_owned(), slots));
        self.by_name.len() - 1
    }

    // === parts of a change ===

    fn doc(&mut self, entry: &Brief<'_>, words: Box<[Posting]>) -> Doc {
        let names = entry.names.iter();
        let names = names.map(|(language, name)| (self.languages.number(language), (*name).into()));
        let names = names.collect();
        let offers = entry.offers.iter().map(|(sku, prices)| {
            let prices = prices.iter();
            let prices = prices.map(|(currency, minor)| (self.currencies.number(currency), *minor));
            let prices = prices.collect();
            let sku = self.shelf(sku);
            Variant { sku, prices }
        });
        let offers = offers.collect();
        Doc {
            id: entry.id.into(),
            category: entry
                .category
                .map_or(NO_CATEGORY, |category| self.categories.number(category)),
            names,
            offers,
            words,
        }
    }

    fn shelf(&mut self, sku: &str) -> u32 {
        let number = self.skus.number(sku);
        if self.shelves.len() <= number as usize {
            self.shelves.push(Shelf::default());
        }
        number
    }

    /// Notes a document wherever it is to be found, but for its id.
    fn attach(&mut self, slot: u32) {
        let doc = self.docs[slot as usize].as_ref().expect("it was put there");
        for word in &doc.words {
            self.terms.add(*word, slot);
        }
        for variant in &doc.offers {
            self.shelves[variant.sku as usize].docs.push(slot);
        }
        for at in 0..self.views.len() {
            let place = self.seen_by(slot, &self.views[at]);
            let view = &mut self.views[at];
            view.places.resize(self.docs.len(), Place::default());
            view.places[slot as usize] = place;
            if place.price.is_some() {
                let spot = self.price_spot(&self.views[at], slot);
                self.views[at].by_price.insert(spot, slot);
            }
        }
        for at in 0..self.by_name.len() {
            let spot = self.name_spot(&self.by_name[at], slot);
            self.by_name[at].1.insert(spot, slot);
        }
    }

    /// The opposite, before it changes.
    fn detach(&mut self, slot: u32) {
        for at in 0..self.by_name.len() {
            let spot = self.name_spot(&self.by_name[at], slot);
            self.by_name[at].1.remove(spot);
        }
        for at in 0..self.views.len() {
            if self.views[at].places[slot as usize].price.is_some() {
                let spot = self.price_spot(&self.views[at], slot);
                self.views[at].by_price.remove(spot);
            }
            self.views[at].places[slot as usize] = Place::default();
        }
        let doc = self.docs[slot as usize]
            .as_ref()
            .expect("it is to be found");
        for variant in &doc.offers {
            let docs = &mut self.shelves[variant.sku as usize].docs;
            docs.retain(|other| *other != slot);
        }
        for word in &doc.words {
            self.terms.remove(*word, slot);
        }
    }

    /// Where an id is among all, or would be.
    fn place(&self, id: &str) -> Result<usize, usize> {
        // Most that come are new, and new ids are behind all others.
        match self.by_id.last() {
            Some(last) if *self.id(*last) < *id => Err(self.by_id.len()),
            _ => self.by_id.binary_search_by(|slot| self.id(*slot).cmp(id)),
        }
    }

    /// Where a document is among the prices of a view, or belongs.
    fn price_spot(&self, view: &View, slot: u32) -> usize {
        let key = |slot: u32| (view.places[slot as usize].price, self.id(slot));
        let wanted = key(slot);
        view.by_price.partition_point(|slot| key(*slot) < wanted)
    }

    /// Where a document is among the names of a language, or belongs.
    fn name_spot(&self, (language, slots): &(String, Vec<u32>), slot: u32) -> usize {
        let chain = self.chain(language);
        let key = |slot: u32| (self.name(slot, &chain), self.id(slot));
        let wanted = key(slot);
        slots.partition_point(|slot| key(*slot) < wanted)
    }

    // === what a document is ===

    fn get(&self, slot: u32) -> &Doc {
        self.docs[slot as usize]
            .as_ref()
            .expect("orders name what there is")
    }

    fn id(&self, slot: u32) -> &str {
        &self.get(slot).id
    }

    /// The languages that a name may be in for who reads `language`, the best first.
    fn chain(&self, language: &str) -> Vec<u32> {
        let language = language.to_ascii_lowercase();
        let known = prefixes(&language).filter_map(|language| self.languages.find(language));
        known.collect()
    }

    /// The name in the best of some languages, or the product's own.
    fn name(&self, slot: u32, chain: &[u32]) -> &str {
        let names = &self.get(slot).names;
        let best = chain.iter().find_map(|language| {
            let mut translated = names.iter().skip(1);
            translated.find(|(of, _)| of == language)
        });
        &best.unwrap_or(&names[0]).1
    }

    /// What a document is to a view.
    fn seen_by(&self, slot: u32, view: &View) -> Place {
        let Some(doc) = &self.docs[slot as usize] else {
            return Place::default();
        };
        let sold = doc.offers.iter().filter_map(|variant| {
            let mut prices = variant.prices.iter();
            let (_, minor) = prices.find(|(currency, _)| *currency == view.currency)?;
            Some((variant.sku, *minor))
        });
        let price = sold.clone().map(|(_, minor)| minor).min();
        let near = |sku: u32| {
            let mut levels = self.shelves[sku as usize].levels.iter();
            levels.any(|(location, _)| view.locations.contains(location))
        };
        Place {
            price,
            in_stock: sold.clone().any(|(sku, _)| near(sku)),
            category: doc.category,
        }
    }

    /// Which of two documents was made first.
    fn by_creation(&self, left: u32, right: u32) -> Ordering {
        self.id(left).cmp(self.id(right))
    }
}

#[cfg(test)]
mod tests;
