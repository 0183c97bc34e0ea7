//! Payments: each step over the wire, and what the provider says by itself.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client, full};
use stoa_tests::process::HostProcess;
use stoa_tests::webhook::signature;

use super::{Shop, shop, shop_with, token};
use crate::answered;

const SECRET: &str = "whsec_of_the_tests";
const EVENTS: &str = "/v1/queues/shop%3Apayment%2Fevents";
const CHANGES: &str = "/v1/queues/shop%3Apayment%2Fpayment-changes/messages";

/// Ways in for what other services call.
const STEPS: &str = r#"
"POST /pay/{order_id}/authorize" = { call = "shop:payment/payments.authorize", access = "public" }
"POST /pay/{order_id}/capture"   = { call = "shop:payment/payments.capture", access = "public" }
"POST /pay/{order_id}/void"      = { call = "shop:payment/payments.void", access = "public" }
"POST /pay/{order_id}/refund"    = { call = "shop:payment/payments.refund", access = "public" }
"#;

/// A shop whose payments can be asked for, and whose provider has a secret.
async fn paying(edit: impl Fn(String) -> String) -> Result<Shop> {
    let routes = "[service.payment.routes]\n";
    let shop = shop_with(|text| edit(text).replace(routes, &format!("{routes}{STEPS}"))).await?;
    let (admin, path) = (shop.host.admin()?, "/v1/secrets/payment-webhook");
    let secret = full(SECRET.to_owned());
    admin.send(Method::PUT, path, secret).await?.expect(200)?;
    Ok(shop)
}

fn euros(minor: u64) -> Value {
    json!({ "minor": minor, "currency": "EUR" })
}

async fn step(host: &HostProcess, order: &str, step: &str, body: &Value) -> Result<Answer> {
    host.post(&format!("/pay/{order}/{step}"), body).await
}

async fn authorize(host: &HostProcess, order: &str, token: &str) -> Result<Answer> {
    let body = json!({ "amount": euros(1000), "token": token });
    step(host, order, "authorize", &body).await
}

/// The payment, as staff sees it.
async fn payment(shop: &Shop, order: &str) -> Result<Answer> {
    let staff = token(&shop.host, "clerk", &["payments:read"]).await?;
    let mut client = Client::http1(shop.host.http).bearer(&staff);
    client.get(&format!("/payments/{order}")).await
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

fn event(id: &str, kind: &str, order: &str, created: u64) -> String {
    let data = json!({ "order_id": order, "amount": euros(1000) });
    let kind = format!("payment.{kind}");
    json!({ "id": id, "type": kind, "created": created, "data": data }).to_string()
}

/// Sends a webhook as a provider does.
async fn send(host: &HostProcess, body: &str, signature: &str) -> Result<Answer> {
    let request = Request::post("/webhooks/payments")
        .header("content-type", "application/json")
        .header("stripe-signature", signature)
        .body(full(body.to_owned()))?;
    Client::http1(host.http).send(request).await
}

async fn tell(host: &HostProcess, body: &str) -> Result<()> {
    let signed = signature(SECRET, now(), body);
    send(host, body, &signed).await?.expect(202)?;
    Ok(())
}

/// Waits until all events were worked on.
async fn heard(host: &HostProcess) -> Result<()> {
    let admin = host.admin()?;
    let is_empty = |answer: &Answer| {
        let queue = answer.json().unwrap_or_default();
        queue["messages"] == 0 && queue["subscribers"][0]["service"] == "payment"
    };
    answered(async || admin.get(EVENTS).await, is_empty).await?;
    Ok(())
}

async fn state(shop: &Shop, order: &str) -> Result<Value> {
    Ok(payment(shop, order).await?.expect(200)?.json()?["state"].clone())
}

#[tokio::test]
async fn a_payment_goes_its_way() -> Result<()> {
    let shop = paying(|text| text).await?;
    let host = &shop.host;
    let authorized = authorize(host, "o-1", "tok_ok")
        .await?
        .expect(200)?
        .json()?;
    ensure!(authorized["state"] == "authorized", "{authorized}");
    let again = authorize(host, "o-1", "tok_ok")
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(again, authorized);
    let early = json!({ "refund_id": "r-1", "amount": euros(1) });
    let problem = step(host, "o-1", "refund", &early).await?.problem(409)?;
    let told = "is AUTHORIZED: it can't become PARTIALLY_REFUNDED";
    ensure!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| text.contains(told)),
        "{problem}"
    );
    let captured = step(host, "o-1", "capture", &Value::Null)
        .await?
        .expect(200)?;
    assert_eq!(captured.json()?["state"], "captured");
    let void = json!("changed my mind");
    step(host, "o-1", "void", &void).await?.problem(409)?;
    let refund = async |id: &str, minor| {
        let body = json!({ "refund_id": id, "amount": euros(minor) });
        step(host, "o-1", "refund", &body).await
    };
    refund("r-1", 999).await?.expect(200)?;
    refund("r-2", 2).await?.problem(409)?;
    let refunded = refund("r-3", 1).await?.expect(200)?.json()?;
    ensure!(refunded["state"] == "refunded", "{refunded}");
    assert_eq!(refunded["refunded"], euros(1000));
    let read = payment(&shop, "o-1").await?.expect(200)?;
    assert_eq!(read.json()?, refunded);
    assert_eq!(read.header("etag")?, format!("\"{}\"", refunded["version"]));

    let failed = authorize(host, "o-2", "tok_declined")
        .await?
        .expect(200)?
        .json()?;
    ensure!(
        failed["state"] == "failed" && failed["reason"].is_string(),
        "{failed}"
    );
    let voided = step(host, "o-3", "void", &void)
        .await?
        .expect(200)?
        .json()?;
    ensure!(voided["state"] == "voided", "{voided}");
    authorize(host, "o-3", "tok_ok").await?.problem(409)?;
    authorize(host, "o-4", "tok_visa").await?.problem(422)?;
    Ok(())
}

