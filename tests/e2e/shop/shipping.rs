//! Shipments: what they cost, and each step over the wire.

use anyhow::Result;
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client};

use super::{Shop, shop, shop_with, token};

const CHANGES: &str = "/v1/queues/shop%3Ashipping%2Fshipment-changes/messages";

/// Ways in for what other services call.
const STEPS: &str = r#"
"POST /ship/{order_id}"        = { call = "shop:shipping/carriers.create-shipment", access = "public" }
"POST /ship/{order_id}/cancel" = { call = "shop:shipping/carriers.cancel", access = "public" }
"#;

/// A shop whose shipments can be asked for.
async fn sending() -> Result<Shop> {
    let routes = "[service.shipping.routes]\n";
    shop_with(|text| text.replace(routes, &format!("{routes}{STEPS}"))).await
}

async fn send(shop: &Shop, order: &str, service: &str) -> Result<Answer> {
    let to = json!({
        "name": "Ann", "street": "Domplatz 1", "city": "Köln", "postal_code": "50667", "country": "DE",
    });
    let body = json!({ "to": to, "service": service, "units": 2 });
    shop.host.post(&format!("/ship/{order}"), &body).await
}

/// Who works for the carrier.
async fn courier(shop: &Shop) -> Result<Client> {
    let scopes = ["shipments:read", "shipments:write"];
    let token = token(&shop.host, "courier", &scopes).await?;
    Ok(Client::http1(shop.host.http).bearer(&token))
}

async fn scan(courier: &mut Client, order: &str, state: &str) -> Result<Answer> {
    let path = format!("/shipments/{order}/scans");
    courier.post(&path, &json!(state)).await
}

#[tokio::test]
async fn a_parcel_goes_its_way() -> Result<()> {
    let shop = sending().await?;
    let pause = ["queue", "pause", "shop:shipping/shipment-changes"];
    shop.host.cli(&pause).await?.expect(0)?;
    let labelled = send(&shop, "o-1", "standard").await?.expect(200)?.json()?;
    assert_eq!(labelled["state"], "labelled", "{labelled}");
    assert_eq!(labelled["tracking"], "SBX-O-1", "{labelled}");
    let again = send(&shop, "o-1", "standard").await?.expect(200)?;
    assert_eq!(again.json()?, labelled);
    send(&shop, "o-1", "express").await?.problem(409)?;
    send(&shop, "o-2", "drone").await?.problem(422)?;

    let mut courier = courier(&shop).await?;
    let problem = scan(&mut courier, "o-1", "delivered").await?.problem(409)?;
    let told = "the shipment of order o-1 is LABELLED: it can't become DELIVERED";
    assert_eq!(problem["detail"], told, "{problem}");
    for state in ["in_transit", "in_transit", "delivered"] {
        let scanned = scan(&mut courier, "o-1", state).await?.expect(200)?;
        assert_eq!(scanned.json()?["state"], state);
    }
    let cancel = shop.host.post("/ship/o-1/cancel", &Value::Null).await?;
    cancel.problem(409)?;
    let tracked = courier.get("/shipments/o-1").await?.expect(200)?.json()?;
    assert_eq!(
        (&tracked["state"], &tracked["version"]),
        (&json!("delivered"), &json!(4))
    );

    // Who wants to know is told of each step once, in the step that keeps it.
    let told = shop.host.admin()?.get(CHANGES).await?.expect(200)?.json()?;
    assert_eq!(told.as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!(told[1]["arguments"], json!({ "order_id": "o-1" }));
    Ok(())
}

#[tokio::test]
async fn a_shipment_that_was_called_off_is_not_sent() -> Result<()> {
    let shop = sending().await?;
    for order in ["o-1", "o-2"] {
        if order == "o-1" {
            send(&shop, order, "standard").await?.expect(200)?;
        }
        let path = format!("/ship/{order}/cancel");
        let cancelled = shop.host.post(&path, &Value::Null).await?.expect(200)?;
        assert_eq!(cancelled.json()?["state"], "cancelled");
        send(&shop, order, "standard").await?.problem(409)?;
    }
    Ok(())
}

#[tokio::test]
async fn shipments_are_for_who_may_see_and_scan_them() -> Result<()> {
    let shop = shop().await?;
    shop.host.get("/shipments/o-1").await?.problem(401)?;
    shop.ann().get("/shipments/o-1").await?.problem(403)?;
    scan(&mut shop.ann(), "o-1", "in_transit")
        .await?
        .problem(403)?;
    let mut courier = courier(&shop).await?;
    courier.get("/shipments/o-1").await?.problem(404)?;
    scan(&mut courier, "o-1", "in_transit")
        .await?
        .problem(404)?;
    scan(&mut courier, "o-1", "lost").await?.problem(422)?;
    Ok(())
}

#[tokio::test]
async fn prices_are_what_the_operator_says_now() -> Result<()> {
    let shop = shop().await?;
    let quotes = async |query: &str| {
        let path = format!("/shipping/quotes?{query}");
        shop.host.get(&path).await
    };
    let german = quotes("country=DE&currency=EUR&units=3")
        .await?
        .expect(200)?;
    let price = |minor| json!({ "minor": minor, "currency": "EUR" });
    let expected = json!([
        { "service": "standard", "price": price(690), "days": 3 },
        { "service": "express", "price": price(1790), "days": 1 },
    ]);
    assert_eq!(german.json()?, expected);
    for (query, place) in [
        ("country=MX&currency=EUR&units=1", "/country"),
        ("country=DE&currency=USD&units=1", "/currency"),
        ("country=DE&currency=EUR&units=0", "/units"),
    ] {
        let problem = quotes(query).await?.problem(422)?;
        assert_eq!(problem["errors"][0]["pointer"], place, "{problem}");
    }

    let set = async |services: &Value| {
        let zones = json!([{ "countries": ["MX"], "services": services }]);
        let setting = format!("zones={zones}");
        shop.host
            .cli(&["config", "shipping", "set", &setting])
            .await
    };
    let price = json!({ "MXN": { "first": 100, "further": 1 } });
    let service =
        |name: &str, prices: &Value| json!([{ "name": name, "days": 2, "prices": prices }]);
    set(&service("mail", &price)).await?.expect(0)?;
    let mexican = quotes("country=MX&currency=MXN&units=2")
        .await?
        .expect(200)?;
    assert_eq!(mexican.json()?[0]["price"]["minor"], 101);
    for bad in [
        service("Mail", &price),
        service("mail", &json!({})),
        service("mail", &json!({ "XXX": { "first": 1, "further": 1 } })),
        service("mail", &json!({ "EUR": { "first": -1, "further": 1 } })),
        service("mail", &json!({ "EUR": { "first": 1 } })),
        json!([]),
    ] {
        set(&bad).await?.expect(1)?;
    }
    Ok(())
}
