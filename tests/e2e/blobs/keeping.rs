//! How much is kept of what, and how long.

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use stoa_tests::client::PATIENCE;
use tokio::time::timeout;

use super::*;

/// What the host says that a service keeps: bytes and objects.
async fn kept(host: &HostProcess, service: &str) -> Result<[u64; 2]> {
    let metrics = host.admin()?.metrics().await?;
    let value = |name: &str| {
        let label = format!("{name}{{service=\"{service}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&label));
        line.map_or(Ok(0), str::parse)
    };
    Ok([value("stoa_blob_bytes")?, value("stoa_blob_objects")?])
}

/// Files below a folder of the data directory.
fn files(folder: &Path) -> Result<usize> {
    let mut found = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        found += if path.is_dir() { files(&path)? } else { 1 };
    }
    Ok(found)
}

/// Waits until the folder of blobs has so many files: what was given up goes behind the
/// answer.
async fn files_left(host: &HostProcess, expected: usize) -> Result<()> {
    let folder = host.data().join("blobs");
    let seen = async {
        while files(&folder)? != expected {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, seen)
        .await
        .with_context(|| format!("not {expected} files"))?
}

#[tokio::test]
async fn blobs_outlive_their_revision_and_a_crash_until_they_are_purged() -> Result<()> {
    let host = with_containers(&[blobs("a"), blobs("b")]).await?;
    for service in ["a", "b"] {
        let put = ask(
            &host,
            &format!("PUT /{service}/c/x"),
            &[],
            full(bytes(300_000)),
        );
        put.await?.expect(204)?;
    }
    files_left(&host, 1).await?;
    assert_eq!(kept(&host, "a").await?, [300_000, 1]);
    host.cli(&["undeploy", "a"]).await?.expect(0)?;
    let host = host.crash_and_restart().await?;
    host.admin()?.deploy_one(&blobs("a")).await?;
    let read = plain(&host, "GET /a/c/x").await?.expect(200)?;
    assert!(read.body == bytes(300_000));
    assert_eq!(kept(&host, "a").await?, [300_000, 1]);
    host.cli(&["undeploy", "a", "--purge"]).await?.expect(0)?;
    assert_eq!(kept(&host, "a").await?, [0, 0]);
    assert_eq!(kept(&host, "b").await?, [300_000, 1]);
    files_left(&host, 1).await?;
    host.admin()?.deploy_one(&blobs("a")).await?;
    refused(plain(&host, "GET /a/c").await?)?;
    host.cli(&["undeploy", "b", "--purge"]).await?.expect(0)?;
    files_left(&host, 0).await
}

#[tokio::test]
async fn a_service_keeps_no_more_than_its_quota() -> Result<()> {
    let small = blobs("a").set("limits.blobs", json!(1_000_000));
    let host = with_containers(&[small.clone(), blobs("b")]).await?;
    let put = async |asked: &str, length: usize| ask(&host, asked, &[], full(bytes(length))).await;
    put("PUT /a/c/first", 600_000).await?.expect(204)?;
    let said = refused(put("PUT /a/c/second", 500_000).await?)?;
    assert!(said.contains("a has "), "{said}");
    for told in [" of 1000000 that it may have", "[service.a.limits]"] {
        assert!(said.contains(told), "{said}");
    }
    assert_eq!(kept(&host, "a").await?, [600_000, 1]);
    files_left(&host, 1).await?;
    put("PUT /b/c/second", 500_000).await?.expect(204)?;
    let copy = [("x-how", "copy c/again")];
    refused(ask(&host, "POST /a/c/first", &copy, empty()).await?)?;
    put("PUT /a/c/second", 400_000).await?.expect(204)?;
    plain(&host, "DELETE /a/c/first").await?.expect(204)?;
    put("PUT /a/c/third", 600_000).await?.expect(204)?;
    // A new revision may have another.
    let larger = small.set("limits.blobs", json!(2_000_000));
    host.admin()?.deploy_one(&larger).await?;
    put("PUT /a/c/fourth", 1_000_000).await?.expect(204)?;
    assert_eq!(kept(&host, "a").await?, [2_000_000, 3]);
    Ok(())
}

#[tokio::test]
async fn what_is_not_finished_is_not_kept() -> Result<()> {
    let host = with_containers(&[blobs("a").set("limits.blobs", json!(1_000_000))]).await?;
    for (how, status) in [("abandon", 204), ("trap", 502), ("abandon", 204)] {
        let how = [("x-how", how)];
        let put = ask(&host, "PUT /a/c/x", &how, full(bytes(700_000)));
        put.await?.expect(status)?;
        refused(plain(&host, "GET /a/c/x").await?)?;
        files_left(&host, 0).await?;
    }
    let put = ask(&host, "PUT /a/c/x", &[], full(bytes(1_000_000)));
    put.await?.expect(204)?;
    files_left(&host, 1).await
}

#[tokio::test]
async fn an_upload_that_a_crash_ends_leaves_nothing() -> Result<()> {
    let mut host = with_containers(&[blobs("a")]).await?;
    ask(&host, "PUT /a/c/x", &[], full("before"))
        .await?
        .expect(204)?;
    let (pieces, body) = futures::channel::mpsc::unbounded();
    pieces.unbounded_send(Ok(Frame::data(Bytes::from(bytes(500_000)))))?;
    let put = ask(&host, "PUT /a/c/x", &[], StreamBody::new(body).boxed());
    let put = tokio::spawn(put);
    // A part of it is on disk, and the rest does not come.
    files_left(&host, 2).await?;
    host.kill_9().await?;
    assert!(put.await?.is_err());
    drop(pieces);
    let host = host.restart().await?;
    files_left(&host, 1).await?;
    let read = plain(&host, "GET /a/c/x").await?.expect(200)?;
    assert_eq!(read.text(), "before");
    assert_eq!(kept(&host, "a").await?, [6, 1]);
    Ok(())
}
