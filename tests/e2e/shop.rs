//! The shop, deployed by its own manifest: a customer's tour, the last units of
//! a SKU, and who may do what.

mod endings;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Client, full, json_request};
use stoa_tests::components;
use stoa_tests::process::HostProcess;
use tempfile::TempDir;

use crate::host;

/// The shop's manifest, with the components that the build script built, and changed
/// by `edit`.
fn manifest(edit: impl Fn(String) -> String) -> Result<TempDir> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../components/stoa.toml");
    let mut text = std::fs::read_to_string(file)?;
    for (name, component) in [
        ("product", components::PRODUCT),
        ("order", components::ORDER),
        ("catalog", components::CATALOG),
    ] {
        let built = format!("\"../target/wasm32-wasip2/release/{name}.wasm\"");
        ensure!(text.contains(&built), "{file} names no {built}");
        text = text.replace(&built, &format!("{component:?}"));
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../components");
    text = text.replace(
        "config_schema = \"",
        &format!("config_schema = \"{folder}/"),
    );
    let directory = TempDir::with_prefix("shop-")?;
    std::fs::write(directory.path().join("stoa.toml"), edit(text))?;
    Ok(directory)
}

/// A host with the shop on it, who runs it, and a customer.
struct Shop {
    host: HostProcess,
    staff: String,
    ann: String,
}

impl Shop {
    fn staff(&self) -> Client {
        Client::http1(self.host.http).bearer(&self.staff)
    }

    fn ann(&self) -> Client {
        Client::http1(self.host.http).bearer(&self.ann)
    }

    /// The same on the same data, after a crash.
    async fn restart(self) -> Result<Self> {
        let host = self.host.restart().await?;
        Ok(Self { host, ..self })
    }
}

async fn shop() -> Result<Shop> {
    shop_with(|text| text).await
}

/// The shop with a changed manifest.
async fn shop_with(edit: impl Fn(String) -> String) -> Result<Shop> {
    let (host, manifest) = (host().await?, manifest(edit)?);
    let directory = manifest
        .path()
        .to_str()
        .context("a path of the test is UTF-8")?;
    host.cli(&["deploy", directory]).await?.expect(0)?;
    let scopes = ["products:write", "inventory:write", "orders:read"];
    let staff = token(&host, "staff", &scopes).await?;
    let ann = token(&host, "ann", &[]).await?;
    Ok(Shop { host, staff, ann })
}

/// A token for development, as a reader of the README gets it.
async fn token(host: &HostProcess, subject: &str, scopes: &[&str]) -> Result<String> {
    let mut arguments = vec!["token", "--subject", subject];
    arguments.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
    let made = host.cli(&arguments).await?;
    Ok(made.expect(0)?.trim().to_owned())
}

/// Creates a product of one SKU and puts so many units into Berlin; its id.
async fn stocked(shop: &Shop, sku: &str, units: u64) -> Result<String> {
    let product = json!({
        "name": format!("Cup {sku}"),
        "category": "kitchen",
        "variants": [{ "sku": sku, "prices": [{ "minor": 1250, "currency": "EUR" }] }],
    });
    let mut staff = shop.staff();
    let created = staff.post("/products", &product).await?.expect(201)?;
    let location = created.header("location")?.to_owned();
    let created = created.json()?;
    assert_eq!(
        shop.host.get(&location).await?.expect(200)?.json()?,
        created
    );
    let change = json!({ "location": "berlin", "delta": units });
    staff
        .post(&format!("/inventory/{sku}/adjustments"), &change)
        .await?
        .expect(200)?;
    Ok(created["id"]
        .as_str()
        .context("a product has an id")?
        .to_owned())
}

fn order(sku: &str, quantity: u32) -> Value {
    json!({ "currency": "EUR", "lines": [{ "sku": sku, "quantity": quantity }] })
}

async fn stock(shop: &Shop, sku: &str) -> Result<(u64, u64)> {
    let stock = shop
        .host
        .get(&format!("/inventory/{sku}"))
        .await?
        .expect(200)?
        .json()?;
    let read = |key: &str| {
        stock[key]
            .as_u64()
            .with_context(|| format!("no {key} in {stock}"))
    };
    Ok((read("on_hand")?, read("reserved")?))
}

