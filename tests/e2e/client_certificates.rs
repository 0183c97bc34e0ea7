//! How long a client's certificate says who it is: connections outlive certificates,
//! and the authorities that vouch for them.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use stoa_tests::client::{Client, PATIENCE, Protocol};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use stoa_tests::tls::{Authority, Dialer};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{answered, guests, host_with, rejections};

/// A host that asks its clients for certificates of the authority in `clients.pem`.
async fn host(folder: &Path, authority: &Authority, auth: &str) -> Result<HostProcess> {
    authority.issue(&["localhost"])?.write(folder, "own")?;
    let file = |name: &str| folder.join(name);
    let host = host_with(&format!(
        "[tls]\nlisten = \"127.0.0.1:0\"\ncert = {:?}\nkey = {:?}\nclient_ca = {:?}\n\
         client_auth = \"{auth}\"\n",
        file("own.pem"),
        file("own.key"),
        file("clients.pem"),
    ))
    .await?;
    let target = json!({ "call": "test:chain/probe.seen" });
    let known = json!({ "target": target, "access": "authenticated" });
    let open = json!({ "target": target, "access": "public" });
    let probe = Service::new("probe", guests::PROBE)
        .route("GET /known", known)
        .route("GET /open", open);
    host.admin()?.deploy_one(&probe).await?;
    Ok(host)
}

#[tokio::test]
async fn a_certificate_does_not_outlive_its_authority_on_an_open_connection() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    let (old, new) = (Authority::new("clients")?, Authority::new("new clients")?);
    old.write(folder.path(), "clients")?;
    let host = host(folder.path(), &authority, "optional").await?;
    let https = host.https().await?;
    let alice = old.issue(&["alice.example"])?;
    let dialer = Dialer::known("localhost", &authority, &alice)?;
    let mut open: Vec<_> = [Protocol::Http1, Protocol::Http2]
        .map(|protocol| Client::new(https, protocol).over_tls(&dialer))
        .into();
    for client in &mut open {
        client.get("/known").await?.expect(200)?;
    }

    // Both are trusted now: whom the old one vouches for stays.
    let both = [old.pem(), new.pem()].concat();
    std::fs::write(folder.path().join("clients.pem"), both)?;
    host.output()
        .wait_for(|line| line.contains("read anew"))
        .await?;
    for client in &mut open {
        client.get("/known").await?.expect(200)?;
        assert_eq!(client.reconnects(), 0);
    }

    // Each answer is an event; the old authority is gone while they come.
    std::fs::write(folder.path().join("clients.pem"), new.pem())?;
    for client in &mut open {
        answered(async || client.get("/known").await, |it| it.status != 200).await?;
        assert_eq!(client.reconnects(), 0);
    }
    drop(open);
    // A connection of before is refused on every route, and ends.
    assert!(rejections(&host, "client_certificate", 2).await? >= 2);
    let bob = new.issue(&["bob.example"])?;
    let dialer = Dialer::known("localhost", &authority, &bob)?;
    let mut client = Client::http1(https).over_tls(&dialer);
    client.get("/known").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_certificate_ends_with_its_time_on_an_open_connection() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    authority.write(folder.path(), "clients")?;
    let host = host(folder.path(), &authority, "required").await?;
    let https = host.https().await?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let brief = authority.issue_for_a_while("till.example", Duration::from_secs(3))?;
        let dialer = Dialer::known("localhost", &authority, &brief)?;
        let mut client = Client::new(https, protocol).over_tls(&dialer);
        client.get("/known").await?.expect(200)?;
        // Each answer is an event; the certificate's seconds end while they come.
        let ended = answered(async || client.get("/open").await, |it| it.status != 200).await?;
        assert_eq!(client.reconnects(), 0);
        let problem = ended.problem(401)?;
        assert_eq!(problem["code"], "invalid_certificate", "{problem}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("expired"), "{detail}");
        assert!(ended.header("www-authenticate")?.starts_with("Bearer"));
        // The connection is at its end, and with this certificate there is no other: not
        // even one that resumes its session, which TLS does not verify.
        let ends = async {
            while client.reconnects() == 0 {
                let again = client.get("/open").await;
                assert!(!again.is_ok_and(|answer| answer.status == 200));
            }
        };
        timeout(PATIENCE, ends).await?;
    }
    assert!(rejections(&host, "client_certificate", 2).await? >= 2);
    Ok(())
}
