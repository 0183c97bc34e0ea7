//! Money and stock go together, whatever becomes of the payment provider and of the host.

use anyhow::{Context as _, Result, ensure};
use futures::future::join_all;
use serde_json::{Value, json};
use stoa_tests::client::{Client, PATIENCE};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::endings::{nothing_left, soon};
use super::{Shop, order, orders, shop_with, stock, stocked, token};

/// Clients that order at the same time.
const CLIENTS: usize = 32;
/// How they pay: some get no answer at first, some none of the time.
const TOKENS: [&str; 4] = ["tok_ok", "tok_flaky", "tok_ok", "tok_declined"];
const SKUS: [&str; 2] = ["CUP-1", "CUP-2"];

/// Places orders until the host is gone, or there were enough.
async fn buy(mut client: Client, number: usize, most: usize, told: watch::Sender<usize>) {
    for turn in 0..most {
        let mut wanted = order(SKUS[(number + turn) % SKUS.len()], 1);
        wanted["payment"] = json!(TOKENS[(number + turn) % TOKENS.len()]);
        if client.post("/orders", &wanted).await.is_err() {
            return;
        }
        told.send_modify(|count| *count += 1);
    }
}

/// Fails unless each order has both or neither: its stock and its money, once.
async fn expect_even(shop: &Shop) -> Result<(usize, usize)> {
    nothing_left(shop).await?;
    let clerk = token(&shop.host, "clerk", &["payments:read"]).await?;
    let (mut confirmed, mut cancelled, mut sold) = (0, 0, 0);
    let all = orders(shop).await?;
    let payments = join_all(all.iter().map(|order| async {
        let id = order["id"].as_str().unwrap_or_default();
        let mut client = Client::http1(shop.host.http).bearer(&clerk);
        client.get(&format!("/payments/{id}")).await
    }));
    for (order, payment) in all.iter().zip(payments.await) {
        let payment = payment?;
        let payment: Value = match payment.status.as_u16() {
            404 => Value::Null,
            _ => payment.expect(200)?.json()?,
        };
        let state = payment["state"].as_str();
        match order["state"].as_str().context("an order has a state")? {
            "confirmed" => {
                confirmed += 1;
                sold += 1;
                let paid = state == Some("authorized") && payment["amount"] == order["total"];
                ensure!(paid, "{order} is paid by {payment}");
            }
            "cancelled" => {
                cancelled += 1;
                let unpaid = matches!(state, None | Some("failed" | "voided"));
                ensure!(unpaid, "{order} is paid by {payment}");
            }
            other => anyhow::bail!("an order is {other}: {order}"),
        }
    }
    let mut reserved = 0;
    for sku in SKUS {
        reserved += stock(shop, sku).await?.1;
    }
    ensure!(reserved == sold, "{reserved} reserved, {sold} sold");
    Ok((confirmed, cancelled))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_charged_once_by_a_provider_that_often_does_not_answer() -> Result<()> {
    let shop = shop_with(soon).await?;
    for sku in SKUS {
        stocked(&shop, sku, 1000).await?;
    }
    let told = watch::Sender::new(0);
    join_all((0..CLIENTS).map(|number| buy(shop.ann(), number, 8, told.clone()))).await;
    let (confirmed, cancelled) = expect_even(&shop).await?;
    ensure!(
        confirmed == CLIENTS * 6 && cancelled == CLIENTS * 2,
        "{confirmed}, {cancelled}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_and_stock_go_together_over_a_crash() -> Result<()> {
    const ROUNDS: usize = 3;
    let mut shop = shop_with(soon).await?;
    for sku in SKUS {
        stocked(&shop, sku, 1_000_000).await?;
    }
    for round in 0..ROUNDS {
        let told = watch::Sender::new(0);
        let mut buyers = JoinSet::new();
        for number in 0..8 {
            buyers.spawn(buy(shop.ann(), number, usize::MAX, told.clone()));
        }
        let enough = 10 + 7 * round;
        timeout(
            PATIENCE,
            told.subscribe().wait_for(|count| *count >= enough),
        )
        .await??;
        shop.host.kill_9().await?;
        while buyers.join_next().await.is_some() {}
        shop = shop.restart().await?;
        let (confirmed, _) = expect_even(&shop).await?;
        ensure!(confirmed > 0, "round {round}");
    }
    Ok(())
}
