//! Services that take back their own answers.

use anyhow::{Result, ensure};
use serde_json::json;
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use super::text;
use crate::{guests, serving};

/// Two routes that keep answers, by a tag each, and one that purges.
fn keeper(name: &str) -> Service {
    let kept = |tag: &str| {
        let cache = json!({ "max_age": "1h", "stale_if_error": "1h", "tags": [tag] });
        json!({ "target": { "call": "test:cache/keeper.next" }, "access": "public", "cache": cache })
    };
    Service::new(name, guests::PURGING)
        .set("pool.max", json!(1))
        .route(&format!("GET /{name}/list"), kept("lists"))
        .route(&format!("GET /{name}/item"), kept("items"))
        .call(&format!("POST /{name}/purge"), "test:cache/keeper.purge")
}

async fn purge(host: &HostProcess, tags: &[&str]) -> Result<()> {
    host.post("/one/purge", &json!(tags)).await?.expect(204)?;
    Ok(())
}

#[tokio::test]
async fn a_service_purges_its_own_answers_by_tag() -> Result<()> {
    let host = serving(&[keeper("one"), keeper("two")]).await?;
    let all = async || -> Result<Vec<String>> {
        let mut all = Vec::new();
        for path in ["/one/list", "/one/item", "/two/list"] {
            all.push(text(&host, path, &[]).await?);
        }
        Ok(all)
    };
    let first = all().await?;
    assert_eq!(all().await?, first);
    purge(&host, &["lists"]).await?;
    let then = all().await?;
    assert_ne!(then[0], first[0]);
    assert_eq!(then[1..], first[1..]);
    assert_eq!(all().await?, then, "it is kept again");
    purge(&host, &["items", "lists"]).await?;
    let last = all().await?;
    ensure!(last[0] != then[0] && last[1] != then[1] && last[2] == then[2]);
    Ok(())
}

#[tokio::test]
async fn a_tag_that_no_route_has_is_told_in_the_log() -> Result<()> {
    let host = serving(&[keeper("one")]).await?;
    let first = text(&host, "/one/list", &[]).await?;
    purge(&host, &["list"]).await?;
    assert_eq!(text(&host, "/one/list", &[]).await?, first);
    let told = "which none of its routes has";
    let line = host.output().wait_for(|line| line.contains(told)).await?;
    ensure!(
        line.contains("one purges the tags") && line.contains("list"),
        "{line}"
    );
    Ok(())
}
