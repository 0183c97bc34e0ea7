//! Every order ends, whatever becomes of the calls that it needs and of the host.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::{Result, bail};
use futures::future::{join, try_join_all};
use stoa_tests::client::{Answer, Client, PATIENCE};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, interval, timeout};

use super::*;
use crate::answered;

const CLIENTS: usize = 200;
const ORDERS: usize = 4;
const READERS: usize = 16;
const SKUS: [&str; 4] = ["CUP-1", "CUP-2", "CUP-3", "CUP-4"];

/// Many clients place orders one after the other, while others read lists of
/// products. Counts those that were confirmed at once in `placed`.
async fn rush(shop: &Shop, placed: &watch::Sender<usize>) -> Result<()> {
    let reading = watch::Sender::new(true);
    let readers = try_join_all((0..READERS).map(|_| async {
        let mut client = Client::http1(shop.host.http);
        while *reading.borrow() {
            client.get("/catalog/eu/products?limit=20").await?;
        }
        anyhow::Ok(())
    }));
    let buyers = async {
        let all = try_join_all((0..CLIENTS).map(|n| async move {
            let mut client = shop.ann();
            for turn in 0..ORDERS {
                let sku = SKUS[(n + turn) % SKUS.len()];
                let answer = client.post("/orders", &order(sku, 1)).await?;
                match answer.status.as_u16() {
                    201 if answer.json()?["state"] == "confirmed" => {
                        placed.send_modify(|placed| *placed += 1);
                    }
                    // It goes on by itself; out of stock; not now.
                    201 | 409 | 503 => {}
                    other => bail!("an order got {other}"),
                }
            }
            Ok(())
        }));
        let all = all.await;
        reading.send_replace(false);
        all
    };
    let (read, bought) = join(readers, buyers).await;
    bought?;
    read.map(drop)
}

/// Fails unless every order comes to its end and exactly the confirmed ones have stock.
async fn expect_ended(shop: &Shop) -> Result<usize> {
    nothing_left(shop).await?;
    let (mut confirmed, mut sold) = (0, BTreeMap::<String, u64>::new());
    for order in orders(shop).await? {
        match order["state"].as_str() {
            Some("confirmed") => confirmed += 1,
            Some("cancelled") => continue,
            _ => bail!("an order did not end: {order}"),
        }
        for line in order["lines"].as_array().into_iter().flatten() {
            let sku = line["sku"].as_str().unwrap_or_default().to_owned();
            *sold.entry(sku).or_default() += line["quantity"].as_u64().unwrap_or_default();
        }
    }
    for sku in SKUS {
        let (_, reserved) = stock(shop, sku).await?;
        let sold = sold.remove(sku).unwrap_or_default();
        ensure!(reserved == sold, "{sku}: {reserved} reserved, {sold} sold");
    }
    Ok(confirmed)
}

/// What is left of an order goes on at once, for a test's sake.
pub(super) fn soon(text: String) -> String {
    text.replace(
        "delay = \"10s\"",
        "delay = \"100ms\", backoff = \"100ms\", backoff_max = \"1s\"",
    )
}

async fn stocked_shop(edit: impl Fn(String) -> String) -> Result<Shop> {
    let shop = shop_with(|text| edit(soon(text))).await?;
    for sku in SKUS {
        // Fewer than are wanted: some orders are refused.
        stocked(&shop, sku, 150).await?;
    }
    Ok(shop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_ends_under_load() -> Result<()> {
    let shop = stocked_shop(|text| text).await?;
    let placed = watch::Sender::new(0);
    rush(&shop, &placed).await?;
    let confirmed = expect_ended(&shop).await?;
    ensure!(confirmed > 0 && confirmed >= *placed.borrow());
    Ok(())
}

/// A product service that refuses most calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_ends_with_a_product_service_that_refuses() -> Result<()> {
    let pool = "\n[service.product.pool]\nmax = 1\nqueue = 1\n";
    let shop = stocked_shop(|text| text + pool).await?;
    let placed = watch::Sender::new(0);
    rush(&shop, &placed).await?;
    let confirmed = expect_ended(&shop).await?;
    ensure!(confirmed >= *placed.borrow());
    Ok(())
}

/// A link that is cut while orders are under way, and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_ends_when_its_link_is_cut() -> Result<()> {
    let shop = stocked_shop(|text| text).await?;
    let placed = watch::Sender::new(0);
    let cut = async {
        timeout(PATIENCE, placed.subscribe().wait_for(|placed| *placed > 20)).await??;
        let cut = ["breaker", "product", "open", "--link", "order"];
        shop.host.cli(&cut).await?.expect(0).map(drop)
    };
    let (rushed, cut) = join(rush(&shop, &placed), cut).await;
    rushed?;
    cut?;
    let mend = ["breaker", "product", "auto", "--link", "order"];
    shop.host.cli(&mend).await?.expect(0)?;
    ensure!(expect_ended(&shop).await? >= *placed.borrow());
    Ok(())
}

/// Places orders until the host is gone; the ids of those that were acknowledged.
async fn buy(mut client: Client, told: watch::Sender<u64>) -> Vec<String> {
    let mut ids = Vec::new();
    while let Ok(answer) = client.post("/orders", &order("CRASH", 1)).await {
        let Ok(placed) = answer.expect(201).and_then(|answer| answer.json()) else {
            break;
        };
        ids.push(placed["id"].as_str().unwrap_or_default().to_owned());
        told.send_modify(|count| *count += 1);
    }
    ids
}

