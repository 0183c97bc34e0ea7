//! Products and stock in plain maps, of which all are looked at each time.

use super::*;
use crate::words::fold;

/// All that there is, as it came.
#[derive(Default)]
pub(super) struct Reference {
    pub(super) products: BTreeMap<String, Product>,
    pub(super) stock: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Reference {
    pub(super) fn price(product: &Product, currency: &str) -> Option<i64> {
        let prices = product.variants.iter().flat_map(|variant| &variant.prices);
        let prices = prices.filter(|price| price.currency == currency);
        prices.map(|price| price.minor).min()
    }

    fn in_stock(&self, product: &Product, question: &Question) -> bool {
        let sold = product.variants.iter().filter(|variant| {
            let mut prices = variant.prices.iter();
            prices.any(|price| price.currency == CURRENCIES[question.currency])
        });
        sold.filter_map(|variant| self.stock.get(&variant.sku))
            .any(|levels| {
                let mut near = question.places.iter().filter_map(|place| levels.get(place));
                near.any(|units| *units > 0)
            })
    }

    /// The ids that match, in their order, and whether each filter alone accepts them.
    pub(super) fn answer(&self, question: &Question) -> Vec<String> {
        let Filter {
            category,
            min_price,
            max_price,
            in_stock,
        } = &question.filter;
        let mut found = Vec::new();
        for product in self.products.values() {
            let Some(price) = Self::price(product, CURRENCIES[question.currency]) else {
                continue;
            };
            let fits = (category.is_none() || *category == product.category)
                && min_price.is_none_or(|min| min <= price)
                && max_price.is_none_or(|max| price <= max)
                && (!in_stock || self.in_stock(product, question));
            let key = match question.order {
                0 => Some((String::new(), 0)),
                1 => Some((String::new(), price)),
                2 => Some((String::new(), -price)),
                order @ 3..6 => Some((fold(name(product, LANGUAGES[order - 3])), 0)),
                order => rank(product, TYPED[order - 6]).map(|rank| (String::new(), -rank)),
            };
            if let Some(key) = key.filter(|_| fits) {
                found.push((key, product.id.clone()));
            }
        }
        found.sort();
        let mut ids: Vec<_> = found.iter().map(|(_, id)| id.clone()).collect();
        if question.order == 2 {
            // The dearest first; of one price the youngest, as if one read backwards.
            found.sort_by(|left, right| left.0.cmp(&right.0).then_with(|| right.1.cmp(&left.1)));
            ids = found.into_iter().map(|(_, id)| id).collect();
        }
        ids
    }
}

/// The name in a language; the translations of the test are found for these two.
fn name<'p>(product: &'p Product, language: &str) -> &'p str {
    let mut translations = product.translations.iter().flatten();
    let found = translations.find(|translation| match language {
        "de" => translation.language == "de",
        "zh-Hant-TW" => translation.language == "zh-hant",
        _ => false,
    });
    found.map_or(&product.name, |translation| &translation.name)
}

/// How well a product matches, without typing errors.
fn rank(product: &Product, typed: &str) -> Option<i64> {
    let mut fields: Vec<(i64, String)> = Vec::new();
    let mut add =
        |weight, text: &str| fields.extend(words(text).into_iter().map(|word| (weight, word)));
    add(4, &product.name);
    for translation in product.translations.iter().flatten() {
        add(4, &translation.name);
    }
    for variant in &product.variants {
        add(3, &variant.sku);
    }
    add(2, product.category.as_deref().unwrap_or_default());
    let best = |typed: &String| {
        let ranks = fields.iter().filter_map(|(weight, word)| {
            let closeness = if word == typed { 3 } else { 2 };
            word.starts_with(typed).then_some(weight * closeness)
        });
        ranks.max()
    };
    words(typed).iter().map(best).sum()
}