/// All orders, page by page.
async fn orders(shop: &Shop) -> Result<Vec<Value>> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    let mut staff = shop.staff();
    loop {
        let page = staff
            .get(&format!("/orders?limit=100{cursor}"))
            .await?
            .expect(200)?
            .json()?;
        all.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(all),
        }
    }
}

#[tokio::test]
async fn a_customers_tour() -> Result<()> {
    let shop = shop().await?;
    let (host, mut ann) = (&shop.host, shop.ann());
    let id = stocked(&shop, "CUP-1", 5).await?;
    assert_eq!(
        host.get(&format!("/products/{id}"))
            .await?
            .expect(200)?
            .json()?["name"],
        "Cup CUP-1"
    );

    let listed = host
        .get("/catalog/eu/products?in_stock=true")
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(listed["items"][0]["id"], json!(id), "{listed}");
    assert_eq!(
        listed["items"][0]["price"],
        json!({ "minor": 1250, "currency": "EUR" }),
        "{listed}"
    );
    assert_eq!(
        listed["items"][0]["variants"][0]["available"], 5,
        "{listed}"
    );
    let abroad = host
        .get("/catalog/us/products")
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(abroad["items"], json!([]), "no price in dollars");
    let found = host
        .get("/catalog/eu/search?q=cup")
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(found["items"][0]["id"], json!(id), "{found}");

    let placed = ann
        .post("/orders", &order("CUP-1", 2))
        .await?
        .expect(201)?
        .json()?;
    assert_eq!(placed["state"], "confirmed", "{placed}");
    assert_eq!(
        placed["total"],
        json!({ "minor": 2500, "currency": "EUR" }),
        "{placed}"
    );
    assert_eq!(stock(&shop, "CUP-1").await?, (5, 2));
    let path = format!("/orders/{}", placed["id"].as_str().unwrap_or_default());
    assert_eq!(ann.get(&path).await?.expect(200)?.json()?, placed);

    let problem = ann
        .post("/orders", &order("CUP-1", 4))
        .await?
        .problem(409)?;
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("CUP-1")),
        "{problem}"
    );
    let cancelled = ann
        .post(&format!("{path}/cancel"), &Value::Null)
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    assert_eq!(stock(&shop, "CUP-1").await?, (5, 0));
    Ok(())
}

#[tokio::test]
async fn a_stale_version_is_told() -> Result<()> {
    let shop = shop().await?;
    let id = stocked(&shop, "CUP-1", 1).await?;
    let host = &shop.host;
    let path = format!("/products/{id}");
    let tag = host.get(&path).await?.header("etag")?.to_owned();
    let update = async |tag: &str, name: &str| {
        let body = json!({ "name": name, "variants": [{ "sku": "CUP-1", "prices": [{ "minor": 1, "currency": "EUR" }] }] });
        let request = Request::put(&path)
            .header("content-type", "application/json")
            .header("if-match", tag);
        shop.staff()
            .send(request.body(full(body.to_string()))?)
            .await
    };
    update(&tag, "Once").await?.expect(200)?;
    update(&tag, "Twice").await?.problem(412)?;
    assert_eq!(host.get(&path).await?.json()?["name"], "Once");
    Ok(())
}

#[tokio::test]
async fn what_was_made_is_where_its_answer_says() -> Result<()> {
    let shop = shop().await?;
    stocked(&shop, "CUP-1", 2).await?;
    let place = async || {
        let mut request = json_request(Method::POST, "/orders", &order("CUP-1", 1))?;
        let headers = request.headers_mut();
        headers.insert("idempotency-key", "one".parse()?);
        shop.ann().send(request).await?.expect(201)
    };
    let (first, again) = (place().await?, place().await?);
    assert_eq!(again.header("idempotency-replayed")?, "true");
    let location = first.header("location")?;
    assert_eq!(again.header("location")?, location);
    let found = shop.ann().get(location).await?.expect(200)?;
    assert_eq!(found.json()?, first.json()?);
    Ok(())
}

