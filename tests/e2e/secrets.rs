//! Secrets: sealed at rest, readable by grant alone, and nowhere else.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Client, empty, full};
use stoa_tests::process::{HostOptions, HostProcess};
use stoa_tests::service::Service;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::{STOA, guests, host, host_with, rejections, serving};

/// So that it is found wherever it leaks to.
const VALUE: &str = "sk_live_51HxQ9zKtSecretValue";

fn reader(granted: &[&str]) -> Service {
    let route = json!({
        "target": { "call": "test:secrets/reader.read" },
        "access": "public",
        "errors": { "err": 418 }
    });
    Service::new("reader", guests::SECRETS)
        .route("GET /secrets/{name}", route)
        .set("grants.secrets", json!(granted))
}

async fn set(host: &HostProcess, name: &str, value: &str) -> Result<Value> {
    let path = format!("/v1/secrets/{name}");
    let admin = host.admin()?;
    let answer = admin
        .send(Method::PUT, &path, full(value.to_owned()))
        .await?;
    answer.expect(200)?.json()
}

/// What the service reads: none is 204.
async fn read(host: &HostProcess, name: &str) -> Result<Value> {
    let answer = host.get(&format!("/secrets/{name}")).await?;
    if answer.status == 204 {
        Ok(Value::Null)
    } else {
        answer.expect(200)?.json()
    }
}

#[tokio::test]
async fn a_granted_secret_is_read_live_and_survives_a_crash() -> Result<()> {
    let host = serving(&[reader(&["stripe-key"])]).await?;
    assert_eq!(read(&host, "stripe-key").await?, Value::Null);
    let told = set(&host, "stripe-key", VALUE).await?;
    assert_eq!(
        (&told["version"], &told["readers"]),
        (&json!(1), &json!(["reader"]))
    );
    assert_eq!(read(&host, "stripe-key").await?, json!(VALUE));
    set(&host, "stripe-key", "second").await?;
    assert_eq!(read(&host, "stripe-key").await?, json!("second"));

    let host = host.crash_and_restart().await?;
    assert_eq!(read(&host, "stripe-key").await?, json!("second"));
    let admin = host.admin()?;
    let rotated = admin.send(Method::POST, "/v1/secrets-key", empty()).await?;
    assert_eq!(rotated.expect(200)?.json()?, json!({ "secrets": 1 }));
    assert_eq!(read(&host, "stripe-key").await?, json!("second"));

    let host = host.crash_and_restart().await?;
    assert_eq!(read(&host, "stripe-key").await?, json!("second"));
    let admin = host.admin()?;
    admin
        .send(Method::DELETE, "/v1/secrets/stripe-key", empty())
        .await?
        .expect(204)?;
    assert_eq!(read(&host, "stripe-key").await?, Value::Null);
    let gone = admin
        .send(Method::DELETE, "/v1/secrets/stripe-key", empty())
        .await?;
    assert_eq!(gone.problem(404)?["code"], "no_secret");
    Ok(())
}

#[tokio::test]
async fn what_is_not_granted_names_the_grant() -> Result<()> {
    let host = serving(&[reader(&["other"])]).await?;
    set(&host, "stripe-key", VALUE).await?;
    let refused = host.get("/secrets/stripe-key").await?.expect(418)?.text();
    assert!(
        refused.contains("not granted")
            && refused.contains("stripe-key")
            && refused.contains("service.reader.grants"),
        "{refused}"
    );
    assert!(!refused.contains(VALUE));
    // A name that is not there looks the same.
    host.get("/secrets/nothing").await?.expect(418)?;
    assert_eq!(rejections(&host, "grant", 2).await?, 2);
    Ok(())
}

/// Other paths take an object with a value: stored as it is, it would be no secret of theirs.
#[tokio::test]
async fn an_object_is_not_taken_for_a_secret() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let request = Request::put("/v1/secrets/stripe-key")
        .header("authorization", format!("Bearer {}", admin.token))
        .header("content-type", "application/json")
        .body(full(json!({ "value": VALUE }).to_string()))?;
    let refused = Client::http1(host.admin_address)
        .send(request)
        .await?
        .expect(400)?;
    assert!(
        refused.text().contains("the secret itself"),
        "{}",
        refused.text()
    );
    let known = admin.get("/v1/secrets").await?.expect(200)?.json()?;
    assert_eq!(known, json!([]));
    Ok(())
}

