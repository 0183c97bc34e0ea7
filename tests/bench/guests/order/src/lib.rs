//! Prices an order.

mod pricing;

wit_bindgen::generate!({ path: "../wit", world: "order" });

use exports::stoa::bench::orders::{Error, Guest, Order, Summary};
use pricing::{Fault, Position};

struct Orders;

impl Guest for Orders {
    fn process(order: Order) -> Result<Summary, Error> {
        let price = pricing::price(order.lines.iter().map(|line| Position {
            quantity: line.quantity,
            price_minor: line.price_minor,
            discount_percent: line.discount_percent,
        }))?;
        Ok(Summary {
            order_id: order.id,
            currency: order.currency,
            lines: price.lines,
            items: price.items,
            subtotal_minor: price.subtotal_minor,
            discount_minor: price.discount_minor,
            tax_minor: price.tax_minor,
            shipping_minor: price.shipping_minor,
            total_minor: price.total_minor,
        })
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Empty => Self::Empty,
            Fault::BadLine(index) => Self::BadLine(index),
            Fault::TooLarge => Self::TooLarge,
        }
    }
}

export!(Orders);
