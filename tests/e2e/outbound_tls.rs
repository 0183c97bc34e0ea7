//! TLS on the way out: whose certificates upstreams and granted origins are believed.

use std::path::Path;

use anyhow::Result;
use http::{Method, Request};
use serde_json::json;
use stoa_tests::client::{Answer, Client, empty};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use stoa_tests::tls::Authority;
use tempfile::TempDir;

use crate::{guests, host_with};

/// A host that believes the authority in `ca.pem`, with `origin` as an upstream below
/// `/legacy`, and a component that may reach it as well, at `/pass`.
async fn host(folder: &Path, name: &str, origin: &Origin) -> Result<HostProcess> {
    let ca = folder.join("ca.pem");
    let host = host_with(&format!("[outbound]\nca = {ca:?}\n")).await?;
    let url = format!("https://{name}:{}", origin.address.port());
    let admin = host.admin()?;
    let upstream = json!({
        "targets": [url],
        "host": "target",
        "routes": [{ "path": "/legacy/*", "target": "http", "access": "public" }],
    });
    admin
        .json(Method::PUT, "/v1/upstreams/legacy", &upstream)
        .await?
        .expect(200)?;
    let passer = Service::new("passer", guests::OUTGOING_P3)
        .http("/pass")
        .set("grants.http", json!([url]));
    admin.deploy_one(&passer).await?;
    Ok(host)
}

async fn pass(host: &HostProcess, target: &str) -> Result<Answer> {
    let request = Request::get("/pass")
        .header("x-target", target)
        .body(empty())?;
    Client::http1(host.http).send(request).await
}

#[tokio::test]
async fn an_authority_that_the_operator_adds_is_believed() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("inside")?);
    authority.write(folder.path(), "ca")?;
    let own = authority.issue(&["localhost"])?;
    let origin = Origin::over_tls("one", Behaviour::Echo, &own).await?;
    let host = host(folder.path(), "localhost", &origin).await?;
    let answer = host.get("/legacy/a").await?.expect(200)?;
    assert_eq!(answer.header("x-origin")?, "one");
    let target = format!("https://localhost:{}/b", origin.address.port());
    let answer = pass(&host, &target).await?.expect(200)?;
    assert_eq!(answer.header("x-origin")?, "one");
    assert!(origin.last().starts_with("GET /b "), "{}", origin.last());
    Ok(())
}

#[tokio::test]
async fn no_other_is_believed_nor_a_certificate_for_another_name() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("inside")?);
    authority.write(folder.path(), "ca")?;
    let stranger = Authority::new("stranger")?.issue(&["localhost"])?;
    let elsewhere = authority.issue(&["elsewhere.example"])?;
    for identity in [stranger, elsewhere] {
        let origin = Origin::over_tls("one", Behaviour::Echo, &identity).await?;
        let host = host(folder.path(), "localhost", &origin).await?;
        let problem = host.get("/legacy/a").await?.problem(502)?;
        assert_eq!(problem["code"], "bad_gateway");
        host.output()
            .wait_for(|line| {
                line.contains("no answer of an upstream") && line.contains("certificate")
            })
            .await?;
        let target = format!("https://localhost:{}/b", origin.address.port());
        assert!(pass(&host, &target).await?.status.is_server_error());
        assert_eq!(origin.requests(), 0);
    }
    Ok(())
}
