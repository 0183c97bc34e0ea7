//! The catalog follows products and stock, and answers without them.

mod rebuild;

use anyhow::{Context as _, Result, ensure};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client, empty, json_request};
use stoa_tests::process::HostProcess;

use super::{Shop, order, shop, shop_with, stocked};
use crate::answered;

/// What a path shows, once it is as wanted: the catalog hears of changes a little later.
pub(super) async fn shown(
    host: &HostProcess,
    path: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let fits = |answer: &Answer| {
        answer.status.is_success() && answer.json().is_ok_and(|found| wanted(&found))
    };
    let answer = answered(async || host.get(path).await, fits).await;
    match answer {
        Ok(answer) => answer.json(),
        Err(late) => {
            let last = host.get(path).await?;
            Err(late).with_context(|| format!("{path}: {} {}", last.status, last.text()))
        }
    }
}

/// The names on a page.
fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array();
    let names = items
        .into_iter()
        .flatten()
        .map(|item| item["name"].as_str());
    names.map(Option::unwrap_or_default).collect()
}

/// Waits until a path lists these names.
async fn names_shown(shop: &Shop, path: &str, wanted: &[&str]) -> Result<Value> {
    shown(&shop.host, path, |found| names(found) == wanted).await
}

/// Creates a product that costs so much; its id.
async fn create(shop: &Shop, name: &str, more: &Value) -> Result<String> {
    let mut product = json!({
        "name": name,
        "variants": [{
            "sku": name.replace(' ', "-"),
            "prices": [{ "minor": 1250, "currency": "EUR" }],
        }],
    });
    let more = more.as_object().cloned().unwrap_or_default();
    product
        .as_object_mut()
        .context("it is an object")?
        .extend(more);
    let created = shop
        .staff()
        .post("/products", &product)
        .await?
        .expect(201)?;
    let id = created.json()?["id"].as_str().map(str::to_owned);
    id.context("a product has an id")
}

async fn rename(shop: &Shop, id: &str, sku: &str, name: &str) -> Result<()> {
    let product = json!({
        "name": name,
        "variants": [{ "sku": sku, "prices": [{ "minor": 990, "currency": "EUR" }] }],
    });
    let path = format!("/products/{id}");
    let request = json_request(Method::PUT, &path, &product)?;
    shop.staff().send(request).await?.expect(200)?;
    Ok(())
}

async fn delete(shop: &Shop, id: &str) -> Result<()> {
    let request = Request::delete(format!("/products/{id}")).body(empty())?;
    shop.staff().send(request).await?.expect(204)?;
    Ok(())
}

#[tokio::test]
async fn it_follows_products_and_stock() -> Result<()> {
    let shop = shop().await?;
    let id = stocked(&shop, "CUP-1", 2).await?;
    let item = format!("/catalog/eu/products/{id}");
    shown(&shop.host, &item, |item| {
        item["variants"][0]["available"] == 2
    })
    .await?;
    shop.ann()
        .post("/orders", &order("CUP-1", 2))
        .await?
        .expect(201)?;
    shown(&shop.host, &item, |item| item["in_stock"] == false).await?;
    names_shown(&shop, "/catalog/eu/products?in_stock=true", &[]).await?;

    rename(&shop, &id, "CUP-1", "Mug").await?;
    let renamed = names_shown(&shop, "/catalog/eu/search?q=mug", &["Mug"]).await?;
    assert_eq!(renamed["items"][0]["price"]["minor"], 990, "{renamed}");
    names_shown(&shop, "/catalog/eu/search?q=cup", &["Mug"]).await?;

    delete(&shop, &id).await?;
    names_shown(&shop, "/catalog/eu/products", &[]).await?;
    shop.host.get(&item).await?.problem(404)?;
    Ok(())
}

