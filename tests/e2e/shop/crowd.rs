//! Many customers at once: the last units of a SKU, and services that are swapped.

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use http::Method;
use stoa_tests::client::json_request;

use super::{manifest, order, orders, shop, stock, stocked};

/// Many clients, few units: exactly that many orders succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_units_are_sold_once() -> Result<()> {
    const CLIENTS: usize = 40;
    const UNITS: usize = 7;
    let shop = shop().await?;
    stocked(&shop, "LAST", UNITS as u64).await?;
    let answers = try_join_all(
        (0..CLIENTS).map(|_| async { shop.ann().post("/orders", &order("LAST", 1)).await }),
    )
    .await?;
    let count = |status: u16| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    let shown = || {
        answers
            .iter()
            .map(|answer| answer.status.as_u16())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (count(201), count(409)),
        (UNITS, CLIENTS - UNITS),
        "{:?}",
        shown()
    );
    assert_eq!(stock(&shop, "LAST").await?, (UNITS as u64, UNITS as u64));
    let confirmed = orders(&shop)
        .await?
        .iter()
        .filter(|order| order["state"] == "confirmed")
        .count();
    assert_eq!(confirmed, UNITS);
    Ok(())
}

/// The shop goes on selling while its services are swapped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_go_on_while_services_are_swapped() -> Result<()> {
    let shop = shop().await?;
    stocked(&shop, "SWAP", 1_000_000).await?;
    let authorization: http::HeaderValue = format!("Bearer {}", shop.ann).parse()?;
    let plan = stoa_tests::load::Plan {
        address: shop.host.http,
        connections: 8,
        protocol: stoa_tests::client::Protocol::Http1,
        request: std::sync::Arc::new(move |_| {
            let mut request = json_request(Method::POST, "/orders", &order("SWAP", 1))
                .expect("the path is valid");
            let headers = request.headers_mut();
            headers.insert("authorization", authorization.clone());
            request
        }),
    };
    let load = stoa_tests::load::Load::start(&plan);
    let manifest = manifest(|text| text)?;
    let directory = manifest
        .path()
        .to_str()
        .context("a path of the test is UTF-8")?;
    for _ in 0..5 {
        load.more(20).await?;
        shop.host.cli(&["deploy", directory]).await?.expect(0)?;
    }
    load.more(20).await?;
    let report = load.stop().await?.expect_all(201)?;
    assert_eq!(stock(&shop, "SWAP").await?, (1_000_000, report.answers));
    Ok(())
}
