//! A host that comes back: what was deployed is live again, from cached code.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use stoa_store::Store;

use crate::crash::state;
use crate::{hello, host, serving};

#[tokio::test]
async fn a_restart_brings_everything_back_without_compiling() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    admin.deploy_all(&[state(), hello()]).await?;
    admin
        .deploy_one(&hello().set("config.colour", json!("blue")))
        .await?;
    admin
        .json(
            Method::PUT,
            "/v1/services/hello/scale",
            &json!({ "min": 2, "max": 5 }),
        )
        .await?
        .expect(200)?;
    stoa_tests::client::post(host.http, "/increments/shared", &Value::Null)
        .await?
        .expect(200)?;
    let routes = admin.get("/v1/routes").await?.json()?;

    let host = host.crash_and_restart().await?;
    let admin = host.admin()?;
    assert_eq!(admin.get("/v1/routes").await?.json()?, routes);
    assert_eq!(admin.live("hello").await?, [(2, 100)].into());
    let pool = admin.pool("hello").await?;
    assert_eq!(
        (&pool["min"], &pool["max"]),
        (&json!(2), &json!(5)),
        "{pool}"
    );
    assert_eq!(host.get("/ping").await?.expect(200)?.json()?, json!("pong"));
    let next = stoa_tests::client::post(host.http, "/increments/shared", &Value::Null)
        .await?
        .expect(200)?;
    assert_eq!(next.json()?, json!(2));
    // The revision before is still there to go back to.
    admin.traffic("hello", &json!({ "rollback": {} })).await?;
    assert_eq!(admin.live("hello").await?, [(1, 100)].into());
    // The number of the next one goes on.
    assert_eq!(admin.deploy_one(&hello()).await?, 3);
    let metrics = admin.metrics().await?;
    let compiled = metrics.lines().filter(|line| {
        line.starts_with("stoa_deploy_step_seconds_count") && line.contains("\"compile\"")
    });
    assert!(compiled.count() <= 1, "{metrics}");
    Ok(())
}

/// Native code is loaded only if it is what the host wrote.
#[tokio::test]
async fn damaged_native_code_is_compiled_again() -> Result<()> {
    let mut host = serving(&[hello()]).await?;
    for damage in [
        Damage::Flip,
        Damage::Truncate,
        Damage::Empty,
        Damage::Garbage,
    ] {
        host.kill_9().await?;
        let damaged = damage_all(&host.data().join("compiled"), damage)?;
        ensure!(
            damaged > 0,
            "expected cached code under {}",
            host.data().display()
        );
        host = host.restart().await?;
        assert_eq!(
            host.get("/ping").await?.expect(200)?.json()?,
            json!("pong"),
            "{damage:?}"
        );
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Flip,
    Truncate,
    Empty,
    Garbage,
}

/// Damages every file below a directory; how many.
fn damage_all(directory: &Path, damage: Damage) -> Result<u64> {
    let mut count = 0;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            count += damage_all(&path, damage)?;
            continue;
        }
        let mut bytes = std::fs::read(&path)?;
        let middle = bytes.len() / 2;
        match damage {
            Damage::Flip => bytes[middle] ^= 0x40,
            Damage::Truncate => bytes.truncate(middle),
            Damage::Empty => bytes.clear(),
            Damage::Garbage => bytes.fill(0xC3),
        }
        std::fs::write(&path, bytes)?;
        count += 1;
    }
    Ok(count)
}

/// Older hosts took settings that a deployment refuses now. Nobody asked for a change:
/// what they stored is served on, and told.
#[tokio::test]
async fn settings_of_an_older_host_are_served_and_told() -> Result<()> {
    let mut host = serving(&[hello()]).await?;
    host.kill_9().await?;
    let store = Store::open(&host.data())?;
    let records = store.records();
    let mut record = records
        .get("service", "hello")
        .await?
        .context("no record")?;
    let odd = json!({
        "method": "*",
        "path": "/odd",
        "target": { "call": "test:hello/greeter.ping" },
        "cache": { "max_age": "1s", "vary": ["*"] },
    });
    let routes = record["revisions"][0]["settings"]["routes"].as_array_mut();
    routes.context("no routes")?.push(odd);
    records.put("service", "hello", record).await?;
    drop((records, store));

    let host = host.restart().await?;
    host.get("/ping").await?.expect(200)?;
    let told = host.output();
    told.wait_for(|line| line.contains("expected a method") && line.contains("older host"))
        .await?;
    host.admin()?.deploy_one(&hello()).await?;
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

/// The others serve; the host says that it is not ready, which this restart takes for a
/// failure.
#[tokio::test]
async fn a_host_starts_without_a_service_of_which_nothing_can_be_loaded() -> Result<()> {
    let mut host = serving(&[hello()]).await?;
    host.kill_9().await?;
    std::fs::remove_dir_all(host.data().join("components"))?;
    let told = host.restart().await.err().context("it is not ready")?;
    let told = format!("{told:#}");
    ensure!(told.contains("could not be loaded"), "{told}");
    Ok(())
}
