//! The response cache: what is stored, and who gets it.

mod conditions;
mod filling;
mod lifetime;
mod purging;

use anyhow::{Result, ensure};
use http::Request;
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client, empty};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, serving};

/// `GET /count/{key}` counts its runs, and fails while the key holds no number;
/// `/counted` counts its runs by `wasi:http`.
fn services(cache: Value) -> [Service; 2] {
    let route = |target: Value| json!({ "target": target, "access": "public", "cache": cache });
    let state = Service::new("state", guests::STATE)
        .route(
            "GET /count/{key}",
            route(json!({ "call": "test:state/counter.increment" })),
        )
        .call("PUT /keys/{key}", "test:state/counter.set");
    let counted = Service::new("counted", guests::COUNTED_P2)
        .set("pool.max", json!(1))
        .route("GET /counted", route(json!("http")))
        .http("/counted/*");
    [state, counted]
}

async fn get(host: &HostProcess, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Client::http1(host.http).send(request.body(empty())?).await
}

async fn text(host: &HostProcess, path: &str, headers: &[(&str, &str)]) -> Result<String> {
    Ok(get(host, path, headers).await?.expect(200)?.text())
}

#[tokio::test]
async fn what_a_service_says_of_age_and_sharing_is_heard() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let path = "/counted?age=20";
    let first = text(&host, path, &[]).await?;
    let again = get(&host, path, &[]).await?.expect(200)?;
    assert_eq!(again.text(), first);
    ensure!(again.header("age")?.parse::<u64>()? >= 20);
    let status = again.header("cache-status")?;
    let left = status.strip_prefix("stoa; hit; ttl=").unwrap_or_default();
    ensure!(left.parse::<u64>()? <= 3580, "{status}");
    // The route says how long, and its service that it is for all.
    let credentials = [("authorization", "Basic eDp5")];
    let path = "/counted?cache-control=public";
    let first = get(&host, path, &credentials).await?;
    let said: Vec<_> = first.headers.get_all("cache-control").iter().collect();
    assert_eq!(said, ["public", "max-age=3600"]);
    assert_eq!(text(&host, path, &[]).await?, first.text());
    Ok(())
}

#[tokio::test]
async fn fresh_answers_come_from_memory() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    for path in ["/count/a", "/counted?x=1"] {
        let first = get(&host, path, &[]).await?.expect(200)?;
        assert_eq!(first.header("cache-status")?, "stoa; fwd=uri-miss; stored");
        assert_eq!(first.header("cache-control")?, "public, max-age=3600");
        let again = get(&host, path, &[]).await?.expect(200)?;
        assert_eq!(again.body, first.body);
        ensure!(again.header("cache-status")?.starts_with("stoa; hit; ttl="));
        ensure!(again.header("age")?.parse::<u64>()? < 60);
        let head = Request::head(path).body(empty())?;
        let head = Client::http1(host.http).send(head).await?;
        ensure!(head.header("cache-status")?.starts_with("stoa; hit"));
    }
    let tag = get(&host, "/count/a", &[])
        .await?
        .header("etag")?
        .to_owned();
    let short = get(&host, "/count/a", &[("if-none-match", &tag)]).await?;
    assert_eq!(short.status, 304);
    ensure!(short.header("age").is_ok() && short.header("cache-control").is_ok());
    // The order of a query is the service's business.
    assert_ne!(
        text(&host, "/counted?x-a=1&x-b=2", &[]).await?,
        text(&host, "/counted?x-b=2&x-a=1", &[]).await?
    );
    let metrics = host.admin()?.metrics().await?;
    ensure!(
        metrics.contains("stoa_cache_requests_total{result=\"hit\"} 6"),
        "{metrics}"
    );
    ensure!(!metrics.contains("stoa_cache_bytes 0\n"), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn a_client_says_what_it_takes() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let missing = get(&host, "/count/a", &[("cache-control", "only-if-cached")]).await?;
    assert_eq!(missing.problem(504)?["code"], json!("not_cached"));
    let part = [("cache-control", "only-if-cached"), ("range", "bytes=0-0")];
    get(&host, "/count/a", &part).await?.problem(504)?;
    let with = |value| [("cache-control", value)];
    assert_eq!(text(&host, "/count/a", &with("no-store")).await?, "1");
    assert_eq!(text(&host, "/count/a", &[]).await?, "2");
    assert_eq!(text(&host, "/count/a", &with("only-if-cached")).await?, "2");
    assert_eq!(text(&host, "/count/a", &with("no-cache")).await?, "3");
    assert_eq!(text(&host, "/count/a", &[]).await?, "3");
    assert_eq!(text(&host, "/count/a", &with("min-fresh=4000")).await?, "4");
    assert_eq!(text(&host, "/count/a", &with("max-age=60")).await?, "4");
    Ok(())
}

