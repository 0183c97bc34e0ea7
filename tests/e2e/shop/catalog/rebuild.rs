//! A catalog that is made anew.

use super::*;

/// Waits for the end of the rebuild that is under way; what it tells then.
async fn rebuilt(shop: &Shop) -> Result<Value> {
    let mut staff = shop.staff();
    let done = |answer: &Answer| answer.json().is_ok_and(|found| found["state"] == "done");
    let answer = answered(async || staff.get("/catalog/rebuild").await, done).await?;
    answer.json()
}

#[tokio::test]
async fn a_rebuild_comes_to_its_end_through_a_crash_and_changes() -> Result<()> {
    let mut shop = shop().await?;
    let mut ids = Vec::new();
    for number in 0..250 {
        ids.push(create(&shop, &format!("Cup {number:03}"), &json!({})).await?);
    }
    shop.host.get("/catalog/rebuild").await?.problem(401)?;
    shop.ann().get("/catalog/rebuild").await?.problem(403)?;
    shop.staff().get("/catalog/rebuild").await?.problem(404)?;
    let begun = shop.staff().post("/catalog/rebuild", &Value::Null).await?;
    let begun = begun.expect(202)?.json()?;
    assert_eq!(begun["state"], "reading", "{begun}");
    shop.host.kill_9().await?;
    let shop = shop.restart().await?;
    rename(&shop, &ids[7], "Cup-007", "Mug").await?;
    delete(&shop, &ids[8]).await?;
    create(&shop, "Teapot", &json!({})).await?;
    let ended = rebuilt(&shop).await?;
    assert_eq!(ended["id"], begun["id"], "{ended}");
    let products = ended["products"].as_u64().unwrap_or_default();
    ensure!((249..=251).contains(&products), "{ended}");

    let path = "/catalog/eu/products?limit=1&facets=true";
    shown(&shop.host, path, |found| found["facets"]["total"] == 250).await?;
    names_shown(&shop, "/catalog/eu/search?q=mug", &["Mug"]).await?;
    names_shown(&shop, "/catalog/eu/search?q=teapot", &["Teapot"]).await?;
    shop.host
        .get(&format!("/catalog/eu/products/{}", ids[8]))
        .await?
        .problem(404)?;
    Ok(())
}

/// A catalog that is there before or after its products, and has lost what it had.
#[tokio::test]
async fn a_rebuild_finds_what_it_was_never_told() -> Result<()> {
    let shop = shop().await?;
    let kept = stocked(&shop, "CUP-1", 3).await?;
    names_shown(&shop, "/catalog/eu/products", &["Cup CUP-1"]).await?;
    // Nothing may go that another service imports.
    shop.host
        .cli(&["undeploy", "storefront"])
        .await?
        .expect(0)?;
    shop.host
        .cli(&["undeploy", "catalog", "--purge"])
        .await?
        .expect(0)?;
    let manifest = crate::shop::manifest(|text| text)?;
    let directory = manifest
        .path()
        .to_str()
        .context("a path of the test is UTF-8")?;
    shop.host.cli(&["deploy", directory]).await?.expect(0)?;
    assert_eq!(
        names(&shop.host.get("/catalog/eu/products").await?.json()?),
        [""; 0]
    );
    let begun = shop.staff().post("/catalog/rebuild", &Value::Null).await?;
    begun.expect(202)?;
    let ended = rebuilt(&shop).await?;
    assert_eq!(ended["products"], 1, "{ended}");
    let path = format!("/catalog/eu/products/{kept}");
    shown(&shop.host, &path, |item| {
        item["variants"][0]["available"] == 3
    })
    .await?;
    Ok(())
}
