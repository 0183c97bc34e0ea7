//! Requests with conditions: `If-Match`, `If-None-Match` and versions.

use anyhow::{Context as _, Result};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Client, full, json_request};

use super::{order, shop, stocked};

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
