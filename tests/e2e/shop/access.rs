//! Who may do what: scopes at the gateway, whose order it is in the service.

use anyhow::Result;
use http::Method;
use serde_json::{Value, json};
use stoa_tests::client::{Client, json_request};

use super::{order, orders, shop, stocked, token};

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
