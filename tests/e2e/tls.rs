//! TLS: certificates by name, taken up anew when their files change; clients known
//! by certificates.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use stoa_tests::client::{Client, Protocol};
use stoa_tests::command::cli;
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use stoa_tests::tls::{Authority, Dialer, pem};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use crate::{STOA, guests, hello, host_with, rejections};

/// Settings with these certificates, by the names of their files.
pub fn settings(folder: &Path, names: &[&str], more: &str) -> String {
    let files = |kind| {
        let quoted = names
            .iter()
            .map(|name| format!("{:?}", folder.join(format!("{name}.{kind}"))));
        quoted.collect::<Vec<_>>().join(", ")
    };
    format!(
        "[tls]\nlisten = \"127.0.0.1:0\"\ncert = [{}]\nkey = [{}]\n{more}\n",
        files("pem"),
        files("key")
    )
}

/// A host with one certificate for `localhost`.
pub async fn host(folder: &Path, authority: &Authority, more: &str) -> Result<HostProcess> {
    authority.issue(&["localhost"])?.write(folder, "own")?;
    let host = host_with(&settings(folder, &["own"], more)).await?;
    host.admin()?.deploy_one(&hello()).await?;
    Ok(host)
}

/// The certificate that a client gets, if it believes it.
async fn shown(address: SocketAddr, dialer: &Dialer) -> Result<CertificateDer<'static>> {
    let stream = dialer.dial(address, &[]).await?;
    let shown = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first);
    Ok(shown
        .context("a host shows a certificate")?
        .clone()
        .into_owned())
}

async fn served(address: SocketAddr, dialer: &Dialer) -> Result<()> {
    let mut client = Client::http1(address).over_tls(dialer);
    assert_eq!(client.get("/ping").await?.expect(200)?.text(), "\"pong\"");
    Ok(())
}

/// Whether a client is turned away. With TLS 1.3 it learns so at its first read only.
async fn refused(address: SocketAddr, dialer: &Dialer) -> bool {
    match dialer.dial(address, &[]).await {
        Err(_) => true,
        Ok(mut stream) => stream.read_u8().await.is_err(),
    }
}

#[tokio::test]
async fn both_versions_of_http_are_served_by_both_of_tls() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    let host = host(folder.path(), &authority, "").await?;
    let https = host.https().await?;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let dialer = Dialer::of_versions("localhost", &authority, None, &[version])?;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut client = Client::new(https, protocol).over_tls(&dialer);
            for _ in 0..3 {
                assert_eq!(client.get("/ping").await?.expect(200)?.text(), "\"pong\"");
            }
            assert_eq!(client.reconnects(), 0);
        }
        let stream = dialer.dial(https, &["http/1.1", "h2"]).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    }
    host.get("/ping").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_client_gets_the_certificate_of_the_name_it_asks_for() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    let first = authority.issue(&["shop.example", "www.shop.example"])?;
    let second = authority.issue(&["*.api.example", "api.example"])?;
    first.write(folder.path(), "first")?;
    second.write(folder.path(), "second")?;
    let host = host_with(&settings(folder.path(), &["first", "second"], "")).await?;
    let https = host.https().await?;
    for (name, expected) in [
        ("shop.example", &first),
        ("WWW.shop.example", &first),
        ("api.example", &second),
        ("eu.api.example", &second),
    ] {
        let found = shown(https, &Dialer::new(name, &authority)?).await?;
        assert!(found == expected.certificate, "{name}");
    }
    for name in ["other.example", "a.b.api.example", "127.0.0.1"] {
        let fault = shown(https, &Dialer::new(name, &authority)?)
            .await
            .unwrap_err();
        assert!(
            format!("{fault:#}").contains("not valid for name"),
            "{name}: {fault:#}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn keys_of_every_usual_kind_are_read() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    // What PKCS#8 wraps is, by its offset, the form that older tools write.
    for (name, algorithm, label, inner) in [
        (
            "ecdsa",
            &rcgen::PKCS_ECDSA_P256_SHA256,
            "EC PRIVATE KEY",
            29,
        ),
        ("rsa", &rcgen::PKCS_RSA_SHA256, "RSA PRIVATE KEY", 26),
    ] {
        let identity = authority.issue_for(&[&format!("{name}.example")], algorithm)?;
        identity.write(folder.path(), name)?;
        let old = authority.issue_for(&[&format!("old.{name}.example")], algorithm)?;
        old.write(folder.path(), &format!("old-{name}"))?;
        let key = pem(label, &old.key.serialize_der()[inner..]);
        std::fs::write(folder.path().join(format!("old-{name}.key")), key)?;
    }
    let names = ["ecdsa", "rsa", "old-ecdsa", "old-rsa"];
    let host = host_with(&settings(folder.path(), &names, "")).await?;
    host.admin()?.deploy_one(&hello()).await?;
    let https = host.https().await?;
    for name in [
        "ecdsa.example",
        "rsa.example",
        "old.ecdsa.example",
        "old.rsa.example",
    ] {
        served(https, &Dialer::new(name, &authority)?)
            .await
            .context(name)?;
    }
    Ok(())
}

#[tokio::test]
async fn certificates_are_taken_up_without_a_restart() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    let host = host(folder.path(), &authority, "").await?;
    let https = host.https().await?;
    let dialer = Dialer::new("localhost", &authority)?;
    let mut open = Client::http1(https).over_tls(&dialer);
    open.get("/ping").await?.expect(200)?;
    let before = shown(https, &dialer).await?;

    std::fs::write(folder.path().join("own.pem"), "-----BEGIN NONSENSE-----\n")?;
    host.output()
        .wait_for(|line| line.contains("the old ones stay"))
        .await?;
    assert!(
        shown(https, &dialer).await? == before,
        "a broken file keeps the old certificate"
    );

    let after = authority.issue(&["localhost"])?;
    after.write(folder.path(), "own")?;
    host.output()
        .wait_for(|line| line.contains("read anew"))
        .await?;
    assert!(shown(https, &dialer).await? == after.certificate);

    // As orchestrators do it: another file takes the name.
    let third = authority.issue(&["localhost"])?;
    third.write(folder.path(), "next")?;
    let taken = |name: &str| folder.path().join(name);
    std::fs::rename(taken("next.key"), taken("own.key"))?;
    std::fs::rename(taken("next.pem"), taken("own.pem"))?;
    while shown(https, &dialer).await? != third.certificate {}

    open.get("/ping").await?.expect(200)?;
    assert_eq!(open.reconnects(), 0, "open connections stay");
    Ok(())
}