#[tokio::test]
async fn answers_differ_by_the_headers_that_matter() -> Result<()> {
    let rule = json!({ "max_age": "1h", "vary": ["accept-language"] });
    let host = serving(&services(rule)).await?;
    let language = |value| [("accept-language", value)];
    // The route says so, or the service does.
    for path in ["/counted?x=1", "/counted?vary=X-Other,Accept-Language"] {
        let german = get(&host, path, &language("de")).await?.expect(200)?;
        ensure!(
            german
                .headers
                .get_all("vary")
                .iter()
                .any(|name| name == "accept-language")
        );
        let french = text(&host, path, &language("fr")).await?;
        ensure!(german.text().ends_with(" de") && french.ends_with(" fr"));
        assert_eq!(text(&host, path, &language("de")).await?, german.text());
        assert_eq!(text(&host, path, &language("fr")).await?, french);
    }
    let other = [("x-other", "1"), ("accept-language", "de")];
    let path = "/counted?vary=X-Other";
    let (plain, special) = (
        text(&host, path, &[]).await?,
        text(&host, path, &other).await?,
    );
    assert_ne!(plain, special);
    assert_eq!(text(&host, path, &[]).await?, plain);
    assert_eq!(text(&host, path, &other).await?, special);
    Ok(())
}

#[tokio::test]
async fn what_is_not_for_all_is_not_shared() -> Result<()> {
    let host = serving(&services(json!("1h"))).await?;
    let twice = async |path: &str, headers: &[(&str, &str)]| -> Result<bool> {
        let first = text(&host, path, headers).await?;
        Ok(text(&host, path, headers).await? == first)
    };
    for own in [
        "/counted?cache-control=private",
        "/counted?cache-control=no-store",
        "/counted?set-cookie=a",
        "/counted?vary=*",
    ] {
        ensure!(!twice(own, &[]).await?, "{own}");
    }
    ensure!(twice("/counted?x=1", &[]).await?);
    for credentials in [("authorization", "Basic eDp5"), ("cookie", "session=ann")] {
        let credentials = [credentials];
        ensure!(!twice("/counted?x=1", &credentials).await?);
        let mine = get(&host, "/counted?x=1", &credentials).await?;
        assert_eq!(mine.header("cache-control")?, "private, max-age=3600");
        ensure!(twice("/counted?cache-control=s-maxage=60", &credentials).await?);
        let strict = "/counted?cache-control=max-age=60,must-revalidate";
        ensure!(!twice(strict, &credentials).await?);
    }
    // A function does not see cookies.
    ensure!(twice("/count/a", &[("cookie", "session=ann")]).await?);
    // An error is not kept, unless the service says so.
    let first = get(&host, "/counted?status=404", &[]).await?.text();
    assert_ne!(get(&host, "/counted?status=404", &[]).await?.text(), first);
    let path = "/counted?status=404&cache-control=max-age=60";
    let first = get(&host, path, &[]).await?.text();
    assert_eq!(get(&host, path, &[]).await?.text(), first);
    Ok(())
}

#[tokio::test]
async fn who_names_cookies_keeps_them_apart() -> Result<()> {
    let rule = json!({ "max_age": "1h", "vary": ["cookie"] });
    let host = serving(&services(rule)).await?;
    let (ann, bob) = ([("cookie", "s=ann")], [("cookie", "s=bob")]);
    let first = text(&host, "/counted", &ann).await?;
    assert_ne!(text(&host, "/counted", &bob).await?, first);
    assert_eq!(text(&host, "/counted", &ann).await?, first);
    Ok(())
}
