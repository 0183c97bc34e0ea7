//! What commands say of what is wrong: all of it, once, and with what was meant.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use stoa_tests::command;
use stoa_tests::service::Service;
use tempfile::TempDir;

use super::{project, text};
use crate::{STOA, guests, hello, serving};

#[tokio::test]
async fn what_is_refused_says_why() -> Result<()> {
    let other = Service::new("other", guests::HELLO_P2);
    let host = serving(&[hello(), other]).await?;
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
        &["contract", "helo"],
        &["revisions", "helo"],
        &["rollback", "helo"],
        &["promote", "helo"],
        &["drain", "helo"],
        &["drain", "helo", "--undo"],
        &["breaker", "other", "open", "--link", "helo"],
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

/// A service with a configuration that two rules keep.
fn strict() -> Service {
    let schema = json!({
        "properties": { "ttl": { "type": "integer" }, "size": { "type": "integer" } },
        "additionalProperties": false,
    });
    Service::new("strict", guests::HELLO_FUNCTION)
        .route(
            "GET /strict",
            json!({
                "target": { "call": "test:hello/greeter.ping" }, "access": "public",
                "cache": { "max_age": "1s", "tags": ["catalogue"] },
            }),
        )
        .set("config_schema", schema)
        .set("config.ttl", json!("1"))
}

/// Whatever is named and is not there is told with what was meant.
#[tokio::test]
async fn what_is_not_there_is_told_with_the_nearest() -> Result<()> {
    let host = serving(&[strict()]).await?;
    host.cli(&["config", "strict", "set", "size=2"])
        .await?
        .expect(0)?;
    let name = ["key", "new", "ci", "-o", "json"];
    let key: Value = serde_json::from_str(host.cli(&name).await?.expect(0)?)?;
    let id = key["id"].as_str().context("a key has an id")?;
    let mut typo = id.to_owned();
    typo.replace_range(..1, if id.starts_with('0') { "1" } else { "0" });
    let secret = host.data().join("token");
    host.cli(&["secret", "set", "stripe", "--from-file", text(&secret)?])
        .await?
        .expect(0)?;
    for (command, expected) in [
        (
            &["config", "strict", "unset", "sise"][..],
            "did you mean \"size\"?",
        ),
        // One that only the schema knows, or only the manifest.
        (
            &["config", "strict", "unset", "tl"],
            "did you mean \"ttl\"?",
        ),
        (
            &["config", "strict", "unset", "zzzzzzz"],
            "`stoa config strict`",
        ),
        (&["config", "strict", "get", "tll"], "did you mean \"ttl\"?"),
        (
            &["config", "strict", "rollback", "--to", "9"],
            "can go back to 0",
        ),
        (&["secret", "rm", "strip"], "did you mean \"stripe\"?"),
        (&["key", "revoke", "ci"], id),
        (&["key", "revoke", &typo], id),
        (
            &["cache", "purge", "--tag", "catalog"],
            "did you mean \"catalogue\"?",
        ),
        (&["rollback", "strict", "--to", "7"], "it has 1"),
    ] {
        let refused = host.cli(command).await?;
        refused.expect(1)?;
        assert!(
            refused.stderr.contains(expected),
            "{command:?}: {refused:?}"
        );
    }
    // What is there but set by nobody goes back to what it is.
    host.cli(&["config", "strict", "unset", "ttl"])
        .await?
        .expect(0)?;
    host.cli(&["config", "strict", "unset", "size"])
        .await?
        .expect(0)?;
    Ok(())
}

/// The lines of a text that it has again, by themselves or in others.
fn told_twice(text: &str) -> Vec<&str> {
    let parts = text.lines().map(|part| {
        let part = part.trim().trim_start_matches("error: ");
        part.split_once(": ").map_or(part, |(_, rest)| rest)
    });
    let parts: Vec<_> = parts.filter(|part| part.len() > 12).collect();
    let twice = |part: &&&str| text.matches(**part).count() > 1;
    parts.iter().filter(twice).copied().collect()
}

#[tokio::test]
async fn every_fault_is_told_once() -> Result<()> {
    let provider = Service::new("provider", guests::PROVIDER_V1);
    let consumer = |name: &str| Service::new(name, guests::CONSUMER);
    let host = serving(&[strict(), provider, consumer("one"), consumer("two")]).await?;
    let broken = TempDir::with_prefix("project-")?;
    let component = guests::UNKNOWN_IMPORT;
    let manifest = format!("[service.a]\ncomponent = \"{component}\"\n");
    std::fs::write(broken.path().join("stoa.toml"), manifest)?;
    let commands = [
        &["config", "strict", "set", "ttl=abc", "size=x", "sise=1"][..],
        &["config", "strict", "set", "ttl=abc"],
        &["config", "strict", "unset", "a", "b"],
        &["config", "strict", "rollback", "--to", "9"],
        &["undeploy", "provider"],
        &["scale", "strict", "--min", "999"],
        &["breaker", "strict", "open", "--link", "nobody"],
        &["rollback", "strict"],
        &["rollback", "strict", "--to", "9"],
        &["secret", "rm", "nothing"],
        &["key", "revoke", "nothing"],
        &["key", "new", " "],
        &["token", "--subject", "operator"],
        &["cache", "purge", "nobody"],
        &["drain", "nobody"],
        &["deploy", text(broken.path())?],
        &["logs", "nobody"],
    ];
    for command in commands {
        let refused = host.cli(command).await?;
        refused.expect(1)?;
        let twice = told_twice(&refused.stderr);
        assert!(
            twice.is_empty(),
            "{command:?} tells {twice:?} twice: {}",
            refused.stderr
        );
    }
    // Each service of several is named at its fault.
    let refused = host.cli(&["undeploy", "provider"]).await?;
    for service in ["one", "two"] {
        assert!(refused.stderr.contains(service), "{refused:?}");
    }
    // `up` has the host's log beside its own word.
    let data = broken.path().join("data");
    let arguments = ["up", text(broken.path())?, "--data", text(&data)?];
    let anywhere = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let up = command::cli(Path::new(STOA), &[arguments, anywhere].concat(), &[]).await?;
    up.expect(1)?;
    let why = up
        .stderr
        .lines()
        .filter(|line| line.contains("test:guests/nobody"));
    assert_eq!(why.count(), 1, "{}", up.stderr);
    Ok(())
}
