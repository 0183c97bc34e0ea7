//! What the index knows of a product. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bindings::shop::product::products::Product;
use crate::words::{fold, words};

/// Words of one product that can be found at most; those of descriptions are the first to
/// be left out. A page of text has as many.
const MOST_WORDS: usize = 500;

/// How much a word weighs, by where it is.
const NAME: u8 = 4;
const VARIANT: u8 = 3;
const CATEGORY: u8 = 2;
const DESCRIPTION: u8 = 1;

/// A product, as far as lists and searches need it.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'p> {
    product: &'p Product,
    /// Folded, by language in lower case; the product's own under "".
    names: Vec<(String, String)>,
    /// Folded, each once, with how much it weighs.
    pub(super) words: Vec<(String, u8)>,
}

/// The same but for its words, and nothing of it owned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Brief<'p> {
    pub(super) id: &'p str,
    pub(super) category: Option<&'p str>,
    /// Folded, by language in lower case; the product's own first.
    #[serde(borrow)]
    pub(super) names: Vec<(&'p str, &'p str)>,
    /// For each SKU its minor units by currency.
    #[serde(borrow)]
    pub(super) offers: Vec<(&'p str, Vec<(&'p str, i64)>)>,
}

impl<'p> Entry<'p> {
    pub(crate) fn of(product: &'p Product) -> Self {
        let translations = product.translations.as_deref().unwrap_or_default();
        let translated = translations.iter().map(|translation| {
            let language = translation.language.to_ascii_lowercase();
            (language, fold(&translation.name))
        });
        let names = std::iter::once((String::new(), fold(&product.name))).chain(translated);
        Self {
            product,
            names: names.collect(),
            words: weigh(product),
        }
    }

    pub(super) fn brief(&self) -> Brief<'_> {
        let names = self.names.iter();
        let offers = self.product.variants.iter().map(|variant| {
            let prices = variant.prices.iter();
            let prices = prices.map(|price| (price.currency.as_str(), price.minor));
            (variant.sku.as_str(), prices.collect())
        });
        Brief {
            id: &self.product.id,
            category: self.product.category.as_deref(),
            names: names
                .map(|(language, name)| (language.as_str(), name.as_str()))
                .collect(),
            offers: offers.collect(),
        }
    }
}

fn weigh(product: &Product) -> Vec<(String, u8)> {
    let translations = product.translations.as_deref().unwrap_or_default();
    let mut weighed = BTreeMap::new();
    let mut add = |weight: u8, text: &str| {
        for word in words(text) {
            if weighed.len() < MOST_WORDS || weighed.contains_key(&word) {
                let heaviest = weighed.entry(word).or_insert(weight);
                *heaviest = weight.max(*heaviest);
            }
        }
    };
    add(NAME, &product.name);
    for translation in translations {
        add(NAME, &translation.name);
    }
    for variant in &product.variants {
        add(VARIANT, &variant.sku);
        add(VARIANT, variant.title.as_deref().unwrap_or_default());
    }
    add(CATEGORY, product.category.as_deref().unwrap_or_default());
    add(
        DESCRIPTION,
        product.description.as_deref().unwrap_or_default(),
    );
    for translation in translations {
        let description = translation.description.as_deref();
        add(DESCRIPTION, description.unwrap_or_default());
    }
    weighed.into_iter().collect()
}