/// `If-Match` and `If-None-Match`, and what a read and a change of version 1 get.
const CONDITIONS: [(&str, &str, u16, u16); 13] = [
    ("\"1\"", "", 200, 200),
    ("\"1\", \"7\"", "", 200, 200),
    ("\"7\", \"1\"", "", 200, 200),
    ("*", "", 200, 200),
    ("\"1-gzip\"", "", 200, 200),
    ("\"7\"", "", 412, 412),
    (" ", "", 412, 412),
    ("W/\"1\"", "", 412, 412),
    ("1", "", 412, 412),
    ("", "*", 304, 412),
    ("", "W/\"1\"", 304, 412),
    ("", "\"7\"", 200, 200),
    ("\"7\"", "\"1\"", 412, 412),
];

#[tokio::test]
async fn reads_and_changes_judge_conditions_alike() -> Result<()> {
    let shop = shop().await?;
    for (number, (if_match, if_none_match, read, change)) in CONDITIONS.iter().enumerate() {
        let sku = format!("CUP-{number}");
        let id = stocked(&shop, &sku, 1).await?;
        let product = json!({ "name": "Cup", "variants": [{ "sku": sku, "prices": [{ "minor": 1, "currency": "EUR" }] }] });
        // The thing's version stands for 1.
        let asked = async |client: &mut Client, method, path: &str, body: &Value, version: u64| {
            let mut request = json_request(method, path, body)?;
            for (name, value) in [("if-match", if_match), ("if-none-match", if_none_match)] {
                if !value.is_empty() {
                    let value = value.replace("\"1", &format!("\"{version}"));
                    request.headers_mut().insert(name, value.parse()?);
                }
            }
            anyhow::Ok(client.send(request).await?.status.as_u16())
        };
        let (mut staff, mut ann) = (shop.staff(), shop.ann());
        let path = format!("/products/{id}");
        let told = format!("If-Match: {if_match}, If-None-Match: {if_none_match}");
        let got = asked(&mut staff, Method::GET, &path, &Value::Null, 1).await?;
        assert_eq!(got, *read, "GET {told}");
        let placed = ann.post("/orders", &order(&sku, 1)).await?.expect(201)?;
        let cancel = format!("{}/cancel", placed.header("location")?);
        let version = placed.json()?["version"].as_u64().context("no version")?;
        let put = asked(&mut staff, Method::PUT, &path, &product, 1).await?;
        assert_eq!(put, *change, "PUT {told}");
        let cancelled = asked(&mut ann, Method::POST, &cancel, &Value::Null, version).await?;
        assert_eq!(cancelled, *change, "cancel {told}");
    }
    Ok(())
}

#[tokio::test]
async fn bad_input_is_refused_with_its_place() -> Result<()> {
    let shop = shop().await?;
    let (host, mut ann) = (&shop.host, shop.ann());
    let problem = ann
        .post(
            "/orders",
            &json!({ "currency": "EUR", "lines": [{ "sku": "A", "quantity": "two" }] }),
        )
        .await?
        .problem(422)?;
    assert_eq!(
        problem["errors"][0]["pointer"], "/lines/0/quantity",
        "{problem}"
    );
    let problem = ann
        .post("/orders", &json!({ "currency": "EUR", "lines": [] }))
        .await?
        .problem(422)?;
    assert!(
        problem["errors"][0]["pointer"]
            .as_str()
            .is_some_and(|pointer| pointer.starts_with("/lines")),
        "{problem}"
    );
    host.get("/products/nothing").await?.problem(404)?;
    host.get("/catalog/mars/products").await?.problem(404)?;
    Ok(())
}

