//! The shop, deployed by its own manifest: a customer's tour, what was made, and what
//! is refused.

mod access;
mod catalog;
mod conditions;
mod crowd;
#[cfg(debug_assertions)]
mod dying;
mod endings;
mod fulfilment;
mod money;
mod payment;
mod settings;
mod shipping;
mod storefront;

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use stoa_tests::client::{Client, json_request};
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
        ("payment", components::PAYMENT),
        ("shipping", components::SHIPPING),
        ("storefront", components::STOREFRONT),
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
    shop_in(host().await?, edit).await
}

/// The shop with a changed manifest, on this host.
async fn shop_in(host: HostProcess, edit: impl Fn(String) -> String) -> Result<Shop> {
    let manifest = manifest(edit)?;
    let directory = manifest
        .path()
        .to_str()
        .context("a path of the test is UTF-8")?;
    host.cli(&["deploy", directory]).await?.expect(0)?;
    let scopes = [
        "products:write",
        "inventory:write",
        "orders:read",
        "catalog:write",
    ];
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

/// All orders but those that were refused, page by page.
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

    let in_stock = |found: &Value| found["items"][0]["in_stock"] == true;
    let listed = catalog::shown(host, "/catalog/eu/products?in_stock=true", in_stock).await?;
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
