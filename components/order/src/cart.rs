//! From what a client wants to what it pays. Pure.

use std::collections::BTreeMap;

use stoa_sdk::{Error, Money, Violations, invalid};

use crate::bindings::exports::shop::order::orders::{NewOrder, OrderLine};
use crate::bindings::shop::product::products::Offer;
use crate::bindings::shop::shipping::carriers::Address;

/// Lines of one order at most.
const MAX_LINES: usize = 100;
/// Units of one line at most.
const MAX_QUANTITY: u32 = 10_000;

/// What is wanted: quantity by SKU, so sorted, with lines of one SKU added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cart {
    pub(crate) currency: String,
    pub(crate) wanted: BTreeMap<String, u32>,
    /// Where the client first named a SKU, for errors.
    named: BTreeMap<String, usize>,
}

impl Cart {
    /// Checks and adds up a client's lines.
    pub(crate) fn read(order: &NewOrder) -> Result<Self, Error> {
        let mut faults = Violations::default();
        let currency = Money::new(0, &order.currency).map_err(|fault| fault.to_string());
        faults.expect(currency.is_ok(), "/currency", || {
            currency.err().unwrap_or_default()
        });
        faults.expect(
            (1..=MAX_LINES).contains(&order.lines.len()),
            "/lines",
            || format!("expected 1 to {MAX_LINES}, found {}", order.lines.len()),
        );
        let (mut wanted, mut named) = (BTreeMap::<String, u32>::new(), BTreeMap::new());
        for (at, line) in order.lines.iter().enumerate() {
            named.entry(line.sku.clone()).or_insert(at);
            let sum = wanted.entry(line.sku.clone()).or_default();
            *sum = sum.saturating_add(line.quantity);
            let fits = line.quantity > 0 && *sum <= MAX_QUANTITY;
            faults.expect(fits, format!("/lines/{at}/quantity"), || {
                let sku = &line.sku;
                match line.quantity {
                    0 => "expected 1 or more, found 0".to_owned(),
                    _ => format!(
                        "expected at most {MAX_QUANTITY} in all lines of {sku:?}, found {sum} up to this one"
                    ),
                }
            });
        }
        if let Some(address) = &order.address {
            check_address(address, &mut faults);
        }
        faults.check()?;
        Ok(Self {
            currency: order.currency.clone(),
            wanted,
            named,
        })
    }

    /// The SKUs, sorted.
    pub(crate) fn skus(&self) -> Vec<String> {
        self.wanted.keys().cloned().collect()
    }

    /// Lines at today's prices, and what they come to.
    pub(crate) fn lines(&self, offers: &[Offer]) -> Result<(Vec<OrderLine>, Money), Error> {
        let mut faults = Violations::default();
        let mut lines = Vec::new();
        for (sku, quantity) in &self.wanted {
            match self.line(offers, sku, *quantity) {
                Ok(line) => lines.push(line),
                Err(detail) => {
                    faults.expect(false, format!("/lines/{}/sku", self.named[sku]), || detail);
                }
            }
        }
        faults.check()?;
        let zero = Money {
            minor: 0,
            currency: self.currency.clone(),
        };
        let total = lines
            .iter()
            .try_fold(zero, |sum, line| sum.checked_add(&line.total));
        let total = total.map_err(|_| {
            let sum = lines.iter().map(|line| i128::from(line.total.minor)).sum();
            invalid!("/lines", "{}", self.too_much(sum))
        })?;
        Ok((lines, total))
    }

    /// Units of all lines.
    pub(crate) fn units(&self) -> u32 {
        self.wanted.values().sum()
    }

    fn line(&self, offers: &[Offer], sku: &str, quantity: u32) -> Result<OrderLine, String> {
        let offer = offers.iter().find(|offer| offer.sku == sku);
        let offer = offer.ok_or_else(|| format!("{sku:?} is not sold"))?;
        let price = offer
            .prices
            .iter()
            .find(|price| price.currency == self.currency);
        let unit_price = price
            .ok_or_else(|| format!("{sku:?} is not sold in {}", self.currency))?
            .clone();
        let total = unit_price
            .checked_mul(i64::from(quantity))
            .map_err(|_| self.too_much(i128::from(unit_price.minor) * i128::from(quantity)))?;
        let name = match &offer.title {
            Some(title) => format!("{}, {title}", offer.name),
            None => offer.name.clone(),
        };
        let (sku, product_id) = (sku.to_owned(), offer.product_id.clone());
        Ok(OrderLine {
            sku,
            product_id,
            name,
            quantity,
            unit_price,
            total,
            discount: None,
            tax: None,
            returned: None,
        })
    }

    fn too_much(&self, sum: i128) -> String {
        format!(
            "expected a total of at most {} in minor units of {}, found {sum}",
            i64::MAX,
            self.currency
        )
    }

    /// Whether an order has what this cart wants.
    pub(crate) fn matches(&self, lines: &[OrderLine], total: &Money) -> bool {
        let same = |(line, (sku, quantity)): (&OrderLine, (&String, &u32))| {
            line.sku == *sku && line.quantity == *quantity
        };
        total.currency == self.currency
            && lines.len() == self.wanted.len()
            && lines.iter().zip(&self.wanted).all(same)
    }
}

/// Refuses what no carrier could find.
fn check_address(address: &Address, faults: &mut Violations) {
    for (text, longest, field) in [
        (&address.name, 200, "name"),
        (&address.street, 200, "street"),
        (&address.city, 100, "city"),
        (&address.postal_code, 20, "postal_code"),
    ] {
        faults.expect_name(text, longest, format!("/address/{field}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::exports::shop::order::orders::NewLine;

    #[test]
    fn a_total_beyond_all_amounts_says_the_limit_and_the_sum() {
        let offer = |sku: &str| Offer {
            sku: sku.into(),
            product_id: "p".into(),
            name: "Cup".into(),
            title: None,
            prices: vec![Money::new(i64::MAX / 2, "EUR").unwrap()],
        };
        for (quantities, sum) in [
            (&[1, 2][..], "13835058055282163709"),
            (&[3], "13835058055282163709"),
        ] {
            let names = ["A", "B"];
            let line = |(sku, quantity): (&&str, &u32)| NewLine {
                sku: (*sku).into(),
                quantity: *quantity,
            };
            let order = NewOrder {
                currency: "EUR".into(),
                region: None,
                lines: names.iter().zip(quantities).map(line).collect(),
                discount: None,
                address: None,
                shipping: None,
                payment: None,
            };
            let cart = Cart::read(&order).unwrap();
            let fault = cart.lines(&names.map(offer)).unwrap_err();
            let told = format!("{fault:?}");
            for said in [sum, "9223372036854775807", "EUR"] {
                assert!(told.contains(said), "no {said} in {told}");
            }
        }
    }
}
