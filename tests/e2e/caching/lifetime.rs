//! How long answers are kept: beyond their age, up to a purge, a new revision or the
//! bound of the memory.

use anyhow::{Result, ensure};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Client, empty, json_request};
use stoa_tests::service::Service;

use super::{get, services, text};
use crate::{guests, host_with, serving};

#[tokio::test]
async fn old_answers_cover_for_a_service_that_fails() -> Result<()> {
    let host = serving(&services(
        json!({ "max_age": "0s", "stale_if_error": "1h" }),
    ))
    .await?;
    assert_eq!(text(&host, "/count/a", &[]).await?, "1");
    assert_eq!(text(&host, "/count/a", &[]).await?, "2");
    Client::http1(host.http)
        .send(json_request(Method::PUT, "/keys/a", &json!("no number"))?)
        .await?
        .expect(204)?;
    let stale = get(&host, "/count/a", &[]).await?.expect(200)?;
    assert_eq!(stale.text(), "2");
    ensure!(stale.header("cache-status")?.contains("stale"));
    let head = Request::head("/count/a").body(empty())?;
    let head = Client::http1(host.http).send(head).await?.expect(200)?;
    ensure!(head.header("cache-status")?.contains("stale"));
    host.get("/counted").await?.expect(200)?;
    host.get("/counted/fail").await?.expect(200)?;
    assert_eq!(text(&host, "/counted", &[]).await?, "1 ");
    host.get("/counted/mend").await?.expect(200)?;
    assert_ne!(text(&host, "/counted", &[]).await?, "1 ");
    Ok(())
}

#[tokio::test]
async fn old_answers_are_renewed_in_the_background() -> Result<()> {
    let rule = json!({ "max_age": "0s", "stale_while_revalidate": "1h" });
    let host = serving(&services(rule)).await?;
    assert_eq!(text(&host, "/count/a", &[]).await?, "1");
    let stale = get(&host, "/count/a", &[]).await?.expect(200)?;
    assert_eq!(stale.text(), "1");
    ensure!(stale.header("cache-status")?.contains("stale"));
    loop {
        if text(&host, "/count/a", &[]).await? != "1" {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn a_new_revision_serves_its_own_answers() -> Result<()> {
    let version = |file| {
        let route = json!({ "target": { "call": "test:versioned/answers.version" }, "access": "public", "cache": "1h" });
        Service::new("provider", file).route("GET /version", route)
    };
    let host = serving(&[version(guests::PROVIDER_V1)]).await?;
    for _ in 0..2 {
        assert_eq!(text(&host, "/version", &[]).await?, "\"v1\"");
    }
    let admin = host.admin()?;
    admin.deploy_one(&version(guests::PROVIDER_V2)).await?;
    ensure!(admin.metrics().await?.contains("stoa_cache_bytes 0\n"));
    assert_eq!(text(&host, "/version", &[]).await?, "\"v2\"");
    host.cli(&["rollback", "provider"]).await?.expect(0)?;
    assert_eq!(text(&host, "/version", &[]).await?, "\"v1\"");
    Ok(())
}

#[tokio::test]
async fn answers_are_purged_by_service_and_tag() -> Result<()> {
    let host = serving(&services(json!({ "max_age": "1h", "tags": ["numbers"] }))).await?;
    let fill = async || -> Result<()> {
        for path in ["/count/a", "/count/b", "/counted?x=1"] {
            host.get(path).await?.expect(200)?;
        }
        Ok(())
    };
    for (arguments, expected) in [
        (&["cache", "purge", "state"][..], 2),
        (&["cache", "purge", "--tag", "numbers"], 3),
        (&["cache", "purge", "counted", "--tag", "numbers"], 1),
        (&["cache", "purge"], 3),
    ] {
        fill().await?;
        let mut arguments = arguments.to_vec();
        arguments.extend(["-o", "json"]);
        let ran = host.cli(&arguments).await?;
        let reply: Value = serde_json::from_str(ran.expect(0)?)?;
        assert_eq!(reply["purged"], json!(expected), "{arguments:?}");
    }
    let unknown = host.cli(&["cache", "purge", "--tag", "letters"]).await?;
    unknown.expect(1)?;
    assert_eq!(text(&host, "/count/a", &[]).await?, "4");
    Ok(())
}

#[tokio::test]
async fn a_cache_keeps_within_its_bytes() -> Result<()> {
    let host = host_with("[gateway]\ncache_bytes = \"1MiB\"\n").await?;
    host.admin()?.deploy_all(&services(json!("1h"))).await?;
    let used = async || -> Result<u64> {
        let metrics = host.admin()?.metrics().await?;
        let used = metrics
            .lines()
            .find_map(|line| line.strip_prefix("stoa_cache_bytes "));
        Ok(used.unwrap_or_default().parse()?)
    };
    for n in 0..20 {
        let path = format!("/counted?length=400000&x-n={n}");
        get(&host, &path, &[]).await?.expect(200)?;
        let used = used().await?;
        ensure!(used > 0 && used <= 1 << 20, "{used}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cache_without_memory_stores_nothing() -> Result<()> {
    let host = host_with("[gateway]\ncache_bytes = 0\n").await?;
    host.admin()?.deploy_all(&services(json!("1h"))).await?;
    assert_eq!(text(&host, "/count/a", &[]).await?, "1");
    assert_eq!(text(&host, "/count/a", &[]).await?, "2");
    Ok(())
}
