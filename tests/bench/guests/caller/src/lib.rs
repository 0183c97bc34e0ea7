//! Times its calls to the service that prices orders, by `wasi:clocks`.

wit_bindgen::generate!({ path: "../wit", world: "caller" });

use std::time::Instant;

use exports::stoa::bench::measure::{Guest, Timing};
use stoa::bench::orders::{self, Address, Line, Order};

/// More samples than this tell nothing new and cost the instance memory.
const MOST_CALLS: u32 = 1_000_000;

struct Measure;

impl Guest for Measure {
    fn run(calls: u32) -> Result<Timing, String> {
        if !(1..=MOST_CALLS).contains(&calls) {
            return Err(format!("expected 1 to {MOST_CALLS} calls, found {calls}"));
        }
        let order = order();
        let mut times = Vec::with_capacity(calls as usize);
        for _ in 0..calls {
            let start = Instant::now();
            let answer = orders::process(&order);
            times.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
            answer.map_err(|fault| format!("the order was refused: {fault:?}"))?;
        }
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        Ok(Timing {
            calls,
            min_ns: at(0),
            median_ns: at(50),
            p99_ns: at(99),
        })
    }
}

/// The same order that the HTTP scenarios send.
fn order() -> Order {
    Order {
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
        lines: (0..10)
            .map(|index| Line {
                sku: format!("SKU-{:06}", 100_001 + index * 37),
                quantity: 1 + index % 4,
                price_minor: 499 + i64::from(index) * 250,
                discount_percent: (index as u8 % 3) * 5,
            })
            .collect(),
    }
}

export!(Measure);
