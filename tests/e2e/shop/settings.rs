//! Settings of the shop: what its schemas take, its components can use.

use anyhow::Result;
use serde_json::{Value, json};

use super::{order, shop, shop_with, stocked};

#[tokio::test]
async fn what_a_component_can_not_read_is_refused() -> Result<()> {
    let shop = shop().await?;
    stocked(&shop, "CUP-1", 9).await?;
    let set = async |service: &str, setting: &str| {
        shop.host.cli(&["config", service, "set", setting]).await
    };
    for value in ["1e2", "100.0", "2E0", "1.0e1", "2.592e6", " 9", "+9", "09"] {
        let refused = set("product", &format!("reservation_ttl={value}")).await?;
        refused.expect(1)?;
        let told =
            format!("expected an integer in plain digits such as 900 or -5, found {value:?}");
        assert!(refused.stderr.contains(&told), "{refused:?}");
    }
    set("product", "reservation_ttl=100").await?.expect(0)?;
    shop.ann()
        .post("/orders", &order("CUP-1", 1))
        .await?
        .expect(201)?;

    for (service, setting, told) in [
        (
            "order",
            "reservation_ttl=1",
            "it knows payment_token and keys like",
        ),
        (
            "product",
            "resrvation_ttl=1",
            "did you mean \"reservation_ttl\"?",
        ),
        ("catalog", "regin.eu={}", "did you mean \"region.eu\"?"),
        ("catalog", "currencies={}", "it knows keys like ^region\\."),
    ] {
        let refused = set(service, setting).await?;
        refused.expect(1)?;
        assert!(refused.stderr.contains(told), "{refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_manifest_is_held_to_the_same() -> Result<()> {
    let odd =
        shop_with(|text| text.replace("reservation_ttl = \"900\"", "reservation_ttl = \"9e2\""));
    let refused = odd.await.err().map(|refused| refused.to_string());
    let refused = refused.unwrap_or_default();
    for told in ["/reservation_ttl: expected an integer", "9e2"] {
        assert!(refused.contains(told), "{refused}");
    }
    Ok(())
}

/// A region as an operator may set it, but for one key.
fn region(key: &str, value: &Value) -> String {
    let mut region = json!({
        "currency": "EUR", "countries": ["FR", "XK"], "languages": ["fr", "zh-Hant-TW"],
        "tax_inclusive": true, "locations": ["lyon", "CUP_1.b"],
    });
    region[key] = value.clone();
    format!("region.fr={region}")
}

#[tokio::test]
async fn a_region_names_what_there_is() -> Result<()> {
    let shop = shop().await?;
    let set = async |setting: &str| shop.host.cli(&["config", "catalog", "set", setting]).await;
    set(&region("currency", &json!("EUR"))).await?.expect(0)?;
    shop.host.get("/catalog/fr").await?.expect(200)?;
    for (key, value) in [
        ("countries", json!(["ZZ"])),
        ("countries", json!(["fr"])),
        ("countries", json!([])),
        ("languages", json!([""])),
        ("languages", json!(["fr_FR"])),
        ("locations", json!([""])),
        ("locations", json!(["x/y"])),
        ("locations", json!([".."])),
        ("locations", json!(["x".repeat(65)])),
    ] {
        let refused = set(&region(key, &value)).await?;
        refused.expect(1)?;
        let place = format!("/region.fr/{key}");
        assert!(refused.stderr.contains(&place), "{value}: {refused:?}");
    }
    let twice = region("currency", &json!("EUR")).replace('{', "{\"currency\":\"EUR\",");
    let refused = set(&twice).await?;
    refused.expect(1)?;
    let told = "/region.fr: expected each key of an object once, found \"currency\" twice";
    assert!(refused.stderr.contains(told), "{refused:?}");
    shop.host.get("/catalog/fr").await?.expect(200)?;
    Ok(())
}
