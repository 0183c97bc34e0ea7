//! Which host a command talks to, and the one that `up` starts.

use std::path::Path;

use anyhow::{Context as _, Result};
use stoa_tests::command::{self, SETTINGS};
use stoa_tests::process::{HostOptions, HostProcess};
use tempfile::TempDir;
use tokio::process::Command;

use super::{project, text};
use crate::{STOA, guests, hello, serving};

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

    // Its data directory leads to it, whichever was started last.
    let by_data = ["ls", "--data", text(&data)?];
    let found = run(&other.settings(), &by_data).await?;
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    assert!(String::from_utf8_lossy(&found.stdout).contains("hello"));
    std::fs::write(other.settings().join("stoa/host.toml"), "host = 1")?;
    let found = run(&other.settings(), &by_data).await?;
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    let told = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(
        told.contains("host.toml is not what a host has written"),
        "{told}"
    );
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
