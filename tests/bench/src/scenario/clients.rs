//! The shop with more and more clients that each wait for their answer before they ask
//! again: everybody is served, as many in a second as of a few, and nothing is left
//! behind.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Bench, figure, shop};
use crate::args::Client;
use crate::load::{Connection, Load, Request};
use crate::report::{Report, say};
use crate::stoa::Stoa;

const CLIENTS: [u16; 6] = [1, 8, 32, 64, 256, 1000];
/// The number whose rate is compared with the best.
const MANY: u16 = 256;
/// Of one SKU each, so that orders don't all want the same.
pub(super) const PRODUCTS: usize = 100;
/// More than anybody orders here.
const UNITS: u64 = 10_000_000;
/// Far more than the catalog takes to hear of a product.
const HEARD: Duration = Duration::from_secs(30);

/// Loads each route of the shop, one after the other.
///
/// # Errors
/// The shop is built, but can't be deployed or filled.
pub fn measure(bench: &Bench<'_>, program: &Path, report: &mut Report) -> Result<()> {
    if let Some(reason) = shop::unbuilt()? {
        let skipped = format!("the shop with many clients ({reason})");
        report.skipped.push(skipped);
        return Ok(());
    }
    say("deploying the shop");
    let mut stoa = Stoa::start(bench.cores.on_server(program))?;
    shop::deploy(program, &stoa)?;
    let shelf = Shelf::fill(&mut stoa)?;
    let (mut kept, mut failed) = (Vec::new(), 0);
    for requests in shelf.routes() {
        let route = route(bench, &stoa, &requests)?;
        kept.push(route.kept);
        failed += route.failed;
    }
    let name = format!("shop, each route: requests/s with {MANY} clients, of the best");
    let figures = [
        figure(&name, "%", Some("≥ 90"), kept)?,
        figure(
            "shop, each route, 1 to 1000 clients: failed requests",
            "",
            Some("0"),
            vec![failed as f64],
        )?,
        figure(
            "shop, after that: orders that never end, and units held for them",
            "",
            Some("0"),
            vec![shelf.left_behind()? as f64],
        )?,
    ];
    report.figures.extend(figures);
    Ok(())
}

/// What one route showed.
struct Route {
    /// Rate with [`MANY`] clients, in per cent of the best.
    kept: f64,
    failed: u64,
}

fn route(bench: &Bench<'_>, stoa: &Stoa, requests: &[Request]) -> Result<Route> {
    let (request, more) = requests.split_first().context("a route has a request")?;
    let (mut best, mut many, mut failed) = (0.0_f64, 0.0, 0);
    for connections in CLIENTS {
        let load = Load {
            connections,
            more,
            ..bench.load(stoa.addr, request, bench.args.duration())
        };
        let outcome = load.run(Client::Own)?;
        best = best.max(outcome.rate());
        if connections == MANY {
            many = outcome.rate();
        }
        failed += outcome.failures;
        let first = outcome.first_failure.as_deref().unwrap_or_default();
        say(&format!(
            "{} {}: {connections} clients: {:.0}/s, p99 {:.1} ms, {} failed {first}",
            request.method,
            request.path,
            outcome.rate(),
            f64::from(outcome.p99_micros) / 1e3,
            outcome.failures
        ));
    }
    Ok(Route {
        kept: 100.0 * many / best,
        failed,
    })
}

/// A shop that has something to sell.
pub(super) struct Shelf {
    stoa: std::net::SocketAddr,
    customer: String,
    product: String,
    order: String,
}

impl Shelf {
    pub(super) fn fill(stoa: &mut Stoa) -> Result<Self> {
        let [products, inventory] =
            ["products:write", "inventory:write"].map(|scope| stoa.token_of("staff", scope));
        let (products, inventory) = (products?, inventory?);
        let mut shelf = Self {
            stoa: stoa.addr,
            customer: stoa.token_of("customer", "orders")?,
            product: String::new(),
            order: String::new(),
        };
        for number in 0..PRODUCTS {
            let sku = sku(number);
            let product = json!({
                "name": format!("Cup {number}"),
                "category": "kitchen",
                "variants": [{ "sku": sku, "prices": [{ "minor": 1250, "currency": "EUR" }] }],
            });
            let made = shelf.send(post("/products", &product, &products)?)?;
            shelf.product = id(&made)?;
            let path = format!("/inventory/{sku}/adjustments");
            let change = json!({ "location": "berlin", "delta": UNITS });
            shelf.send(post(&path, &change, &inventory)?)?;
        }
        shelf.is_listed()?;
        let placed = shelf.send(shelf.order(0)?)?;
        shelf.order = id(&placed)?;
        Ok(shelf)
    }