#[tokio::test]
async fn it_answers_without_the_product_service() -> Result<()> {
    let shop = shop().await?;
    let id = stocked(&shop, "CUP-1", 2).await?;
    let paths = [
        "/catalog/eu/products?in_stock=true".to_owned(),
        "/catalog/eu/search?q=cup&facets=true".to_owned(),
        format!("/catalog/eu/products/{id}"),
    ];
    let in_stock = |found: &Value| found["in_stock"] == true;
    let known = shown(&shop.host, &paths[2], in_stock).await?;

    let drain = async |shop: &Shop| {
        shop.host.cli(&["drain", "product"]).await?.expect(0)?;
        shop.host.get("/products").await?.problem(503).map(drop)
    };
    drain(&shop).await?;
    for path in &paths {
        shop.host.get(path).await?.expect(200)?;
    }
    // Also by an instance that has no index yet.
    let shop = shop.restart().await?;
    drain(&shop).await?;
    for path in &paths {
        let found = shop.host.get(path).await?.expect(200)?;
        ensure!(found.text().contains("CUP-1"), "{path}: {}", found.text());
    }
    assert_eq!(shop.host.get(&paths[2]).await?.json()?, known);
    Ok(())
}

#[tokio::test]
async fn what_it_could_not_hear_comes_after_all() -> Result<()> {
    let shop = shop().await?;
    let id = stocked(&shop, "CUP-1", 2).await?;
    names_shown(&shop, "/catalog/eu/products", &["Cup CUP-1"]).await?;
    let breaker = async |state: &str| {
        let open = ["breaker", "product", state, "--link", "catalog"];
        shop.host.cli(&open).await?.expect(0).map(drop)
    };
    // It is told, and can't read what.
    breaker("open").await?;
    rename(&shop, &id, "CUP-1", "Mug").await?;
    stocked(&shop, "CUP-2", 1).await?;
    assert_eq!(
        names(&shop.host.get("/catalog/eu/products").await?.json()?),
        ["Cup CUP-1"]
    );
    breaker("auto").await?;
    names_shown(&shop, "/catalog/eu/products", &["Mug", "Cup CUP-2"]).await?;
    Ok(())
}

