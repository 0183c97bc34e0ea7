//! A guest can use nothing that it was not granted.

use anyhow::Result;
use http_body_util::BodyExt as _;
use serde_json::json;
use stoa_tests::service::Service;
use tokio::net::TcpListener;

use crate::{guests, serving};

fn prisoner() -> Service {
    let function = |name: &str| format!("test:sandbox/escape.{name}");
    let own = |name: &str| json!({ "target": { "call": function(name) }, "access": "public", "errors": { "err": 418 } });
    Service::new("prisoner", guests::SANDBOX)
        .route("POST /read", own("read-file"))
        .route("POST /write", own("write-file"))
        .route("POST /connect", own("connect"))
        .route("POST /resolve", own("resolve"))
        .call("GET /environment", &function("environment"))
        .call("GET /arguments", &function("arguments"))
}

#[tokio::test]
async fn files_are_out_of_reach() -> Result<()> {
    let host = serving(&[prisoner()]).await?;
    for path in [
        "/etc/passwd",
        "/proc/self/environ",
        "token",
        ".",
        "/",
        "../token",
    ] {
        let answer = host.post("/read", &json!(path)).await?;
        assert_eq!(answer.status, 418, "{path}: {}", answer.text());
    }
    let target = host.data().join("escaped");
    host.post("/write", &json!(target)).await?.expect(418)?;
    assert!(!target.exists());
    Ok(())
}

#[tokio::test]
async fn sockets_are_out_of_reach() -> Result<()> {
    let host = serving(&[prisoner()]).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    for address in [listener.local_addr()?, host.admin_address, host.http] {
        let answer = host.post("/connect", &json!(address.to_string())).await?;
        assert_eq!(answer.status, 418, "{}", answer.text());
    }
    host.post("/resolve", &json!("localhost"))
        .await?
        .expect(418)?;
    Ok(())
}

#[tokio::test]
async fn the_hosts_environment_is_out_of_reach() -> Result<()> {
    let host = serving(&[prisoner()]).await?;
    assert_eq!(
        host.get("/environment").await?.expect(200)?.json()?,
        json!([])
    );
    let arguments = host.get("/arguments").await?.expect(200)?.text();
    assert!(
        !arguments.contains("serve") && !arguments.contains("stoa-"),
        "{arguments}"
    );
    Ok(())
}

/// Nothing is granted by importing it; a grant that makes no sense is refused.
#[tokio::test]
async fn outgoing_http_is_out_of_reach() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let target = json!({ "call": "test:sandbox/outgoing.fetch" });
    let route = json!({ "target": target, "access": "public", "errors": { "err": 418 } });
    let outgoing = Service::new("outgoing", guests::OUTGOING).route("POST /fetch", route);
    let host = serving(std::slice::from_ref(&outgoing)).await?;
    for address in [listener.local_addr()?, host.admin_address, host.http] {
        let body = json!({ "authority": address.to_string(), "path": "/there" });
        let refused = host.post("/fetch", &body).await?.expect(418)?;
        assert!(refused.text().contains("Denied"), "{}", refused.text());
    }
    let granted = outgoing.set("grants.http", json!(["http://a/b"]));
    let faults = host.admin()?.refused(&granted).await?;
    assert!(faults[0].message.contains("grants.http"), "{faults:?}");
    Ok(())
}

/// What a response carries is the guest's own: nothing of the host's leaks in.
#[tokio::test]
async fn answers_tell_nothing_of_the_host() -> Result<()> {
    let host = serving(&[prisoner()]).await?;
    let mut client = stoa_tests::client::Client::http1(host.http);
    let response = client
        .stream(http::Request::get("/environment").body(stoa_tests::client::empty())?)
        .await?;
    let headers: Vec<_> = response
        .headers()
        .keys()
        .map(|name| name.as_str().to_owned())
        .collect();
    assert!(
        !headers
            .iter()
            .any(|name| ["server", "x-powered-by"].contains(&name.as_str())),
        "{headers:?}"
    );
    response.into_body().collect().await?;
    Ok(())
}
