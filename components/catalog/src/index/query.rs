//! Lists and searches: which documents, in which order, from where on.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use stoa_sdk::page::Cursor;
use stoa_sdk::{Error, invalid};

use super::Index;
use super::facets::{Accepted, Counting, Facets};
use crate::catalog::Filter;

/// What somebody asks of a region.
pub(crate) struct Ask<'a> {
    pub(crate) currency: &'a str,
    /// Units at these can be ordered.
    pub(crate) locations: &'a [String],
    pub(crate) filter: &'a Filter,
    pub(crate) order: Order<'a>,
    /// How many there are of each kind, if that is wanted.
    pub(crate) facets: bool,
    pub(crate) limit: usize,
    pub(crate) cursor: Option<&'a str>,
}

/// Which documents, and in which order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order<'a> {
    /// All, oldest first.
    Created,
    /// All, by the name in a language.
    Name(&'a str),
    /// All, cheapest first.
    PriceAsc,
    /// All, dearest first.
    PriceDesc,
    /// Those that have these words, best first.
    Rank(&'a [String]),
}

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Ids, in order.
    pub(crate) ids: Vec<String>,
    pub(crate) facets: Option<Facets>,
    /// Where the next page begins; `None` after the last.
    pub(crate) next: Option<String>,
}

/// What a document is sorted by, before its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Nothing,
    Text(String),
    Number(i64),
}

/// Where a page begins: behind this key and id.
type After = Option<(Key, String)>;

impl Index {
    /// Answers. The first time for a region or a language it makes its orders.
    pub(crate) fn ask(&mut self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let after = after(ask.order, ask.cursor)?;
        let view = self.view(ask.currency, ask.locations);
        let names = match ask.order {
            Order::Name(language) => Some(self.names_in(language)),
            _ => None,
        };
        let view = &self.views[view];
        let accepted = Accepted::new(self, view, ask.filter);
        match ask.order {
            Order::Rank(words) => Ok(self.ranked(ask, &accepted, (words, after))),
            order => {
                let slots = match names {
                    Some(at) => &self.by_name[at].1,
                    None if matches!(order, Order::Created) => &self.by_id,
                    None => &view.by_price,
                };
                Ok(self.sorted(ask, &accepted, (slots, after)))
            }
        }
    }

    /// A page of an order that is there.
    fn sorted(
        &self,
        ask: &Ask<'_>,
        accepted: &Accepted<'_>,
        (slots, after): (&[u32], After),
    ) -> Answer {
        let facets = ask.facets.then(|| {
            let mut counting = Counting::new(self, ask.currency);
            slots.iter().for_each(|slot| counting.add(accepted, *slot));
            counting.facets(self)
        });
        let chain = match ask.order {
            Order::Name(language) => self.chain(language),
            _ => Vec::new(),
        };
        let compare = |slot: u32, (key, id): &(Key, String)| {
            let by_key = match key {
                Key::Nothing => Ordering::Equal,
                Key::Text(text) => self.name(slot, &chain).cmp(text),
                Key::Number(minor) => accepted.view.places[slot as usize].price.cmp(&Some(*minor)),
            };
            by_key.then_with(|| self.id(slot).cmp(id))
        };
        let backwards = matches!(ask.order, Order::PriceDesc);
        let start = after.as_ref().map(|after| {
            let is_before = |slot: &u32| compare(*slot, after) == Ordering::Less;
            let at = slots.partition_point(is_before);
            let is_there = slots
                .get(at)
                .is_some_and(|slot| compare(*slot, after).is_eq());
            // Backwards the page begins with the one before; forwards with the one behind.
            if backwards {
                at
            } else {
                at + usize::from(is_there)
            }
        });
        let found: Vec<u32> = if backwards {
            let rest = &slots[..start.unwrap_or(slots.len())];
            first(rest.iter().rev(), accepted, ask.limit + 1)
        } else {
            first(slots[start.unwrap_or(0)..].iter(), accepted, ask.limit + 1)
        };
        let key = |slot: u32| match ask.order {
            Order::Name(_) => Key::Text(self.name(slot, &chain).to_owned()),
            Order::PriceAsc | Order::PriceDesc => Key::Number(
                accepted.view.places[slot as usize]
                    .price
                    .unwrap_or_default(),
            ),
            Order::Created | Order::Rank(_) => Key::Nothing,
        };
        self.answer(ask, found, facets, key)
    }

