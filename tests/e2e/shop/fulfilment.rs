//! Orders over their whole life: priced, paid, sent, brought, returned.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client};

use super::{Shop, order, shop, stock, stocked, token};
use crate::answered;

/// Who sends parcels and takes them back.
async fn clerk(shop: &Shop) -> Result<Client> {
    let scopes = [
        "orders:write",
        "orders:read",
        "payments:read",
        "shipments:write",
    ];
    let clerk = token(&shop.host, "clerk", &scopes).await?;
    Ok(Client::http1(shop.host.http).bearer(&clerk))
}

fn sent_to(country: &str) -> Value {
    json!({
        "name": "Ann", "street": "Main Street 1", "city": "Berlin", "postal_code": "10115",
        "country": country,
    })
}

fn with(mut order: Value, fields: Value) -> Value {
    for (key, value) in fields.as_object().into_iter().flatten() {
        order[key] = value.clone();
    }
    order
}

fn minor(money: &Value) -> Result<i64> {
    let minor = money["minor"].as_i64();
    minor.with_context(|| format!("expected money, found {money}"))
}

async fn payment(clerk: &mut Client, order: &str) -> Result<Value> {
    clerk
        .get(&format!("/payments/{order}"))
        .await?
        .expect(200)?
        .json()
}

#[tokio::test]
async fn an_order_is_paid_sent_brought_and_returned() -> Result<()> {
    let shop = shop().await?;
    stocked(&shop, "CUP-1", 5).await?;
    let (mut ann, mut clerk) = (shop.ann(), clerk(&shop).await?);
    let wanted = with(
        order("CUP-1", 3),
        json!({ "address": sent_to("DE"), "discount": "WELCOME10" }),
    );
    let placed = ann.post("/orders", &wanted).await?.expect(201)?.json()?;
    let id = placed["id"].as_str().context("an order has an id")?;
    ensure!(
        placed["state"] == "confirmed" && placed["region"] == "eu",
        "{placed}"
    );
    let (shipping, total) = (minor(&placed["shipping"])?, minor(&placed["total"])?);
    ensure!(total == 3750 - 375 + shipping && shipping > 0, "{placed}");
    ensure!(
        placed["tax_included"] == true && minor(&placed["tax"])? > 0,
        "{placed}"
    );
    let paid = payment(&mut clerk, id).await?;
    ensure!(
        paid["state"] == "authorized" && minor(&paid["amount"])? == total,
        "{paid}"
    );

    let path = format!("/orders/{id}");
    ann.post(&format!("{path}/shipments"), &Value::Null)
        .await?
        .problem(403)?;
    let sent = clerk
        .post(&format!("{path}/shipments"), &Value::Null)
        .await?
        .expect(200)?
        .json()?;
    ensure!(
        sent["state"] == "fulfilling" && sent["tracking"].is_string(),
        "{sent}"
    );
    assert_eq!(stock(&shop, "CUP-1").await?, (2, 0), "it has left");
    ensure!(payment(&mut clerk, id).await?["state"] == "captured");
    let told = ann.post(&format!("{path}/cancel"), &Value::Null).await?;
    let told = told.problem(409)?;
    ensure!(
        told["detail"]
            .as_str()
            .is_some_and(|text| text.contains("FULFILLING")),
        "{told}"
    );

    for state in ["in_transit", "delivered"] {
        clerk
            .post(&format!("/shipments/{id}/scans"), &json!(state))
            .await?
            .expect(200)?;
    }
    let is_completed = |answer: &Answer| {
        answer
            .json()
            .is_ok_and(|order| order["state"] == "completed")
    };
    let ask = async || shop.ann().get(&path).await;
    answered(ask, is_completed).await?;

    let back = json!([{ "sku": "CUP-1", "quantity": 1 }]);
    let order = clerk.post(&format!("{path}/returns"), &back).await?;
    let order = order.expect(200)?.json()?;
    assert_eq!(minor(&order["refunded"])?, 1125, "{order}");
    assert_eq!(stock(&shop, "CUP-1").await?, (3, 0));
    let back = json!([{ "sku": "CUP-1", "quantity": 3 }]);
    clerk
        .post(&format!("{path}/returns"), &back)
        .await?
        .problem(409)?;
    let back = json!([{ "sku": "CUP-1", "quantity": 2 }]);
    let order = clerk.post(&format!("{path}/returns"), &back).await?;
    let order = order.expect(200)?.json()?;
    ensure!(
        order["state"] == "returned" && order["refunded"] == order["total"],
        "{order}"
    );
    let paid = payment(&mut clerk, id).await?;
    ensure!(
        paid["state"] == "refunded" && paid["refunded"] == paid["amount"],
        "{paid}"
    );
    assert_eq!(stock(&shop, "CUP-1").await?, (5, 0));
    Ok(())
}

