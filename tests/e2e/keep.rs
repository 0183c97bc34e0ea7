//! What is over is kept for a while and not for ever.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::json;
use stoa_tests::client::PATIENCE;
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::time::timeout;

use crate::{hello, host, host_with};

/// Few revisions, and for no longer than a deployment may take where cores are few.
const KEEP: &str = "[keep]\nrevisions = 2\nuploads = \"15s\"\n";

/// The same component with other bytes: a custom section that says its number.
fn nth(number: u8) -> Service {
    let mut service = hello();
    let section = [0, 3, 1, b'n', number];
    service.component.extend(section);
    service
}

/// Names of the files in a folder of the host's data.
fn files(host: &HostProcess, folder: &str) -> Result<BTreeSet<String>> {
    let folder = host.data().join(folder);
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Waits until a folder has so many files.
async fn files_left(host: &HostProcess, folder: &str, count: usize) -> Result<BTreeSet<String>> {
    let seen = async {
        loop {
            let found = files(host, folder)?;
            if found.len() == count {
                return anyhow::Ok(found);
            }
            // Something else happens meanwhile: the host answers.
            host.admin()?.metrics().await?;
        }
    };
    let seen = timeout(PATIENCE, seen).await;
    seen.with_context(|| format!("{folder} has {:?}", files(host, folder)))?
}

/// The lines of the metrics that name a service.
async fn series(host: &HostProcess, service: &str) -> Result<usize> {
    let metrics = host.admin()?.metrics().await?;
    let label = format!("service=\"{service}\"");
    Ok(metrics.lines().filter(|line| line.contains(&label)).count())
}

#[tokio::test]
async fn old_revisions_go_with_their_components_code_and_measurements() -> Result<()> {
    let host = host_with(KEEP).await?;
    let admin = host.admin()?;
    let mut measured = Vec::new();
    for number in 1..=20 {
        admin.deploy_one(&nth(number)).await?;
        host.get("/ping").await?.expect(200)?;
        if number == 6 || number == 20 {
            measured.push(series(&host, "hello").await?);
        }
    }
    assert_eq!(measured[0], measured[1], "measurements of those in use");
    let revisions = admin.get("/v1/services/hello/revisions").await?;
    let revisions = revisions.expect(200)?.json()?;
    let numbers = revisions.as_array().context("a list")?.iter();
    let numbers: Vec<_> = numbers.map(|one| one["revision"].as_u64()).collect();
    assert_eq!(numbers, [20, 19, 18, 17].map(Some), "live, before, and two");

    // One that nobody deploys goes, too.
    let unused = admin.upload(&nth(99).component).await?;
    files_left(&host, "components", 4).await?;
    assert!(!Path::new(&host.data().join("components").join(unused)).exists());
    files_left(&host, "compiled", 4 + 1).await?;
    let metrics = admin.metrics().await?;
    for of in ["components", "compiled", "state"] {
        let label = format!("stoa_disk_bytes{{of=\"{of}\"}}");
        assert!(metrics.contains(&label), "{metrics}");
    }

    let gone = host.cli(&["rollback", "hello", "--to", "3"]).await?;
    let told = format!("{gone:?}");
    assert!(told.contains("no revision 3 any more"), "{told}");
    assert!(told.contains("it has 17, 18, 19, 20"), "{told}");
    host.cli(&["rollback", "hello", "--to", "17"])
        .await?
        .expect(0)?;
    host.get("/ping").await?.expect(200)?;
    let host = host.crash_and_restart().await?;
    host.get("/ping").await?.expect(200)?;
    assert_eq!(host.admin()?.live("hello").await?, [(17, 100)].into());
    Ok(())
}

#[tokio::test]
async fn what_is_undeployed_leaves_no_measurements() -> Result<()> {
    let host = host().await?;
    host.admin()?.deploy_one(&hello()).await?;
    host.get("/ping").await?.expect(200)?;
    assert_ne!(series(&host, "hello").await?, 0);
    host.cli(&["undeploy", "hello"]).await?.expect(0)?;
    let seen = async {
        while series(&host, "hello").await? > 0 {}
        anyhow::Ok(())
    };
    timeout(PATIENCE, seen).await.context("some stay")??;
    Ok(())
}

#[tokio::test]
async fn what_is_refused_leaves_no_measurements() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    for name in ["one", "two"] {
        let refused = hello()
            .named(name)
            .call("GET /gone", "test:hello/greeter.gone");
        admin.refused(&refused).await?;
        assert_eq!(series(&host, name).await?, 0, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn an_upstream_that_is_declared_anew_has_one_set_of_measurements() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = host().await?;
    let admin = host.admin()?;
    let mut measured = Vec::new();
    for connections in 1..=5 {
        let settings = json!({
            "targets": [origin.url()],
            "routes": [{ "path": "/legacy/*", "target": "http", "access": "public" }],
            "limits": { "connections": connections },
        });
        let declared = admin.json(Method::PUT, "/v1/upstreams/legacy", &settings);
        declared.await?.expect(200)?;
        host.get("/legacy/x").await?.expect(200)?;
        measured.push(series(&host, "legacy").await?);
    }
    assert_eq!(measured[0], measured[4], "{measured:?}");
    Ok(())
}

#[tokio::test]
async fn answers_for_idempotency_keys_have_a_room() -> Result<()> {
    let host = host_with("[keep]\nanswers = \"1MiB\"\nuploads = \"1s\"\n").await?;
    let large = "x".repeat(100_000);
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let route = json!({ "path": "/legacy/*", "method": "POST", "target": "http", "access": "public",
        "idempotency": { "key": "required" } });
    let settings = json!({ "targets": [origin.url()], "routes": [route] });
    let admin = host.admin()?;
    let declared = admin.json(Method::PUT, "/v1/upstreams/legacy", &settings);
    declared.await?.expect(200)?;
    let ask = async |key: usize| {
        let request = http::Request::post("/legacy/x")
            .header("idempotency-key", format!("key-{key}"))
            .body(stoa_tests::client::full(large.clone()))?;
        let mut client = stoa_tests::client::Client::http1(host.http);
        client.send(request).await?.expect(200)
    };
    for key in 0..20 {
        ask(key).await?;
    }
    let evicted = "stoa_idempotency_total{result=\"evicted\"} ";
    let seen = async {
        while !admin.metrics().await?.contains(evicted) {}
        anyhow::Ok(())
    };
    timeout(PATIENCE, seen).await.context("all are kept")??;
    let before = origin.requests();
    let last = ask(19).await?;
    assert_eq!(last.header("idempotency-replayed")?, "true");
    assert_eq!(origin.requests(), before);
    ask(0).await?;
    assert_eq!(origin.requests(), before + 1, "the first went first");
    Ok(())
}
