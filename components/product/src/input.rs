//! What a client may say of a product. Pure.

use std::collections::BTreeSet;

use stoa_sdk::{Error, Money, Violations};

use crate::bindings::exports::shop::product::products::{NewProduct, Translation};

/// What [`is_code`] expects, for errors.
pub(crate) const CODE: &str = "1 to 64 letters, digits, -, _ or ., and neither . nor ..";

/// Whether text can be a SKU, a location or an order's id: all of them stand in paths,
/// where `.` and `..` would mean another place.
pub(crate) fn is_code(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fine) && !matches!(text, "." | "..")
}

/// Refuses what can't be a product, with all its faults.
pub(crate) fn check(input: &NewProduct) -> Result<(), Error> {
    let mut faults = Violations::default();
    faults.expect_name(&input.name, 200, "/name");
    let description = input.description.as_deref().unwrap_or_default();
    faults.expect_text(description, 5000, "/description");
    let category = input.category.as_deref();
    faults.expect(category.is_none_or(is_category), "/category", || {
        format!("expected 1 to 64 lower-case letters, digits or -, found {category:?}")
    });
    faults.expect(
        (1..=100).contains(&input.variants.len()),
        "/variants",
        || format!("expected 1 to 100, found {}", input.variants.len()),
    );
    let mut skus = BTreeSet::new();
    for (at, variant) in input.variants.iter().enumerate() {
        let pointer = format!("/variants/{at}");
        let sku = &variant.sku;
        faults.expect(is_code(sku), format!("{pointer}/sku"), || {
            format!("expected {CODE}, found {sku:?}")
        });
        faults.expect(skus.insert(sku), format!("{pointer}/sku"), || {
            format!("{sku:?} is there twice")
        });
        if let Some(title) = &variant.title {
            faults.expect_name(title, 200, format!("{pointer}/title"));
        }
        check_prices(&variant.prices, &format!("{pointer}/prices"), &mut faults);
    }
    check_translations(
        input.translations.as_deref().unwrap_or_default(),
        &mut faults,
    );
    faults.check()
}

fn check_translations(translations: &[Translation], faults: &mut Violations) {
    let count = translations.len();
    faults.expect(count <= MOST_LANGUAGES, "/translations", || {
        format!("expected at most {MOST_LANGUAGES}, found {count}")
    });
    let mut languages = BTreeSet::new();
    for (at, translation) in translations.iter().enumerate() {
        let Translation {
            language,
            name,
            description,
        } = translation;
        let pointer = format!("/translations/{at}");
        faults.expect(is_language(language), format!("{pointer}/language"), || {
            format!("expected a BCP 47 tag such as de or zh-Hant, found {language:?}")
        });
        let new = languages.insert(language.to_ascii_lowercase());
        faults.expect(new, format!("{pointer}/language"), || {
            format!("{language:?} is there twice")
        });
        faults.expect_name(name, 200, format!("{pointer}/name"));
        let description = description.as_deref().unwrap_or_default();
        faults.expect_text(description, 5000, format!("{pointer}/description"));
    }
}

/// Languages that a product is named in at most.
const MOST_LANGUAGES: usize = 50;

/// Whether text is in the form of a language tag (RFC 5646, section 2.1): whether there is
/// such a language is for people to say.
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let primary = parts.next().unwrap_or_default();
    let sized = |part: &str, least| (least..=8).contains(&part.len());
    let alphabetic = primary.bytes().all(|byte| byte.is_ascii_alphabetic());
    let fine = |part: &str| sized(part, 1) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 35 && sized(primary, 2) && alphabetic && parts.all(fine)
}

fn is_category(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(fine)
}

fn check_prices(prices: &[Money], pointer: &str, faults: &mut Violations) {
    faults.expect(!prices.is_empty(), pointer, || {
        "expected at least one price, found none".into()
    });
    let mut currencies = BTreeSet::new();
    for (at, price) in prices.iter().enumerate() {
        faults.expect(price.minor >= 0, format!("{pointer}/{at}/minor"), || {
            format!("expected 0 or more, found {}", price.minor)
        });
        let known = Money::new(price.minor, &price.currency).map(drop);
        let text = || {
            known
                .as_ref()
                .err()
                .map(ToString::to_string)
                .unwrap_or_default()
        };
        faults.expect(known.is_ok(), format!("{pointer}/{at}/currency"), text);
        faults.expect(
            currencies.insert(&price.currency),
            format!("{pointer}/{at}/currency"),
            || format!("{} is there twice", price.currency),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_has_the_form_of_a_tag() {
        for fine in ["de", "gsw", "zh-Hant-TW", "de-1996", "sl-rozaj-biske"] {
            assert!(is_language(fine), "{fine}");
        }
        let long = format!("de-{}", "x-".repeat(20));
        for bad in [
            "",
            "d",
            "de_DE",
            "de-",
            "-de",
            "1a",
            "deutschland",
            "*",
            &long,
        ] {
            assert!(!is_language(bad), "{bad}");
        }
    }

    #[test]
    fn a_code_can_stand_in_a_path() {
        for fine in ["A", "CUP-1_w.80", "...", ".a"] {
            assert!(is_code(fine), "{fine}");
        }
        let long = "x".repeat(65);
        for bad in ["", ".", "..", "a b", "a/b", "ä", "a\u{200B}", long.as_str()] {
            assert!(!is_code(bad), "{bad:?}");
        }
    }
}
