//! How many items there are of each kind.

use stoa_sdk::currency;

use super::{Index, NO_CATEGORY, View};
use crate::catalog::Filter;

/// Categories that are told.
const MOST_CATEGORIES: usize = 100;

/// How many items there are of each kind, as the contract says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facets {
    pub(crate) total: u32,
    /// Most first, then by name.
    pub(crate) categories: Vec<(String, u32)>,
    /// The range's begin, its end and how many, cheapest first.
    pub(crate) prices: Vec<(i64, i64, u32)>,
    pub(crate) in_stock: u32,
}

/// A filter over the documents of a view.
pub(super) struct Accepted<'a> {
    pub(super) view: &'a View,
    filter: &'a Filter,
    /// The number of the filter's category; none has the one that no product has.
    category: Option<Option<u32>>,
}

impl<'a> Accepted<'a> {
    pub(super) fn new(index: &Index, view: &'a View, filter: &'a Filter) -> Self {
        let category = filter.category.as_deref();
        Self {
            view,
            filter,
            category: category.map(|category| index.categories.find(category)),
        }
    }

    /// Whether the filters of category, price and stock accept a document; none does where
    /// it is not sold.
    pub(super) fn each(&self, slot: u32) -> (bool, bool, bool) {
        let place = &self.view.places[slot as usize];
        let Some(price) = place.price else {
            return (false, false, false);
        };
        let Filter {
            min_price,
            max_price,
            in_stock,
            ..
        } = self.filter;
        let of_category = |wanted: Option<u32>| wanted == Some(place.category);
        let affordable =
            min_price.is_none_or(|min| min <= price) && max_price.is_none_or(|max| price <= max);
        (
            self.category.is_none_or(of_category),
            affordable,
            place.in_stock || !in_stock,
        )
    }
}

/// Facets that are being counted.
pub(super) struct Counting {
    total: u32,
    in_stock: u32,
    /// By the category's number.
    categories: Vec<u32>,
    /// By the range's number: those up to each of `ends`, and beyond.
    prices: Vec<u32>,
    ends: Vec<i64>,
}

impl Counting {
    /// Of nothing so far, in a currency.
    pub(super) fn new(index: &Index, currency: &str) -> Self {
        let ends = ends(currency);
        Self {
            total: 0,
            in_stock: 0,
            categories: vec![0; index.categories.len()],
            prices: vec![0; ends.len() + 1],
            ends,
        }
    }

    /// Counts a document wherever all other filters accept it.
    pub(super) fn add(&mut self, accepted: &Accepted<'_>, slot: u32) {
        let (category, price, stock) = accepted.each(slot);
        let place = &accepted.view.places[slot as usize];
        self.total += u32::from(category && price && stock);
        self.in_stock += u32::from(category && price && place.in_stock);
        if price && stock && place.category != NO_CATEGORY {
            self.categories[place.category as usize] += 1;
        }
        if category
            && stock
            && let Some(minor) = place.price
        {
            self.add_price(minor);
        }
    }

    fn add_price(&mut self, minor: i64) {
        let range = self.ends.partition_point(|end| *end <= minor);
        self.prices[range] += 1;
    }

    /// What was counted.
    pub(super) fn facets(self, index: &Index) -> Facets {
        let categories = (0_u32..)
            .zip(&self.categories)
            .filter(|(_, count)| **count > 0);
        let mut categories: Vec<_> = categories
            .map(|(category, count)| (index.categories.text(category).to_owned(), *count))
            .collect();
        categories.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        categories.truncate(MOST_CATEGORIES);
        Facets {
            total: self.total,
            categories,
            prices: self.ranges(),
            in_stock: self.in_stock,
        }
    }

    /// Each range in which there is something, and how much.
    fn ranges(&self) -> Vec<(i64, i64, u32)> {
        let counts = self
            .prices
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        let told = counts.map(|(range, count)| {
            let from = range.checked_sub(1).map_or(0, |before| self.ends[before]);
            let to = self.ends.get(range).copied().unwrap_or(i64::MAX);
            (from, to, *count)
        });
        told.collect()
    }
}

/// Where ranges end: 1, 2, 5, 10, 20, 50 … of a currency's units, in minor units.
fn ends(currency: &str) -> Vec<i64> {
    let digits = currency::exponent(currency).unwrap_or(0);
    let mut ends = Vec::new();
    let mut power = 10_i64.checked_pow(digits);
    while let Some(unit) = power {
        ends.extend([1, 2, 5].iter().filter_map(|step| unit.checked_mul(*step)));
        power = unit.checked_mul(10);
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_round_ends() {
        let ranges = |prices: &[i64], currency| {
            let mut counting = Counting::new(&Index::default(), currency);
            prices.iter().for_each(|price| counting.add_price(*price));
            counting.ranges()
        };
        assert_eq!(
            ranges(&[0, 99, 100, 1250, 1999, 2000, i64::MAX], "EUR"),
            [
                (0, 100, 2),
                (100, 200, 1),
                (1000, 2000, 2),
                (2000, 5000, 1),
                (5_000_000_000_000_000_000, i64::MAX, 1),
            ]
        );
        assert_eq!(ranges(&[120], "JPY"), [(100, 200, 1)]);
        assert_eq!(ranges(&[], "EUR"), []);
    }
}