/// Many clients, few units: exactly that many orders succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_units_are_sold_once() -> Result<()> {
    const CLIENTS: usize = 40;
    const UNITS: usize = 7;
    let shop = shop().await?;
    stocked(&shop, "LAST", UNITS as u64).await?;
    let answers = try_join_all(
        (0..CLIENTS).map(|_| async { shop.ann().post("/orders", &order("LAST", 1)).await }),
    )
    .await?;
    let count = |status: u16| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    let shown = || {
        answers
            .iter()
            .map(|answer| answer.status.as_u16())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (count(201), count(409)),
        (UNITS, CLIENTS - UNITS),
        "{:?}",
        shown()
    );
    assert_eq!(stock(&shop, "LAST").await?, (UNITS as u64, UNITS as u64));
    let confirmed = orders(&shop)
        .await?
        .iter()
        .filter(|order| order["state"] == "confirmed")
        .count();
    assert_eq!(confirmed, UNITS);
    Ok(())
}

/// The shop goes on selling while its services are swapped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_go_on_while_services_are_swapped() -> Result<()> {
    let shop = shop().await?;
    stocked(&shop, "SWAP", 1_000_000).await?;
    let authorization: http::HeaderValue = format!("Bearer {}", shop.ann).parse()?;
    let plan = stoa_tests::load::Plan {
        address: shop.host.http,
        connections: 8,
        protocol: stoa_tests::client::Protocol::Http1,
        request: std::sync::Arc::new(move |_| {
            let mut request = json_request(Method::POST, "/orders", &order("SWAP", 1))
                .expect("the path is valid");
            let headers = request.headers_mut();
            headers.insert("authorization", authorization.clone());
            request
        }),
    };
    let load = stoa_tests::load::Load::start(&plan);
    let manifest = manifest(|text| text)?;
    let directory = manifest
        .path()
        .to_str()
        .context("a path of the test is UTF-8")?;
    for _ in 0..5 {
        load.more(20).await?;
        shop.host.cli(&["deploy", directory]).await?.expect(0)?;
    }
    load.more(20).await?;
    let report = load.stop().await?.expect_all(201)?;
    assert_eq!(stock(&shop, "SWAP").await?, (1_000_000, report.answers));
    Ok(())
}

/// Who may do what: scopes at the gateway, whose order it is in the service.
#[tokio::test]
async fn a_customer_has_its_own_orders_and_no_others() -> Result<()> {
    let shop = shop().await?;
    stocked(&shop, "OWN", 5).await?;
    let (host, mut ann) = (&shop.host, shop.ann());
    let mut bob = Client::http1(host.http).bearer(&token(host, "bob", &[]).await?);
    let placed = ann
        .post("/orders", &order("OWN", 1))
        .await?
        .expect(201)?
        .json()?;
    assert_eq!(placed["customer"], "ann", "{placed}");
    let path = format!("/orders/{}", placed["id"].as_str().unwrap_or_default());
    let cancel = format!("{path}/cancel");

    bob.get(&path).await?.problem(404)?;
    bob.post(&cancel, &Value::Null).await?.problem(404)?;
    assert_eq!(
        bob.get("/orders").await?.expect(200)?.json()?["items"],
        json!([])
    );
    assert_eq!(orders(&shop).await?.len(), 1, "staff sees all");
    shop.staff()
        .post(&cancel, &Value::Null)
        .await?
        .problem(404)?;
    for (method, path) in [
        (Method::POST, "/orders"),
        (Method::GET, "/orders"),
        (Method::GET, path.as_str()),
        (Method::POST, cancel.as_str()),
    ] {
        let request = json_request(method, path, &order("OWN", 1))?;
        Client::http1(host.http).send(request).await?.problem(401)?;
    }
    for (method, path) in [
        (Method::POST, "/products"),
        (Method::DELETE, "/products/a"),
        (Method::POST, "/inventory/OWN/adjustments"),
    ] {
        let problem = ann
            .send(json_request(method, path, &json!({}))?)
            .await?
            .problem(403)?;
        assert_eq!(problem["code"], "insufficient_scope", "{problem}");
    }
    let clerk = token(host, "clerk", &["orders:write"]).await?;
    let cancelled = Client::http1(host.http)
        .bearer(&clerk)
        .post(&cancel, &Value::Null)
        .await?;
    assert_eq!(cancelled.expect(200)?.json()?["state"], "cancelled");
    Ok(())
}
