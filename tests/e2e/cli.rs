//! The commands, against a host that runs.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use stoa_tests::command;
use tempfile::TempDir;

use crate::{STOA, guests, hello, host, serving};

fn rows(stdout: &str) -> Result<Vec<Value>> {
    let parsed: Value = serde_json::from_str(stdout).with_context(|| stdout.to_owned())?;
    parsed
        .as_array()
        .cloned()
        .with_context(|| format!("expected a list, found {parsed}"))
}

/// A directory with a manifest for one service.
fn project(component: &str, routes: &str) -> Result<TempDir> {
    let directory = TempDir::with_prefix("project-")?;
    let manifest = format!(
        "[app]\nname = \"test\"\n\n[service.hello]\ncomponent = \"{component}\"\n\n[service.hello.routes]\n{routes}\n"
    );
    std::fs::write(directory.path().join("stoa.toml"), manifest)?;
    Ok(directory)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of the test is UTF-8")
}

#[tokio::test]
async fn it_shows_what_runs() -> Result<()> {
    let host = serving(&[hello()]).await?;
    assert_eq!(
        rows(host.cli(&["ls", "-o", "json"]).await?.expect(0)?)?[0]["service"],
        "hello"
    );
    let table = host.cli(&["ls"]).await?;
    assert!(table.expect(0)?.contains("hello"), "{table:?}");
    assert!(
        !table.stdout.contains('\x1b'),
        "colours are for terminals: {table:?}"
    );
    let routes = rows(host.cli(&["routes", "-o", "json"]).await?.expect(0)?)?;
    assert_eq!(routes.len(), 2);
    assert_eq!(
        rows(
            host.cli(&["revisions", "hello", "-o", "json"])
                .await?
                .expect(0)?
        )?[0]["revision"],
        1
    );
    let shown: Value = serde_json::from_str(
        host.cli(&["show", "hello", "-o", "json"])
            .await?
            .expect(0)?,
    )?;
    assert_eq!(shown["service"], "hello");
    let contract: Value = serde_json::from_str(
        host.cli(&["contract", "hello", "--openapi"])
            .await?
            .expect(0)?,
    )?;
    assert!(
        contract["paths"]["/hello/{name}"]["get"].is_object(),
        "{contract}"
    );
    Ok(())
}

#[tokio::test]
async fn it_deploys_rolls_back_scales_and_undeploys() -> Result<()> {
    let host = host().await?;
    let project = project(
        guests::HELLO_FUNCTION,
        "\"GET /hello/{name}\" = { call = \"test:hello/greeter.greet\", access = \"public\" }",
    )?;
    let directory = text(project.path())?;
    let deployed = host.cli(&["deploy", directory]).await?;
    deployed.expect(0)?;
    let told = format!("{}{}", deployed.stdout, deployed.stderr);
    for step in ["verify", "compile", "swap"] {
        assert!(told.to_lowercase().contains(step), "no {step} in {told}");
    }
    assert_eq!(
        host.get("/hello/Ada").await?.expect(200)?.json()?,
        json!("Hello, Ada!")
    );

    host.cli(&["deploy", directory]).await?.expect(0)?;
    assert_eq!(host.admin()?.live("hello").await?, [(2, 100)].into());
    host.cli(&["rollback", "hello"]).await?.expect(0)?;
    assert_eq!(host.admin()?.live("hello").await?, [(1, 100)].into());
    host.cli(&["rollback", "hello", "--to", "2"])
        .await?
        .expect(0)?;
    assert_eq!(host.admin()?.live("hello").await?, [(2, 100)].into());
    host.cli(&["deploy", directory, "--canary", "10%"])
        .await?
        .expect(0)?;
    assert_eq!(
        host.admin()?.live("hello").await?,
        [(2, 90), (3, 10)].into()
    );
    host.cli(&["promote", "hello"]).await?.expect(0)?;
    assert_eq!(host.admin()?.live("hello").await?, [(3, 100)].into());
    host.cli(&["scale", "hello", "--min", "1", "--max", "2"])
        .await?
        .expect(0)?;
    assert_eq!(host.admin()?.pool("hello").await?["max"], 2);
    let shown = host.cli(&["show", "hello"]).await?;
    assert!(shown.expect(0)?.contains("1 to 2 instances"), "{shown:?}");
    host.cli(&["undeploy", "hello"]).await?.expect(0)?;
    host.get("/hello/Ada").await?.problem(404)?;
    Ok(())
}