#[tokio::test]
async fn payments_are_for_who_may_read_them() -> Result<()> {
    let shop = shop().await?;
    shop.host.get("/payments/o-1").await?.problem(401)?;
    shop.ann().get("/payments/o-1").await?.problem(403)?;
    payment(&shop, "o-1").await?.problem(404)?;
    Ok(())
}

#[tokio::test]
async fn a_flaky_provider_is_asked_again() -> Result<()> {
    let shop = paying(|text| text).await?;
    // As many tries as the sandbox says: 1 + 97 % 3.
    for _ in 0..2 {
        authorize(&shop.host, "a", "tok_flaky")
            .await?
            .problem(503)?;
    }
    let authorized = authorize(&shop.host, "a", "tok_flaky").await?.expect(200)?;
    assert_eq!(authorized.json()?["state"], "authorized");
    Ok(())
}

/// The host stops the call that waits; the money is set aside all the same.
#[tokio::test]
async fn a_slow_answer_outlives_its_call() -> Result<()> {
    let hasty = |text: String| {
        let (before, own) = text.split_once("[service.payment]").unwrap_or_default();
        let own = own.replace("deadline = \"7s\"", "deadline = \"2s\"");
        format!("{before}[service.payment]{own}").replace("\"10000\"", "\"60000\"")
    };
    let shop = paying(hasty).await?;
    let host = &shop.host;
    for order in ["o-1", "o-2"] {
        authorize(host, order, "tok_slow").await?.problem(504)?;
        payment(&shop, order).await?.problem(404)?;
    }
    let authorized = authorize(host, "o-1", "tok_slow").await?.expect(200)?;
    assert_eq!(authorized.json()?["state"], "authorized");
    tell(host, &event("evt_1", "authorized", "o-2", now())).await?;
    heard(host).await?;
    assert_eq!(state(&shop, "o-2").await?, "authorized");
    Ok(())
}

#[tokio::test]
async fn a_webhook_is_believed_by_its_signature() -> Result<()> {
    let shop = paying(|text| text).await?;
    let host = &shop.host;
    authorize(host, "o-1", "tok_requires_action")
        .await?
        .expect(200)?;
    let body = event("evt_1", "authorized", "o-1", now());
    let old = signature(SECRET, now() - 400, &body);
    let guessed = signature("guessed", now(), &body);
    let other = signature(SECRET, now(), &body.replace("o-1", "o-2"));
    for wrong in [&old, &guessed, &other, "t=1"] {
        send(host, &body, wrong).await?.expect(202)?;
    }
    heard(host).await?;
    assert_eq!(state(&shop, "o-1").await?, "requires_action");
    let without = Request::post("/webhooks/payments").body(full(body.clone()))?;
    let problem = Client::http1(host.http).send(without).await?.problem(400)?;
    assert_eq!(problem["code"], "bad_header");

    // While a secret is changed, its provider signs with both.
    let signed = signature(SECRET, now(), &body);
    let both = format!(
        "{signed},{}",
        &guessed[guessed.find("v1").unwrap_or_default()..]
    );
    send(host, &body, &both).await?.expect(202)?;
    heard(host).await?;
    assert_eq!(state(&shop, "o-1").await?, "authorized");
    Ok(())
}

#[tokio::test]
async fn events_come_twice_out_of_order_and_too_early() -> Result<()> {
    let shop = paying(|text| text).await?;
    let host = &shop.host;
    let before = now();
    let captured = event("evt_2", "captured", "o-1", before + 1);
    let authorized = event("evt_1", "authorized", "o-1", before);
    for body in [&captured, &captured, &authorized] {
        tell(host, body).await?;
        heard(host).await?;
    }
    let payment = payment(&shop, "o-1").await?.expect(200)?.json()?;
    ensure!(
        payment["state"] == "captured" && payment["version"] == 1,
        "{payment}"
    );
    let again = authorize(host, "o-1", "tok_ok")
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(again, payment);
    Ok(())
}

/// What got its 202 is heard, whatever becomes of the host.
#[tokio::test]
async fn an_event_that_was_taken_survives_a_crash() -> Result<()> {
    let mut shop = paying(|text| text).await?;
    authorize(&shop.host, "o-1", "tok_requires_action")
        .await?
        .expect(200)?;
    for queue in ["shop:payment/events", "shop:payment/payment-changes"] {
        shop.host.cli(&["queue", "pause", queue]).await?.expect(0)?;
    }
    tell(&shop.host, &event("evt_1", "authorized", "o-1", now())).await?;
    shop.host.kill_9().await?;
    shop = shop.restart().await?;
    assert_eq!(state(&shop, "o-1").await?, "requires_action");
    let resume = ["queue", "resume", "shop:payment/events"];
    shop.host.cli(&resume).await?.expect(0)?;
    heard(&shop.host).await?;
    assert_eq!(state(&shop, "o-1").await?, "authorized");
    // Whoever wants to know is told in the same step.
    let told = shop.host.admin()?.get(CHANGES).await?.expect(200)?.json()?;
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told[0]["arguments"], json!({ "order_id": "o-1" }));
    Ok(())
}