#[tokio::test]
async fn a_value_is_nowhere_to_be_found() -> Result<()> {
    let options = HostOptions {
        config: Some("[log]\nlevel = \"debug\"\n".to_owned()),
        ..HostOptions::default()
    };
    let mut host = HostProcess::start(STOA, options).await?;
    let admin = host.admin()?;
    admin.deploy_one(&reader(&["stripe-key"])).await?;
    set(&host, "stripe-key", VALUE).await?;
    assert_eq!(read(&host, "stripe-key").await?, json!(VALUE));
    for path in [
        "/v1/secrets",
        "/v1/services/reader",
        "/v1/services/reader/config",
        "/v1/services/reader/revisions",
        "/v1/logs?follow=false",
    ] {
        let answer = admin.get(path).await?.expect(200)?.text();
        ensure!(!answer.contains(VALUE), "{path}: {answer}");
    }
    admin.get("/v1/secrets/stripe-key").await?.problem(405)?;
    let bad = admin
        .send(Method::PUT, "/v1/secrets/a%20b", full(VALUE.to_owned()))
        .await?;
    ensure!(!bad.text().contains(VALUE), "{}", bad.text());
    bad.problem(400)?;
    host.kill_9().await?;
    for line in host.output().lines() {
        ensure!(!line.contains(VALUE), "{line}");
    }
    let read = search(&host.data(), VALUE.as_bytes())?;
    ensure!(read > 3, "expected the host's files, found {read}");
    Ok(())
}

/// Fails if a file below a folder holds these bytes; how many files there are.
fn search(folder: &Path, bytes: &[u8]) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            count += search(&path, bytes)?;
            continue;
        }
        let found = std::fs::read(&path)?;
        let leaks = found.windows(bytes.len()).any(|window| window == bytes);
        ensure!(!leaks, "{} holds the value", path.display());
        count += 1;
    }
    Ok(count)
}

#[tokio::test]
async fn a_host_with_another_key_does_not_start() -> Result<()> {
    let mut host = serving(&[reader(&["a"])]).await?;
    set(&host, "a", VALUE).await?;
    host.kill_9().await?;
    let key = host.data().join("secrets.key");
    let right = std::fs::read(&key)?;
    std::fs::write(&key, "ab".repeat(32))?;
    let data = host.data();
    let data = data.to_str().context("a path of the test is UTF-8")?;
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--data",
        data,
    ];
    let refused = stoa_tests::command::cli(Path::new(STOA), &serve, &[]).await?;
    refused.expect(1)?;
    assert!(
        refused.stderr.contains("secrets.key") && refused.stderr.contains("another key"),
        "{refused:?}"
    );
    std::fs::write(&key, right)?;
    let host = host.restart().await?;
    assert_eq!(read(&host, "a").await?, json!(VALUE));
    Ok(())
}

#[tokio::test]
async fn the_key_may_be_elsewhere() -> Result<()> {
    let folder = tempfile::TempDir::with_prefix("key-")?;
    let key = folder.path().join("key");
    let host = host_with(&format!("[secrets]\nkey_file = {:?}\n", key)).await?;
    host.admin()?.deploy_one(&reader(&["a"])).await?;
    set(&host, "a", VALUE).await?;
    assert!(key.exists() && !host.data().join("secrets.key").exists());
    assert_eq!(read(&host, "a").await?, json!(VALUE));
    Ok(())
}

#[tokio::test]
async fn the_command_takes_values_from_elsewhere_than_its_arguments() -> Result<()> {
    let host = serving(&[reader(&["a", "b"])]).await?;
    typed(&host, &["secret", "set", "a"], "first\n").await?;
    assert_eq!(read(&host, "a").await?, json!("first"));
    let folder = tempfile::TempDir::with_prefix("secret-")?;
    let file = folder.path().join("b");
    std::fs::write(&file, "second\n")?;
    let file = file.to_str().context("a path of the test is UTF-8")?;
    host.cli(&["secret", "set", "b", "--from-file", file])
        .await?
        .expect(0)?;
    assert_eq!(read(&host, "b").await?, json!("second\n"));
    let listed = host.cli(&["secret", "ls"]).await?;
    let listed = listed.expect(0)?;
    assert!(
        listed.contains("reader") && !listed.contains("first"),
        "{listed}"
    );
    let shown = host.cli(&["show", "reader"]).await?;
    assert!(shown.expect(0)?.contains("secret a"), "{shown:?}");
    host.cli(&["secret", "rotate-key"]).await?.expect(0)?;
    host.cli(&["secret", "rm", "a"]).await?.expect(0)?;
    host.cli(&["secret", "rm", "a"]).await?.expect(1)?;
    host.cli(&["secret", "set", "a", "value"])
        .await?
        .expect(2)?;
    host.cli(&["secret", "set", "a"]).await?.expect(1)?;
    assert_eq!(read(&host, "a").await?, Value::Null);
    Ok(())
}

/// Runs `stoa` with this standard input.
async fn typed(host: &HostProcess, arguments: &[&str], input: &str) -> Result<()> {
    let admin = host.admin()?;
    let mut child = Command::new(STOA)
        .args(arguments)
        .env("STOA_HOST", format!("http://{}", admin.address))
        .env("STOA_TOKEN", admin.token)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("it is piped")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    let status = child.wait().await?;
    ensure!(status.success(), "{arguments:?} ended with {status}");
    Ok(())
}
