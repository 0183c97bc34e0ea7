//! A guest can use nothing that it was not granted.

use anyhow::Result;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use stoa_tests::service::Service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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

#[tokio::test]
async fn outgoing_http_reaches_granted_origins_only() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let granted = listener.local_addr()?;
    let answers = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut request = [0; 1024];
        let length = stream.read(&mut request).await?;
        stream
            .write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await?;
        anyhow::Ok(String::from_utf8_lossy(&request[..length]).into_owned())
    });
    let outgoing = || {
        let target = json!({ "call": "test:sandbox/outgoing.fetch" });
        Service::new("outgoing", guests::OUTGOING).route(
            "POST /fetch",
            json!({ "target": target, "access": "public", "errors": { "err": 418 } }),
        )
    };
    let host = serving(&[outgoing()]).await?;
    let fetch = |authority: String| {
        let body = json!({ "authority": authority, "path": "/there" });
        async move { stoa_tests::client::post(host.http, "/fetch", &body).await }
    };
    let refused = fetch(granted.to_string()).await?.expect(418)?;
    assert!(refused.text().contains("Denied"), "{}", refused.text());

    host.admin()?
        .deploy_one(&outgoing().set("grants.http", json!([format!("http://{granted}")])))
        .await?;
    let allowed: Value = fetch(granted.to_string()).await?.expect(200)?.json()?;
    assert_eq!(allowed, json!(201));
    let request = answers.await??;
    assert!(request.starts_with("GET /there HTTP/1.1"), "{request}");
    fetch(host.admin_address.to_string()).await?.expect(418)?;
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
