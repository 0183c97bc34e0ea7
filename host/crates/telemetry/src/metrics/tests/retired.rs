//! What is left of revisions and links that are gone.

use super::*;

#[test]
fn a_thousand_retired_revisions_leave_nothing() {
    let metrics = Metrics::new();
    record_all(&metrics);
    let before = metrics.encode().lines().count();
    for revision in 100..1100 {
        let route = metrics.route("/products/{id}", "product", revision);
        route.observe("GET", 200, Duration::ZERO);
        metrics
            .pool("product", revision)
            .queue_wait
            .observe(Duration::ZERO);
        let function = format!("shop:product/inventory.f{revision}");
        let call = metrics.call("order", "product", &function);
        call.observe(Duration::ZERO);
        drop(call);
        metrics.forget_revision("product", revision);
        // A request of the retired revision that ends late shows up nowhere.
        route.observe("GET", 500, Duration::ZERO);
    }
    // The link and the retries that `record_all` used are held by nobody either.
    let link = 3 + buckets::CALL.len();
    let retries = 3;
    assert_eq!(metrics.encode().lines().count(), before - link - retries);
    let scrape = Scrape::of(&metrics);
    let all: Vec<_> = scrape
        .all("http_server_request_duration_seconds_count", &[])
        .collect();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].labels["revision"], "3");
}

#[test]
fn a_link_in_use_outlives_a_revision() {
    let metrics = Metrics::new();
    let used = metrics.call("order", "product", "shop:product/products.get");
    used.observe(Duration::ZERO);
    metrics
        .call("cart", "payment", "shop:payment/cards.charge")
        .observe(Duration::ZERO);
    metrics.forget_revision("order", 1);
    let count = |metrics: &Metrics| {
        Scrape::of(metrics)
            .all("stoa_call_duration_seconds_count", &[])
            .count()
    };
    assert_eq!(count(&metrics), 2);
    drop(used);
    metrics.forget_revision("order", 2);
    assert_eq!(count(&metrics), 1);
}
