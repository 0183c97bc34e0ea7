//! The catalog with as many products as a large shop has: what lists and searches take at
//! the gateway.
//!
//! The client shows who it is, so that no answer comes from the gateway's memory. It waits
//! for each answer before it asks again: what is measured is an answer, not a rate.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use super::{Bench, figure, shop};
use crate::args::Client;
use crate::load::{Connection, Load, Request};
use crate::report::{Report, say};
use crate::stoa::Stoa;

/// Products; with `--quick` a hundredth of them.
const PRODUCTS: usize = 100_000;
/// Clients that create them.
const CLERKS: usize = 16;
/// How long the catalog may take to hear of them all.
const HEARD: Duration = Duration::from_secs(900);

/// Words of names, so that each is in a part of the products as in a shop.
const KINDS: [&str; 16] = [
    "cup", "teapot", "lamp", "chair", "table", "sofa", "spoon", "plate", "bowl", "kettle", "shelf",
    "clock", "mirror", "rug", "vase", "basket",
];
const STYLES: [&str; 14] = [
    "blue", "red", "small", "large", "wooden", "steel", "glass", "classic", "modern", "round",
    "square", "green", "white", "black",
];
const CATEGORIES: [&str; 5] = ["kitchen", "office", "living", "garden", "bath"];

/// What is asked, and the goal of its median in milliseconds.
const ASKED: [(&str, &str, &str); 8] = [
    ("list", "products?limit=20", "≤ 2"),
    ("list, by name", "products?limit=20&sort=name", "≤ 2"),
    (
        "list, filtered, by price",
        "products?limit=20&sort=price_asc&category=office&min_price=5000&max_price=6000",
        "≤ 2",
    ),
    ("list with facets", "products?limit=20&facets=true", "≤ 5"),
    ("search, one word", "search?q=teapot", "≤ 5"),
    ("search, two words", "search?q=blue+lamp", "≤ 5"),
    ("search, a typing error", "search?q=teapto", "≤ 5"),
    ("search, a beginning", "search?q=tea", "≤ 5"),
];

/// Fills a shop, and asks its catalog.
///
/// # Errors
/// The shop is built, but can't be deployed or filled, or an answer is bad.
pub fn measure(bench: &Bench<'_>, program: &Path, report: &mut Report) -> Result<()> {
    if let Some(reason) = shop::unbuilt()? {
        let skipped = format!("the catalog of a large shop ({reason})");
        report.skipped.push(skipped);
        return Ok(());
    }
    let products = bench.args.many(PRODUCTS);
    say(&format!("filling a shop with {products} products"));
    let mut stoa = Stoa::start(bench.cores.on_server(program))?;
    shop::deploy(program, &stoa)?;
    fill(
        stoa.addr,
        &stoa.token_of("staff", "products:write")?,
        products,
    )?;
    let customer = stoa.token_of("customer", "orders")?;
    heard(stoa.addr, &customer, products)?;
    for (name, path, goal) in ASKED {
        let request = ask(&format!("/catalog/eu/{path}"), &customer);
        bench.warm_up(name, stoa.addr, &request)?;
        let mut medians = Vec::new();
        for _ in 0..bench.args.rounds() {
            let load = Load {
                connections: 1,
                ..bench.load(stoa.addr, &request, bench.args.duration())
            };
            let outcome = load.run(Client::Own)?.flawless(name)?;
            medians.push(f64::from(outcome.p50_micros) / 1e3);
        }
        let name = format!("catalog of {products} products: {name}, median");
        report
            .figures
            .push(figure(&name, "ms", Some(goal), medians)?);
    }
    Ok(())
}

/// Creates products, by several clients at a time.
fn fill(addr: SocketAddr, staff: &str, products: usize) -> Result<()> {
    std::thread::scope(|threads| {
        let clerks: Vec<_> = (0..CLERKS)
            .map(|clerk| {
                threads.spawn(move || {
                    let mut connection = Connection::open(addr)?;
                    for number in (clerk..products).step_by(CLERKS) {
                        let body = serde_json::to_vec(&product(number))?;
                        let request = Request {
                            token: Some(staff.to_owned()),
                            ..Request::json("POST", "/products", body)
                        };
                        connection.call_ok(&request)?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for clerk in clerks {
            clerk
                .join()
                .map_err(|_| anyhow!("a clerk has panicked"))??;
        }
        Ok(())
    })
}

fn product(number: usize) -> Value {
    let of = |words: &[&str], each: usize| words[number / each % words.len()].to_owned();
    let (kind, style) = (of(&KINDS, 1), of(&STYLES, KINDS.len()));
    let price = 100 + (number * 7919) % 100_000;
    json!({
        "name": format!("{style} {kind} {number:06}"),
        "category": of(&CATEGORIES, 3),
        "description": format!("A {kind} that is {style}, of the series {}", number % 997),
        "variants": [{
            "sku": format!("SKU-{number}"),
            "prices": [{ "minor": price, "currency": "EUR" }],
        }],
        "translations": [{ "language": "de", "name": format!("Artikel {number}") }],
    })
}

/// Waits until the catalog has heard of so many products.
fn heard(addr: SocketAddr, customer: &str, products: usize) -> Result<()> {
    let count = ask("/catalog/eu/products?limit=1&facets=true", customer);
    let (begun, mut connection) = (Instant::now(), Connection::open(addr)?);
    while begun.elapsed() < HEARD {
        let reply = connection.call_ok(&count)?;
        let page: Value = serde_json::from_slice(&reply.body).context("reading a page")?;
        if page["facets"]["total"] == products {
            say(&format!(
                "the catalog has them {:.1?} later",
                begun.elapsed()
            ));
            return Ok(());
        }
    }
    bail!("the catalog has not heard of {products} products within {HEARD:?}")
}

fn ask(path: &str, customer: &str) -> Request {
    Request {
        token: Some(customer.to_owned()),
        ..Request::get(path)
    }
}