/// `kill -9` while orders are placed: each acknowledged order is there and has
/// its stock, and nothing is sold that is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_orders_survive() -> Result<()> {
    const ROUNDS: u64 = 6;
    const UNITS: u64 = 1_000_000;
    let mut shop = shop().await?;
    stocked(&shop, "CRASH", UNITS).await?;
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let told = watch::Sender::new(0);
        let mut buyers = JoinSet::new();
        for _ in 0..4 {
            buyers.spawn(buy(shop.ann(), told.clone()));
        }
        let enough = 4 + 5 * round;
        timeout(
            PATIENCE,
            told.subscribe().wait_for(|count| *count >= enough),
        )
        .await??;
        shop.host.kill_9().await?;
        while let Some(ids) = buyers.join_next().await {
            acknowledged.extend(ids?);
        }
        shop = shop.restart().await?;

        let orders = orders(&shop).await?;
        let bought = |state: &str| {
            orders
                .iter()
                .filter(|order| order["state"] == state)
                .count() as u64
        };
        for id in &acknowledged {
            let found = orders.iter().find(|order| order["id"] == json!(id));
            let order = found.with_context(|| format!("round {round} lost the order {id}"))?;
            ensure!(order["state"] == "confirmed", "round {round}: {order}");
        }
        let (on_hand, reserved) = stock(&shop, "CRASH").await?;
        ensure!(on_hand == UNITS, "round {round}: {on_hand}");
        // Orders that were cut off between two steps were ended by listing them.
        let (confirmed, cancelled) = (bought("confirmed"), bought("cancelled"));
        ensure!(
            confirmed + cancelled == orders.len() as u64 && reserved == confirmed,
            "round {round}: {reserved} reserved for {confirmed} confirmed of {} orders",
            orders.len()
        );
    }
    Ok(())
}

/// Waits until the queue of orders has nothing left to do.
pub(super) async fn nothing_left(shop: &Shop) -> Result<()> {
    let admin = shop.host.admin()?;
    let is_empty = |answer: &Answer| {
        let queue = answer.json().unwrap_or_default();
        queue["messages"] == 0 && queue["subscribers"][0]["service"] == "order"
    };
    let ask = async || admin.get("/v1/queues/shop%3Aorder%2Fsaga").await;
    answered(ask, is_empty).await.map(drop)
}

/// What a crash cut off comes to its end though nobody asks for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_end_by_themselves_after_a_crash() -> Result<()> {
    const ROUNDS: u64 = 3;
    let mut shop = shop_with(soon).await?;
    stocked(&shop, "CRASH", 1_000_000).await?;
    for round in 0..ROUNDS {
        let told = watch::Sender::new(0);
        let mut buyers = JoinSet::new();
        for _ in 0..8 {
            buyers.spawn(buy(shop.ann(), told.clone()));
        }
        let enough = told.subscribe();
        timeout(PATIENCE, enough.clone().wait_for(|count| *count >= 10)).await??;
        shop.host.kill_9().await?;
        while buyers.join_next().await.is_some() {}
        shop = shop.restart().await?;
        nothing_left(&shop).await?;
        let ended = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let (mut confirmed, all) = (0, orders(&shop).await?);
        for order in &all {
            let changed = order["updated_at"].as_str().unwrap_or_default();
            ensure!(
                changed <= ended.as_str(),
                "it was ended by who read it: {order}"
            );
            confirmed += u64::from(order["state"] == "confirmed");
        }
        let (_, reserved) = stock(&shop, "CRASH").await?;
        ensure!(
            reserved == confirmed,
            "round {round}: {reserved} reserved for {confirmed} confirmed of {} orders",
            all.len()
        );
    }
    Ok(())
}

#[tokio::test]
async fn wrong_settings_are_refused() -> Result<()> {
    let shop = shop().await?;
    for (service, setting) in [
        ("product", "reservation_ttl=abc"),
        ("product", "reservation_ttl=0"),
        ("product", "reservation_tl=60"),
        ("order", "reservation_ttl=60"),
        ("catalog", "region.us={\"currency\": \"ZZZ\"}"),
        ("payment", "slow_answer_ms=-1"),
        ("shipping", "zones=[{\"countries\": [\"ZZ\"]}]"),
    ] {
        let refused = shop.host.cli(&["config", service, "set", setting]).await?;
        refused.expect(1)?;
    }
    stocked(&shop, "CUP-1", 1).await?;
    shop.ann()
        .post("/orders", &order("CUP-1", 1))
        .await?
        .expect(201)?;
    Ok(())
}

/// What an order held when the host died is free after its time, for everybody and
/// without anybody who orders.
#[tokio::test]
async fn lapsed_holds_are_free_after_a_crash() -> Result<()> {
    let hold =
        "\"POST /holds\" = { call = \"shop:product/inventory.reserve\", access = \"public\" }";
    let routes = "[service.product.routes]\n";
    let mut shop = shop_with(|text| text.replace(routes, &format!("{routes}{hold}\n"))).await?;
    let ttl = ["config", "product", "set", "reservation_ttl=2"];
    shop.host.cli(&ttl).await?.expect(0)?;
    stocked(&shop, "CUP-1", 1).await?;
    let wanted = json!({ "order_id": "lost", "lines": [{ "sku": "CUP-1", "quantity": 1 }] });
    let mut client = Client::http1(shop.host.http);
    let held = client.post("/holds", &wanted).await?.expect(200)?.json()?;
    ensure!(held["state"] == "held", "{held}");
    shop.host.kill_9().await?;
    shop = shop.restart().await?;

    let (begun, mut turns) = (Instant::now(), interval(Duration::from_millis(50)));
    while stock(&shop, "CUP-1").await? != (1, 0) {
        ensure!(begun.elapsed() < PATIENCE, "the stock stays held");
        turns.tick().await;
    }
    let path = "/catalog/eu/products?in_stock=true";
    let free = |found: &Value| found["items"][0]["in_stock"] == true;
    catalog::shown(&shop.host, path, free).await?;
    Ok(())
}
