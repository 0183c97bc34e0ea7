//! The commands, against a host that runs.

mod faults;
mod hosts;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use stoa_tests::command;
use tempfile::TempDir;

use crate::{STOA, guests, hello, host, host_with, serving};

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
async fn it_tells_what_a_service_may_use_and_what_its_routes_do() -> Result<()> {
    let finishes = json!({
        "target": { "call": "test:hello/greeter.ping" }, "access": "public", "on_disconnect": "finish",
    });
    let service = hello()
        .route("GET /late", finishes)
        .set("limits.memory", json!(96 << 20));
    let host = serving(&[service]).await?;
    let shown = host.cli(&["show", "hello"]).await?.expect(0)?.to_owned();
    for told in [
        "memory 96 MiB, body 1 MiB, blobs 1 GiB",
        "GET /late, on disconnect finish\n",
    ] {
        assert!(shown.contains(told), "{told} in {shown}");
    }
    let listed = host.cli(&["routes"]).await?.expect(0)?.to_owned();
    let finishes = |line: &&str| line.contains("/late") && line.ends_with("  finish");
    assert_eq!(listed.lines().filter(finishes).count(), 1, "{listed}");
    let routes = rows(host.cli(&["routes", "-o", "json"]).await?.expect(0)?)?;
    for route in routes {
        let expected = if route["path"] == "/late" {
            json!("finish")
        } else {
            Value::Null
        };
        assert_eq!(route["on_disconnect"], expected, "{route}");
    }
    let gone = host.cli(&["undeploy", "hello"]).await?;
    assert_eq!(
        gone.expect(0)?,
        "hello is undeployed, and its state is kept\n"
    );
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
async fn the_list_shows_what_is_cut_off() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let listed = host.cli(&["ls"]).await?;
    assert!(!listed.expect(0)?.contains("breaker"), "{listed:?}");
    host.cli(&["breaker", "hello", "open"]).await?.expect(0)?;
    let listed = host.cli(&["ls"]).await?;
    assert!(
        listed.expect(0)?.contains("breaker open (gateway)"),
        "{listed:?}"
    );
    let rows = rows(host.cli(&["ls", "-o", "json"]).await?.expect(0)?)?;
    assert_eq!(rows[0]["open_breakers"][0]["link"], "gateway", "{rows:?}");
    let shown = host.cli(&["show", "hello"]).await?;
    let held = "breaker gateway is held open by an operator";
    assert!(shown.expect(0)?.contains(held), "{shown:?}");
    let problem = host.get("/ping").await?.problem(503)?;
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("its operator holds"), "{problem}");
    host.cli(&["drain", "hello"]).await?.expect(0)?;
    let shown = host.cli(&["show", "hello"]).await?;
    assert!(
        shown.expect(0)?.contains("it takes no new calls"),
        "{shown:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_only_the_manifest_sets_is_not_unset() -> Result<()> {
    let host = serving(&[hello().set("config.a", json!("b"))]).await?;
    let unset = host.cli(&["config", "hello", "unset", "a"]).await?;
    unset.expect(0)?;
    assert!(
        unset.stderr.contains("a comes from the manifest"),
        "{unset:?}"
    );
    Ok(())
}

/// A terminal's signals are not ours: 0 done, 1 refused or failed, 2 wrong usage.
#[tokio::test]
async fn exit_codes_are_three() -> Result<()> {
    let host = host_with("[jwt]\ndevelopment = \"off\"\n").await?;
    host.admin()?.deploy_one(&hello()).await?;
    for (command, code) in [
        (&["logs"][..], 0),
        (&["logs", "hello"], 0),
        (&["logs", "nobody"], 1),
        (&["logs", "--level", "loud"], 2),
        (&["logs", "--since", "1h"], 2),
        (&["discovery"], 0),
        (&["discovery", "--from", "1"], 2),
        (&["token", "--subject", "ann"], 1),
        (&["config", "hello", "set", "novalue"], 2),
        (&["drain", "hello", "--timeout", "0s"], 2),
        (&["drain", "--undo"], 2),
    ] {
        let ran = host.cli(command).await?;
        ran.expect(code).with_context(|| format!("{command:?}"))?;
    }
    let mut host = host;
    host.kill_9().await?;
    host.cli(&["logs", "-f"]).await?.expect(1)?;
    Ok(())
}
