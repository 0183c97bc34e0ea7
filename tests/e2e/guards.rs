//! Clients that take what they can: time, connections, open files. Each loses its
//! own connection; others are served meanwhile.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use http::Request;
use serde_json::json;
use stoa_tests::client::{Client, empty};
use stoa_tests::process::{HostOptions, HostProcess};
use stoa_tests::raw;
use stoa_tests::service::Service;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{STOA, guests, hello, host_with, rejections, serving};

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() -> Result<()> {
    let echo = Service::new("echo", guests::ECHO_TYPES)
        .call("POST /string", "test:echo/values.echo-string");
    let raw_echo = Service::new("raw", guests::ECHO_P2)
        .http("/raw")
        .set("pool.max", json!(1));
    let host = host_with("[gateway]\nbody_timeout = \"300ms\"\n").await?;
    host.admin()?.deploy_all(&[echo, raw_echo]).await?;
    let begin = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n\"a"
        )
    };
    let received = raw::exchange(host.http, begin("/string").as_bytes()).await?;
    assert_eq!(raw::statuses(&received), [408], "{received:?}");
    assert!(
        received.contains("\"code\":\"body_too_slow\""),
        "{received:?}"
    );
    assert_eq!(rejections(&host, "slow_body", 1).await?, 1);

    // The component has begun to answer. There is one instance, and it is free again.
    let received = raw::exchange(host.http, begin("/raw").as_bytes()).await?;
    assert!(!received.ends_with("0\r\n\r\n"), "{received:?}");
    let request = Request::post("/raw").body(empty())?;
    Client::http1(host.http).send(request).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() -> Result<()> {
    let endless = Service::new("two", guests::MISBEHAVE_P2)
        .http("/two/*")
        .set("pool.max", json!(1));
    let host =
        host_with("[gateway]\nheader_timeout = \"400ms\"\nwrite_timeout = \"800ms\"\n").await?;
    host.admin()?.deploy_one(&endless).await?;
    let stuck = raw::begin(host.http, b"GET /two/endless HTTP/1.1\r\nhost: a\r\n\r\n").await?;
    assert_eq!(rejections(&host, "slow_read", 1).await?, 1);
    host.get("/two/well").await?.expect(200)?;
    drop(stuck);
    Ok(())
}

#[tokio::test]
async fn a_slow_head_is_cut_off_on_a_kept_connection_too() -> Result<()> {
    let host = host_with("[gateway]\nheader_timeout = \"300ms\"\n").await?;
    host.admin()?.deploy_one(&hello()).await?;
    let request = b"GET /ping HTTP/1.1\r\nhost: a\r\n\r\nGET /ping HTTP/1.1\r\nx-slow: ";
    let received = raw::rest(&mut raw::begin(host.http, request).await?).await?;
    assert_eq!(raw::statuses(&received), [200], "{received:?}");
    assert_eq!(rejections(&host, "slow_head", 1).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_target_that_is_too_long_is_refused() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let long = format!("/hello/{}", "x".repeat(9000));
    for mut client in [Client::http1(host.http), Client::http2(host.http)] {
        let problem = client.get(&long).await?.problem(414)?;
        assert_eq!(problem["code"], "uri_too_long");
        client.get(&long[..8000]).await?.expect(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() -> Result<()> {
    let host = host_with("[gateway]\nmax_connections_per_address = 3\n").await?;
    host.admin()?.deploy_one(&hello()).await?;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = Client::http1(host.http);
        client.get("/ping").await?.expect(200)?;
        open.push(client);
    }
    assert!(host.get("/ping").await.is_err());
    assert!(rejections(&host, "connections_of_address", 1).await? >= 1);
    for client in &mut open {
        client.get("/ping").await?.expect(200)?;
        assert_eq!(client.reconnects(), 0);
    }
    open.pop();
    while host.get("/ping").await.is_err() {}
    Ok(())
}

/// A host that may open so few files, by an argument of `ulimit`.
async fn host_with_files(files: &str) -> Result<HostProcess> {
    let directory = Arc::new(TempDir::with_prefix("stoa-")?);
    let script = directory.path().join("few-files");
    std::fs::write(
        &script,
        format!("#!/bin/sh\nulimit {files}\nexec {STOA} \"$@\"\n"),
    )?;
    std::fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    let host = HostProcess::start_in(&script, HostOptions::default(), directory).await?;
    host.admin()?.deploy_one(&hello()).await?;
    Ok(host)
}

#[tokio::test]
async fn connections_leave_the_host_the_files_that_it_needs() -> Result<()> {
    let host = host_with_files("-n 300").await?;
    let mut open = Client::http1(host.http);
    open.get("/ping").await?.expect(200)?;
    let mut crowd = Vec::new();
    for _ in 0..400 {
        crowd.push(TcpStream::connect(host.http).await?);
    }
    open.get("/ping").await?.expect(200)?;
    assert_eq!(open.reconnects(), 0);
    // The host works on: this writes to disk and loads a component.
    let other = Service::new("other", guests::ECHO_P2).http("/other");
    host.admin()?.deploy_one(&other).await?;
    drop(crowd);
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

/// As most shells have it, with 1024.
#[tokio::test]
async fn a_low_soft_limit_of_files_is_raised() -> Result<()> {
    let host = host_with_files("-S -n 200").await?;
    let mut open = Vec::new();
    for _ in 0..300 {
        let mut client = Client::http1(host.http);
        client.get("/ping").await?.expect(200)?;
        open.push(client);
    }
    assert!(open.iter().all(|client| client.reconnects() == 0));
    Ok(())
}

#[tokio::test]
async fn running_out_of_files_is_survived() -> Result<()> {
    let host = host_with_files("-n 200").await?;
    let mut open = Client::http1(host.http);
    open.get("/ping").await?.expect(200)?;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(TcpStream::connect(host.admin_address).await?);
    }
    host.output()
        .wait_for(|line| line.contains("Too many open files"))
        .await
        .context("the files run out")?;
    let mut late = raw::begin(
        host.http,
        b"GET /ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    )
    .await?;
    host.output()
        .wait_for(|line| line.contains("accepting connections failed"))
        .await
        .context("the gateway runs out of files")?;
    open.get("/ping").await?.expect(200)?;
    assert_eq!(open.reconnects(), 0);
    drop(crowd);
    assert_eq!(raw::statuses(&raw::rest(&mut late).await?), [200]);
    host.get("/ping").await?.expect(200)?;
    Ok(())
}