#[tokio::test]
async fn a_client_may_have_to_show_a_certificate() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    let clients = Authority::new("clients")?;
    let ca = clients.write(folder.path(), "clients")?;
    let alice = clients.issue(&["alice.example"])?;
    let stranger = authority.issue(&["stranger.example"])?;
    for (auth, unknown_is_served) in [("required", false), ("optional", true)] {
        let more = format!("client_ca = {ca:?}\nclient_auth = \"{auth}\"");
        let host = host(folder.path(), &authority, &more).await?;
        let https = host.https().await?;
        served(https, &Dialer::known("localhost", &authority, &alice)?).await?;
        let unknown = Dialer::new("localhost", &authority)?;
        if unknown_is_served {
            served(https, &unknown).await?;
        } else {
            assert!(refused(https, &unknown).await);
        }
        assert!(refused(https, &Dialer::known("localhost", &authority, &stranger)?).await);
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_tells_who_calls_and_what_they_may_do() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    let ca = authority.write(folder.path(), "ca")?;
    let more = format!(
        "client_ca = {ca:?}\nclient_auth = \"optional\"\n\
         client_scopes = {{ \"uri:spiffe://shop/order\" = [\"pings:read\"] }}"
    );
    let host = host(folder.path(), &authority, &more).await?;
    let route =
        |access: Value| json!({ "target": { "call": "test:chain/probe.seen" }, "access": access });
    let probe = Service::new("probe", guests::PROBE)
        .route("GET /known", route(json!("authenticated")))
        .route("GET /scoped", route(json!({ "scope": "pings:read" })));
    host.admin()?.deploy_one(&probe).await?;
    let https = host.https().await?;
    let order = authority.issue_to_uri("spiffe://shop/order")?;
    let till = authority.issue(&["till.shop"])?;
    for (identity, subject, scoped) in [
        (Some(&order), "uri:spiffe://shop/order", 200),
        (Some(&till), "dns:till.shop", 403),
        (None, "", 401),
    ] {
        let dialer = match identity {
            Some(identity) => Dialer::known("localhost", &authority, identity)?,
            None => Dialer::new("localhost", &authority)?,
        };
        let mut client = Client::http2(https).over_tls(&dialer);
        let known = client.get("/known").await?;
        if identity.is_some() {
            let seen = known.expect(200)?.text();
            assert!(seen.contains(&format!("|{subject}|")), "{subject}: {seen}");
        } else {
            known.problem(401)?;
        }
        client.get("/scoped").await?.expect(scoped)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_handshake_that_fails_or_stalls_costs_only_its_connection() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    let host = host(folder.path(), &authority, "handshake_timeout = \"300ms\"").await?;
    let https = host.https().await?;
    let mut silent = raw::begin(https, b"").await?;
    let mut half = raw::begin(https, b"\x16\x03\x01\x02\x00\x01").await?;
    let plain = raw::exchange(https, b"GET /ping HTTP/1.1\r\nhost: a\r\n\r\n").await?;
    assert!(!plain.contains("pong"), "{plain:?}");
    served(https, &Dialer::new("localhost", &authority)?).await?;
    raw::rest(&mut silent).await?;
    raw::rest(&mut half).await?;
    assert_eq!(rejections(&host, "tls_handshake", 3).await?, 3);
    Ok(())
}

#[tokio::test]
async fn files_that_can_not_be_used_are_told_before_anything_is_served() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    authority.issue(&["a.example"])?.write(folder.path(), "a")?;
    authority.issue(&["b.example"])?.write(folder.path(), "b")?;
    std::fs::rename(folder.path().join("b.key"), folder.path().join("a.key"))?;
    for (name, expected) in [
        ("a", "does not go with the certificate"),
        ("none", "can't be read"),
    ] {
        let config = folder.path().join("stoa-host.toml");
        std::fs::write(&config, settings(folder.path(), &[name], ""))?;
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--data",
            &folder.path().join("data").display().to_string(),
            "--config",
            &config.display().to_string(),
        ]
        .map(str::to_owned);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let ran = cli(Path::new(STOA), &arguments, &[]).await?;
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
    Ok(())
}