#[tokio::test]
async fn names_come_in_the_readers_language() -> Result<()> {
    let shop = shop().await?;
    let translated = json!({ "translations": [
        { "language": "de", "name": "Espressotasse", "description": "Für Espresso" },
        { "language": "fr", "name": "Tasse à café" },
    ]});
    let id = create(&shop, "Espresso cup", &translated).await?;
    names_shown(&shop, "/catalog/eu/products", &["Espressotasse"]).await?;
    for (languages, name) in [
        ("fr-CH, de;q=0.8", "Tasse à café"),
        ("en", "Espresso cup"),
        ("ja", "Espressotasse"),
    ] {
        let read = async |path: &str| {
            let request = Request::get(path).header("accept-language", languages);
            let mut client = Client::http1(shop.host.http);
            let answer = client.send(request.body(empty())?).await?.expect(200)?;
            answer.json()
        };
        let item = read(&format!("/catalog/eu/products/{id}")).await?;
        assert_eq!(item["name"], name, "{languages}: {item}");
        let found = read("/catalog/eu/search?q=cafe").await?;
        assert_eq!(names(&found), [name], "{languages}");
    }
    let bad =
        json!({ "name": "x", "variants": [], "translations": [{ "language": "d", "name": "" }] });
    let problem = shop.staff().post("/products", &bad).await?.problem(422)?;
    let pointers: Vec<_> = problem["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| error["pointer"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        pointers,
        [
            "/variants",
            "/translations/0/language",
            "/translations/0/name"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn lists_are_filtered_sorted_counted_and_paged() -> Result<()> {
    let shop = shop().await?;
    for (name, category, minor) in [
        ("Teapot", "kitchen", 3900),
        ("Cup", "kitchen", 900),
        ("Desk lamp", "office", 5900),
        ("Ätna lamp", "office", 1900),
    ] {
        let price = json!([{ "minor": minor, "currency": "EUR" }]);
        let sku = format!("SKU-{minor}");
        let more = json!({ "category": category, "variants": [{ "sku": sku, "prices": price }] });
        create(&shop, name, &more).await?;
    }
    let all = ["Teapot", "Cup", "Desk lamp", "Ätna lamp"];
    names_shown(&shop, "/catalog/eu/products", &all).await?;
    for (query, expected) in [
        (
            "products?sort=name",
            vec!["Ätna lamp", "Cup", "Desk lamp", "Teapot"],
        ),
        (
            "products?sort=price_desc&category=office",
            vec!["Desk lamp", "Ätna lamp"],
        ),
        (
            "products?min_price=1000&max_price=4000",
            vec!["Teapot", "Ätna lamp"],
        ),
        ("search?q=lmap", vec!["Desk lamp", "Ätna lamp"]),
        ("search?q=ätna%20la", vec!["Ätna lamp"]),
        ("search?q=lamp&max_price=2000", vec!["Ätna lamp"]),
    ] {
        let query = query.replace('ä', "%C3%A4");
        let page = shop.host.get(&format!("/catalog/eu/{query}")).await?;
        assert_eq!(names(&page.expect(200)?.json()?), expected, "{query}");
    }

    let path = "/catalog/eu/products?sort=price_asc&facets=true&category=office";
    let counted = shop.host.get(path).await?.expect(200)?.json()?;
    let facets = json!({
        "total": 2,
        "categories": [
            { "category": "kitchen", "count": 2 },
            { "category": "office", "count": 2 },
        ],
        "prices": [
            { "from": 1000, "to": 2000, "count": 1 },
            { "from": 5000, "to": 10000, "count": 1 },
        ],
        "in_stock": 0,
    });
    assert_eq!(counted["facets"], facets, "{counted}");

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/catalog/eu/products?sort=name&limit=1{cursor}");
        let page = shop.host.get(&path).await?.expect(200)?.json()?;
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["Ätna lamp", "Cup", "Desk lamp", "Teapot"]);
    let other = format!("/catalog/eu/products?sort=price_asc{cursor}");
    shop.host.get(&other).await?.problem(422)?;
    Ok(())
}

#[tokio::test]
async fn regions_change_while_it_runs() -> Result<()> {
    let shop = shop().await?;
    stocked(&shop, "CUP-1", 2).await?;
    let in_stock = "/catalog/eu/products?in_stock=true";
    names_shown(&shop, in_stock, &["Cup CUP-1"]).await?;
    let region = json!({
        "currency": "EUR", "countries": ["DE"], "languages": ["de"],
        "tax_inclusive": true, "locations": ["lyon"],
    });
    let set = format!("region.eu={region}");
    shop.host
        .cli(&["config", "catalog", "set", &set])
        .await?
        .expect(0)?;
    // What was kept came of the other locations.
    assert_eq!(names(&shop.host.get(in_stock).await?.json()?), [""; 0]);
    let change = json!({ "location": "lyon", "delta": 1 });
    let adjust = "/inventory/CUP-1/adjustments";
    shop.staff().post(adjust, &change).await?.expect(200)?;
    names_shown(&shop, in_stock, &["Cup CUP-1"]).await?;
    Ok(())
}

#[tokio::test]
async fn answers_are_kept_until_what_they_say_changes() -> Result<()> {
    let for_good = "max_age = \"1h\", stale_while_revalidate = \"0s\"";
    let kept = "max_age = \"5s\", stale_while_revalidate = \"10s\"";
    let shop = shop_with(|text| text.replace(kept, for_good)).await?;
    let id = stocked(&shop, "CUP-1", 1).await?;
    let paths = [
        "/catalog/eu/products".to_owned(),
        "/catalog/eu/search?q=cup".to_owned(),
        format!("/catalog/eu/products/{id}"),
    ];
    let all_show = async |wanted: &str| {
        for path in &paths {
            let shows = |answer: &Answer| answer.text().contains(wanted);
            answered(async || shop.host.get(path).await, shows).await?;
        }
        anyhow::Ok(())
    };
    all_show("\"in_stock\":true").await?;
    for path in &paths {
        let status = shop.host.get(path).await?.expect(200)?;
        let status = status.header("cache-status")?.to_owned();
        ensure!(status.starts_with("stoa; hit"), "{path}: {status}");
    }
    shop.ann()
        .post("/orders", &order("CUP-1", 1))
        .await?
        .expect(201)?;
    all_show("\"in_stock\":false").await?;
    rename(&shop, &id, "CUP-1", "Cup of tea").await?;
    all_show("Cup of tea").await
}
