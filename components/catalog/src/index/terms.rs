//! Which documents have which words: an inverted index that finds words, their beginnings
//! and words with typing errors.

use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};
use std::rc::Rc;

use super::spelling::{Shape, distance, errors};

/// Bits of a posting that say how much the word weighs there.
const WEIGHT_BITS: u32 = 3;
const WEIGHTS: u32 = (1 << WEIGHT_BITS) - 1;

/// A word of a document, or a document of a word: a number, and how much it weighs (1 to 7).
/// Sorts by the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Posting(u32);

impl Posting {
    pub(super) fn new(number: u32, weight: u8) -> Self {
        Self((number << WEIGHT_BITS) | (u32::from(weight) & WEIGHTS))
    }

    pub(super) fn number(self) -> u32 {
        self.0 >> WEIGHT_BITS
    }

    pub(super) fn weight(self) -> u32 {
        self.0 & WEIGHTS
    }
}

/// All words, each with the documents that have it.
#[derive(Default)]
pub(super) struct Terms {
    numbers: BTreeMap<Rc<str>, u32>,
    all: Vec<Term>,
}

struct Term {
    text: Rc<str>,
    shape: Shape,
    /// Sorted.
    found_in: Vec<Posting>,
}

impl Terms {
    /// The number of a word, which it gets here if it is new.
    pub(super) fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).expect("memory ends before the numbers do");
        let text: Rc<str> = word.into();
        self.all.push(Term {
            text: text.clone(),
            shape: Shape::of(word),
            found_in: Vec::new(),
        });
        self.numbers.insert(text, number);
        number
    }

    /// The word of a number.
    pub(super) fn text(&self, number: u32) -> &str {
        &self.all[number as usize].text
    }

    /// Notes that a document has a word.
    pub(super) fn add(&mut self, word: Posting, document: u32) {
        let found_in = &mut self.all[word.number() as usize].found_in;
        let posting = Posting(document << WEIGHT_BITS | word.weight());
        match found_in.last() {
            Some(last) if *last >= posting => {
                if let Err(at) = found_in.binary_search(&posting) {
                    found_in.insert(at, posting);
                }
            }
            _ => found_in.push(posting),
        }
    }

    /// Notes that a document has a word no more.
    pub(super) fn remove(&mut self, word: Posting, document: u32) {
        let found_in = &mut self.all[word.number() as usize].found_in;
        let posting = Posting(document << WEIGHT_BITS | word.weight());
        if let Ok(at) = found_in.binary_search(&posting) {
            found_in.remove(at);
        }
    }

    /// The documents that have every word, each with how well: the higher the better.
    pub(super) fn search(&self, words: &[String], documents: usize) -> Vec<(u32, u32)> {
        let (mut sums, mut best) = (vec![0; documents], vec![0; documents]);
        let mut found: Vec<u32> = Vec::new();
        for (round, word) in words.iter().enumerate() {
            let mut again = Vec::new();
            for (number, closeness) in self.like(word) {
                for posting in &self.all[number as usize].found_in {
                    let document = posting.number() as usize;
                    if round > 0 && sums[document] == 0 {
                        continue;
                    }
                    if best[document] == 0 {
                        again.push(posting.number());
                    }
                    best[document] = best[document].max(posting.weight() * closeness);
                }
            }
            for document in &found {
                let document = *document as usize;
                if best[document] == 0 {
                    sums[document] = 0;
                }
            }
            for document in &again {
                let document = *document as usize;
                sums[document] += std::mem::take(&mut best[document]);
            }
            found = again;
        }
        let rank = |document: u32| (document, sums[document as usize]);
        found.into_iter().map(rank).collect()
    }

    /// The words that somebody may mean by one, and how close each is: 3 for itself, 2 for
    /// one that it begins, 1 for one with typing errors.
    fn like(&self, typed: &str) -> Vec<(u32, u32)> {
        let mut like = Vec::new();
        let from = self.numbers.range::<str, _>((Included(typed), Unbounded));
        for (word, number) in from.take_while(|(word, _)| word.starts_with(typed)) {
            like.push((*number, if **word == *typed { 3 } else { 2 }));
        }
        let errors = errors(typed);
        if errors > 0 {
            let shape = Shape::of(typed);
            let near = self.all.iter().enumerate().filter(|(_, term)| {
                term.shape.may_be(&shape, errors)
                    && !term.text.starts_with(typed)
                    && distance(typed, &term.text) <= errors
            });
            like.extend(near.map(|(number, _)| (number as u32, 1)));
        }
        like
    }
}
