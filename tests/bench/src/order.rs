//! The order as JSON: what the native server reads and what every scenario sends.
//!
//! The shape is that of `stoa:bench/orders`, the calculation is the component's
//! own source file.

use serde::{Deserialize, Serialize};

use crate::pricing::{self, Fault, Position};

/// A position.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    sku: String,
    quantity: u32,
    price_minor: i64,
    discount_percent: u8,
}

/// Where an order goes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    name: String,
    street: String,
    city: String,
    postcode: String,
    country: String,
}

/// An order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    id: String,
    customer: String,
    currency: String,
    placed_at: String,
    ship_to: Address,
    lines: Vec<Line>,
}

/// What it costs.
#[derive(Serialize)]
pub struct Summary {
    order_id: String,
    currency: String,
    lines: u32,
    items: u64,
    subtotal_minor: i64,
    discount_minor: i64,
    tax_minor: i64,
    shipping_minor: i64,
    total_minor: i64,
}

/// The document that every scenario sends: ten lines, about 1 KiB.
pub fn sample() -> Vec<u8> {
    let order = Order {
        id: "01937a5e-8c1f-7b3a-9d2e-4f6a8b0c1d2e".to_owned(),
        customer: "01937a5e-7a10-7c44-8e21-92b3c4d5e6f7".to_owned(),
        currency: "EUR".to_owned(),
        placed_at: "2026-11-23T10:15:30Z".to_owned(),
        ship_to: Address {
            name: "Ada Lovelace".to_owned(),
            street: "12 St James's Square".to_owned(),
            city: "London".to_owned(),
            postcode: "SW1Y 4JH".to_owned(),
            country: "GB".to_owned(),
        },
        lines: (0..10_u8).map(line).collect(),
    };
    serde_json::to_vec(&order).expect("an order has no map with other keys than strings")
}

fn line(index: u8) -> Line {
    Line {
        sku: format!("SKU-{:06}", 100_001 + u32::from(index) * 37),
        quantity: 1 + u32::from(index) % 4,
        price_minor: 499 + i64::from(index) * 250,
        discount_percent: (index % 3) * 5,
    }
}

/// Prices the order in a request body; the answer is a response body.
///
/// # Errors
/// It is not an order, or has no price.
pub fn process(body: &[u8]) -> Result<Vec<u8>, String> {
    let order: Order = serde_json::from_slice(body).map_err(|fault| fault.to_string())?;
    let price = pricing::price(order.lines.iter().map(|line| Position {
        quantity: line.quantity,
        price_minor: line.price_minor,
        discount_percent: line.discount_percent,
    }))
    .map_err(|fault| describe(fault).to_owned())?;
    let summary = Summary {
        order_id: order.id,
        currency: order.currency,
        lines: price.lines,
        items: price.items,
        subtotal_minor: price.subtotal_minor,
        discount_minor: price.discount_minor,
        tax_minor: price.tax_minor,
        shipping_minor: price.shipping_minor,
        total_minor: price.total_minor,
    };
    serde_json::to_vec(&summary).map_err(|fault| fault.to_string())
}

fn describe(fault: Fault) -> &'static str {
    match fault {
        Fault::Empty => "an order needs a line",
        Fault::BadLine(_) => "a line needs a quantity, a price and a discount up to 100 %",
        Fault::TooLarge => "the sum is too large",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_a_kibibyte_and_has_a_price() {
        let body = sample();
        assert!((950..1150).contains(&body.len()), "{} bytes", body.len());
        let answer: serde_json::Value = serde_json::from_slice(&process(&body).unwrap()).unwrap();
        assert_eq!(answer["items"], 23);
        assert_eq!(answer["subtotal_minor"], 37_977);
        let net =
            answer["subtotal_minor"].as_i64().unwrap() - answer["discount_minor"].as_i64().unwrap();
        let total = net
            + answer["tax_minor"].as_i64().unwrap()
            + answer["shipping_minor"].as_i64().unwrap();
        assert_eq!(answer["total_minor"], total);
    }

    #[test]
    fn what_is_no_order_is_refused() {
        assert!(process(b"{").is_err());
        let empty = String::from_utf8(sample()).unwrap();
        let empty = format!("{}\"lines\":[]}}", empty.split("\"lines\"").next().unwrap());
        assert_eq!(
            process(empty.as_bytes()).unwrap_err(),
            "an order needs a line"
        );
    }
}