    /// Waits until the catalog has heard of the last product and of its stock.
    fn is_listed(&self) -> Result<()> {
        let path = format!("/catalog/eu/products/{}", self.product);
        let mut connection = Connection::open(self.stoa)?;
        let begun = Instant::now();
        while begun.elapsed() < HEARD {
            let reply = connection.call(&self.get(&path))?;
            let item: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            if item["in_stock"] == true {
                return Ok(());
            }
        }
        bail!("the catalog does not show {path} as in stock after {HEARD:?}")
    }

    /// The requests of each route; placing orders comes last, since it makes the others
    /// slower.
    fn routes(&self) -> Vec<Vec<Request>> {
        let Self { product, order, .. } = self;
        let gets = [
            format!("/products/{product}"),
            format!("/inventory/{}", sku(0)),
            "/products?limit=20".to_owned(),
            "/catalog/eu".to_owned(),
            "/catalog/eu/products?limit=20".to_owned(),
            format!("/catalog/eu/products/{product}"),
            "/catalog/eu/search?q=cup".to_owned(),
            format!("/orders/{order}"),
            "/orders?limit=20".to_owned(),
        ];
        let gets = gets.map(|path| vec![self.get(&path)]);
        let orders = (0..PRODUCTS).filter_map(|number| self.order(number).ok());
        gets.into_iter().chain([orders.collect()]).collect()
    }

    /// Orders that are neither confirmed nor cancelled, and units that are held for no
    /// confirmed one: those stay until they are shipped.
    fn left_behind(&self) -> Result<u64> {
        let (mut open, mut confirmed) = (0, 0);
        let mut cursor = Some(String::new());
        while let Some(from) = cursor {
            let page = self.send(self.get(&format!("/orders?limit=100{from}")))?;
            for order in page["items"].as_array().context("a page has items")? {
                match order["state"].as_str() {
                    Some("confirmed") => confirmed += 1,
                    Some("cancelled") => {}
                    _ => open += 1,
                }
            }
            cursor = page["next"].as_str().map(|next| format!("&cursor={next}"));
        }
        let mut reserved = 0;
        for number in 0..PRODUCTS {
            let stock = self.send(self.get(&format!("/inventory/{}", sku(number))))?;
            reserved += stock["reserved"].as_u64().context("stock has a number")?;
        }
        say(&format!(
            "{confirmed} orders are confirmed, {open} open, {reserved} units reserved"
        ));
        Ok(open + reserved.abs_diff(confirmed))
    }

    fn get(&self, path: &str) -> Request {
        Request {
            token: Some(self.customer.clone()),
            ..Request::get(path)
        }
    }

    pub(super) fn order(&self, number: usize) -> Result<Request> {
        let line = json!({ "sku": sku(number), "quantity": 1 });
        let order = json!({ "currency": "EUR", "lines": [line] });
        post("/orders", &order, &self.customer)
    }

    fn send(&self, request: Request) -> Result<Value> {
        let reply = Connection::open(self.stoa)?.call_ok(&request)?;
        serde_json::from_slice(&reply.body)
            .with_context(|| format!("reading the answer of {}", request.path))
    }
}

fn sku(number: usize) -> String {
    format!("CUP-{number}")
}

fn post(path: &str, body: &Value, token: &str) -> Result<Request> {
    Ok(Request {
        token: Some(token.to_owned()),
        ..Request::json("POST", path, serde_json::to_vec(body)?)
    })
}

fn id(made: &Value) -> Result<String> {
    let id = made["id"].as_str();
    Ok(id.context("expected an id in what was made")?.to_owned())
}