    /// A page of those that have some words.
    fn ranked(
        &self,
        ask: &Ask<'_>,
        accepted: &Accepted<'_>,
        (words, after): (&[String], After),
    ) -> Answer {
        let found = self.terms.search(words, self.docs.len());
        let facets = ask.facets.then(|| {
            let mut counting = Counting::new(self, ask.currency);
            found
                .iter()
                .for_each(|(slot, _)| counting.add(accepted, *slot));
            counting.facets(self)
        });
        // Best first, then the oldest.
        let order = |left: &(u32, u32), right: &(u32, u32)| {
            let by_rank = right.1.cmp(&left.1);
            by_rank.then_with(|| self.by_creation(left.0, right.0))
        };
        let is_after = |(slot, rank): &(u32, u32)| match &after {
            Some((Key::Number(last), id)) => {
                let by_rank = last.cmp(&i64::from(*rank));
                by_rank.then_with(|| self.id(*slot).cmp(id)).is_gt()
            }
            _ => true,
        };
        let mut best: BinaryHeap<Ranked<'_>> = BinaryHeap::with_capacity(ask.limit + 2);
        for found in found {
            let fits = accepted.all(found.0) && is_after(&found);
            let full = best.len() > ask.limit;
            if !fits
                || (full
                    && best
                        .peek()
                        .is_some_and(|worst| order(&found, &worst.of).is_gt()))
            {
                continue;
            }
            best.push(Ranked {
                of: found,
                index: self,
            });
            if full {
                best.pop();
            }
        }
        let best: Vec<_> = best
            .into_sorted_vec()
            .into_iter()
            .map(|ranked| ranked.of)
            .collect();
        let ranks: Vec<_> = best.iter().map(|(_, rank)| *rank).collect();
        let slots: Vec<_> = best.iter().map(|(slot, _)| *slot).collect();
        let rank_of = |slot: u32| {
            let at = slots.iter().position(|other| *other == slot);
            Key::Number(i64::from(at.map_or(0, |at| ranks[at])))
        };
        self.answer(ask, slots.clone(), facets, rank_of)
    }

    /// The page of the first documents that were found, of which one may be too many.
    fn answer(
        &self,
        ask: &Ask<'_>,
        mut found: Vec<u32>,
        facets: Option<Facets>,
        key: impl Fn(u32) -> Key,
    ) -> Answer {
        let more = found.len() > ask.limit;
        found.truncate(ask.limit);
        let last = found.last().filter(|_| more);
        let next = last.map(|slot| cursor(ask.order, key(*slot), self.id(*slot)));
        Answer {
            ids: found.iter().map(|slot| self.id(*slot).to_owned()).collect(),
            facets,
            next,
        }
    }
}

/// A document that was found; the greatest is the worst.
struct Ranked<'i> {
    of: (u32, u32),
    index: &'i Index,
}

impl Ord for Ranked<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_rank = Reverse(self.of.1).cmp(&Reverse(other.of.1));
        by_rank.then_with(|| self.index.by_creation(self.of.0, other.of.0))
    }
}

impl PartialOrd for Ranked<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.of == other.of
    }
}

impl Eq for Ranked<'_> {}

/// The first of an order that are accepted.
fn first<'s>(
    slots: impl Iterator<Item = &'s u32>,
    accepted: &Accepted<'_>,
    most: usize,
) -> Vec<u32> {
    slots
        .copied()
        .filter(|slot| accepted.all(*slot))
        .take(most)
        .collect()
}

/// Names an order, so that a cursor of one is refused by another.
fn mark(order: Order<'_>) -> String {
    match order {
        Order::Created => "created".to_owned(),
        Order::Name(language) => format!("name.{language}"),
        Order::PriceAsc => "price".to_owned(),
        Order::PriceDesc => "price.desc".to_owned(),
        Order::Rank(_) => "rank".to_owned(),
    }
}

fn cursor(order: Order<'_>, key: Key, id: &str) -> String {
    let key = match key {
        Key::Nothing => String::new(),
        Key::Text(text) => text,
        Key::Number(number) => number.to_string(),
    };
    let page = Some(format!("{}:{key}", mark(order)));
    let after = id.to_owned();
    Cursor { page, after }.encode()
}

/// Where the page begins that a client asks for.
fn after(order: Order<'_>, text: Option<&str>) -> Result<After, Error> {
    let Cursor { page, after } = match text {
        None => return Ok(None),
        Some(_) => Cursor::parse(text)?,
    };
    let mark = mark(order);
    let page = page.unwrap_or_default();
    let key = page
        .strip_prefix(&mark)
        .and_then(|rest| rest.strip_prefix(':'));
    let key = key.and_then(|key| match order {
        Order::Created => Some(Key::Nothing),
        Order::Name(_) => Some(Key::Text(key.to_owned())),
        Order::PriceAsc | Order::PriceDesc | Order::Rank(_) => key.parse().ok().map(Key::Number),
    });
    match key {
        Some(key) => Ok(Some((key, after))),
        None => Err(invalid!(
            "/cursor",
            "expected the `next` of an earlier page of this list ({mark}), found that of another"
        )),
    }
}

impl Accepted<'_> {
    /// Whether every filter accepts a document.
    fn all(&self, slot: u32) -> bool {
        let (category, price, stock) = self.each(slot);
        category && price && stock
    }
}
