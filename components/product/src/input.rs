//! What a client may say of a product. Pure.

use std::collections::BTreeSet;

use stoa_sdk::{Error, Money, Violations};

use crate::bindings::exports::shop::product::products::NewProduct;

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
    faults.check()
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