#[tokio::test]
async fn what_is_refused_says_why() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let unknown = project(guests::UNKNOWN_IMPORT, "")?;
    let refused = host.cli(&["deploy", text(unknown.path())?]).await?;
    refused.expect(1)?;
    assert!(refused.stderr.contains("test:guests/nobody"), "{refused:?}");
    assert_eq!(host.admin()?.live("hello").await?, [(1, 100)].into());

    let missing = host.cli(&["rollback", "nobody"]).await?;
    missing.expect(1)?;
    assert!(missing.stderr.contains("nobody"), "{missing:?}");

    // A name that is wrong is told wherever it is given, with the one that was meant.
    for command in [
        &["show", "helo"][..],
        &["logs", "helo"],
        &["cache", "purge", "helo"],
        &["scale", "helo", "--max", "1"],
        &["config", "helo"],
        &["breaker", "helo"],
        &["undeploy", "helo"],
    ] {
        let refused = host.cli(command).await?;
        refused.expect(1)?;
        assert!(
            refused.stderr.contains("did you mean \"hello\"?"),
            "{refused:?}"
        );
    }

    let broken = TempDir::with_prefix("project-")?;
    std::fs::write(
        broken.path().join("stoa.toml"),
        "[service.a]\ncomponet = \"a.wasm\"\n[service.a.pol]\nmax = 1\n",
    )?;
    let faults = host.cli(&["deploy", text(broken.path())?]).await?;
    faults.expect(1)?;
    for said in ["componet", "component", "pol", "pool"] {
        assert!(
            faults.stderr.contains(said),
            "no {said} in {}",
            faults.stderr
        );
    }
    Ok(())
}

#[tokio::test]
async fn wrong_usage_is_told_apart() -> Result<()> {
    for arguments in [
        &["frobnicate"][..],
        &["rollback"],
        &["scale", "hello", "--min", "many"],
        &["serve", "--listn", "x"],
    ] {
        let ran = command::cli(Path::new(STOA), arguments, &[]).await?;
        ran.expect(2)?;
        assert!(
            ran.stderr.to_lowercase().contains("usage") || ran.stderr.contains("--help"),
            "{ran:?}"
        );
    }
    command::cli(Path::new(STOA), &["--help"], &[])
        .await?
        .expect(0)?;
    assert!(
        command::cli(Path::new(STOA), &["--version"], &[])
            .await?
            .expect(0)?
            .starts_with("stoa ")
    );
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_not_there_is_named() -> Result<()> {
    let environment = [
        ("STOA_HOST", "http://127.0.0.1:9".to_owned()),
        ("STOA_TOKEN", "x".to_owned()),
    ];
    let ran = command::cli(Path::new(STOA), &["ls"], &environment).await?;
    ran.expect(1)?;
    assert!(ran.stderr.contains("127.0.0.1:9"), "{ran:?}");
    Ok(())
}

/// Everything that is wrong is said before anything binds.
#[tokio::test]
async fn wrong_settings_are_all_told() -> Result<()> {
    let directory = TempDir::with_prefix("settings-")?;
    let file = directory.path().join("stoa-host.toml");
    std::fs::write(
        &file,
        "listn = \"127.0.0.1:0\"\ndrain = \"soon\"\n[gateway]\nmax_headers = \"many\"\n",
    )?;
    let data = directory.path().join("data");
    let ran = command::cli(
        Path::new(STOA),
        &["serve", "--data", text(&data)?, "--config", text(&file)?],
        &[],
    )
    .await?;
    assert_ne!(ran.status.code(), Some(0));
    for said in ["listn", "listen", "drain", "soon", "max_headers"] {
        assert!(ran.stderr.contains(said), "no {said} in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("Serving HTTP"), "{}", ran.stderr);
    assert!(!data.exists(), "nothing was begun");
    Ok(())
}
