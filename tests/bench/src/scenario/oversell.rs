//! A million reservations of few units, by the product service's own code in this process: no
//! unit is sold twice, and none is lost.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use product::inventory_contract::ReserveLine;
use product::{Inventory, Products, Wish};
use stoa_sdk::Timestamp;

use super::{Bench, figure};
use crate::native::shop::stock;
use crate::report::{Report, say};

const RESERVATIONS: u64 = 1_000_000;
/// Threads that reserve at the same time.
const THREADS: u64 = 8;
/// Few, so that all want the same.
const SKUS: u64 = 50;
/// Of each SKU: half of what is wanted.
const UNITS: i64 = 15_000;
const HELD: Duration = Duration::from_secs(900);

/// Simulates them.
///
/// # Errors
/// The stock is not what was sold.
pub fn measure(_: &Bench<'_>, _: &Path, report: &mut Report) -> Result<()> {
    say("simulating reservations");
    let (inventory, begun) = (Inventory::in_memory(), Instant::now());
    let products = Products::in_memory();
    let stocked = (0..SKUS).try_for_each(|n| stock(&products, &inventory, &sku(n), UNITS));
    stocked.map_err(|error| anyhow!("stocking: {error:?}"))?;
    let (next, sold) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= RESERVATIONS {
                        return;
                    }
                    sold.fetch_add(order(&inventory, number), Ordering::Relaxed);
                }
            });
        }
    });
    let sold = sold.into_inner();
    let skus: Vec<_> = (0..SKUS).map(sku).collect();
    let stock = inventory.get_many(&skus, Timestamp::now());
    let stock = stock.map_err(|error| anyhow!("reading the stock: {error:?}"))?;
    let reserved: u64 = stock.iter().map(|stock| stock.reserved).sum();
    for stock in &stock {
        ensure!(stock.reserved <= stock.on_hand, "{}: oversold", stock.sku);
    }
    say(&format!(
        "{RESERVATIONS} reservations in {:.1} s: {sold} units sold",
        begun.elapsed().as_secs_f64()
    ));
    report.figures.push(figure(
        "units sold twice or lost in 1 000 000 simulated reservations",
        "",
        Some("0"),
        vec![reserved.abs_diff(sold) as f64],
    )?);
    Ok(())
}

fn sku(number: u64) -> String {
    format!("CUP-{number}")
}

/// Reserves one or two units, and then sells them, gives them back or both; the units that
/// are sold in the end.
fn order(inventory: &Inventory, number: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(number);
    let (id, quantity) = (format!("o{number}"), random.u32(1..=2));
    let lines = [ReserveLine {
        sku: sku(random.u64(..SKUS)),
        quantity,
    }];
    let wish = Wish {
        lines: &lines,
        locations: None,
    };
    let now = Timestamp::now();
    let reserved = inventory.reserve(&id, wish, now, HELD);
    if reserved.is_err() {
        return 0;
    }
    let ends = random.u8(..10);
    let done = match ends {
        0 => inventory.release(&id),
        _ => inventory.commit(&id),
    };
    let back = ends == 1 && inventory.cancel(&id, now).is_ok();
    match done.is_ok() && ends > 0 && !back {
        true => u64::from(quantity),
        false => 0,
    }
}