#[tokio::test]
async fn a_cancelled_order_has_neither_stock_nor_money() -> Result<()> {
    let shop = shop().await?;
    stocked(&shop, "CUP-1", 5).await?;
    let (mut ann, mut clerk) = (shop.ann(), clerk(&shop).await?);
    let placed = ann.post("/orders", &order("CUP-1", 2)).await?.expect(201)?;
    let placed = placed.json()?;
    let id = placed["id"].as_str().context("an order has an id")?;
    for _ in 0..2 {
        ann.post(&format!("/orders/{id}/cancel"), &Value::Null)
            .await?
            .expect(200)?;
        ensure!(payment(&mut clerk, id).await?["state"] == "voided");
        assert_eq!(stock(&shop, "CUP-1").await?, (5, 0));
    }
    Ok(())
}

#[tokio::test]
async fn a_declined_payment_leaves_nothing() -> Result<()> {
    let shop = shop().await?;
    stocked(&shop, "CUP-1", 5).await?;
    let mut ann = shop.ann();
    for token in ["tok_declined", "tok_nonsense"] {
        let wanted = with(order("CUP-1", 2), json!({ "payment": token }));
        ann.post("/orders", &wanted).await?.problem(409)?;
        assert_eq!(stock(&shop, "CUP-1").await?, (5, 0), "{token}");
    }
    let listed = ann
        .get("/orders?state=cancelled")
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(
        listed["items"].as_array().map(Vec::len),
        Some(2),
        "{listed}"
    );
    Ok(())
}

/// An order takes its stock from its region, and only what is there is sold.
#[tokio::test]
async fn an_order_is_of_its_region() -> Result<()> {
    let shop = shop().await?;
    let (mut staff, mut ann) = (shop.staff(), shop.ann());
    let product = json!({
        "name": "Cup",
        "variants": [{ "sku": "CUP-1", "prices": [
            { "minor": 1250, "currency": "EUR" }, { "minor": 1000, "currency": "USD" },
        ] }],
    });
    staff.post("/products", &product).await?.expect(201)?;
    for (location, delta) in [("berlin", 1), ("denver", 2)] {
        let change = json!({ "location": location, "delta": delta });
        staff
            .post("/inventory/CUP-1/adjustments", &change)
            .await?
            .expect(200)?;
    }
    let in_dollars = |quantity| json!({ "currency": "USD", "lines": [{ "sku": "CUP-1", "quantity": quantity }] });
    ann.post("/orders", &order("CUP-1", 2))
        .await?
        .problem(409)?;
    ann.post("/orders", &in_dollars(3)).await?.problem(409)?;
    let placed = ann
        .post("/orders", &in_dollars(2))
        .await?
        .expect(201)?
        .json()?;
    // 8.81 % on top of 20.00.
    ensure!(
        placed["region"] == "us" && minor(&placed["total"])? == 2176,
        "{placed}"
    );
    let abroad = with(in_dollars(1), json!({ "address": sent_to("DE") }));
    let told = ann.post("/orders", &abroad).await?.problem(422)?;
    assert_eq!(told["errors"][0]["pointer"], "/address/country", "{told}");
    Ok(())
}
