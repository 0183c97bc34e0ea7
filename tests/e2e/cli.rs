//! The commands, against a host that runs.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use stoa_tests::command::{self, SETTINGS};
use stoa_tests::process::{HostOptions, HostProcess};
use stoa_tests::service::Service;
use tempfile::TempDir;
use tokio::process::Command;

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
    Ok(())
}

/// As kubectl finds the cluster that was used last.
#[tokio::test]
async fn a_command_in_another_folder_finds_the_host() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let word = std::fs::read_to_string(host.settings().join("stoa/host.toml"))?;
    assert!(!word.contains(&host.admin()?.token), "{word}");
    let elsewhere = TempDir::with_prefix("elsewhere-")?;
    let run = |settings: &Path, arguments: &[&str]| {
        let mut command = Command::new(STOA);
        command
            .args(arguments)
            .current_dir(elsewhere.path())
            .env(SETTINGS, settings)
            .env_remove("STOA_HOST")
            .env_remove("STOA_TOKEN")
            .env_remove("STOA_DATA");
        async move { anyhow::Ok(command.output().await?) }
    };
    let found = run(&host.settings(), &["ls"]).await?;
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    assert!(String::from_utf8_lossy(&found.stdout).contains("hello"));

    // A host that is not the last one gets nothing of it.
    let other = crate::host().await?;
    let address = format!("http://{}", other.admin_address);
    let refused = run(&host.settings(), &["ls", "--host", &address]).await?;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    let data = host.data().canonicalize()?;
    for said in [text(&data)?, "--data", "STOA_DATA", "no token was found"] {
        assert!(told.contains(said), "no {said} in {told}");
    }
    Ok(())
}

/// The line after `Try`, as a person copies it.
async fn tried(up: &HostProcess) -> Result<String> {
    let line = up
        .output()
        .wait_for(|line| line.trim().starts_with("curl "))
        .await?;
    let output = Command::new("sh")
        .args(["-c", &format!("{} -sS --fail", line.trim())])
        .env(SETTINGS, up.settings())
        .output()
        .await?;
    assert!(output.status.success(), "{line}: {output:?}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn up_speaks_to_people_and_says_what_to_do_next() -> Result<()> {
    for (routes, answer) in [
        (
            "\"GET /ping\" = { call = \"test:hello/greeter.ping\", access = \"public\" }",
            "",
        ),
        (
            "\"GET /hello/{name}\" = { call = \"test:hello/greeter.greet\", access = \"public\" }",
            "\"Hello, name!\"",
        ),
        (
            "\"GET /ping\" = { call = \"test:hello/greeter.ping\", scope = \"pings:read\" }",
            "",
        ),
        ("", "ok\n"),
    ] {
        let project = project(guests::HELLO_FUNCTION, routes)?;
        let options = HostOptions {
            up: Some(project.path().to_owned()),
            ..HostOptions::default()
        };
        let host = HostProcess::start(STOA, options).await?;
        let told = tried(&host).await.with_context(|| routes.to_owned())?;
        assert!(told.contains(answer), "{routes}: {told}");
        let lines = host.output().lines();
        assert!(
            !lines.iter().any(|line| line.starts_with('{')),
            "JSON is for programs: {lines:#?}"
        );
        for place in ["Gateway", "Admin API", "Data"] {
            assert!(
                lines.iter().any(|line| line.trim().starts_with(place)),
                "no {place} in {lines:#?}"
            );
        }
    }
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
