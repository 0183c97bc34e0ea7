//! The URI that a client asks for, as a component's own handler gets it: scheme and
//! authority are the same in both versions of `wasi:http`, over both of HTTP.

use anyhow::Result;
use http::Request;
use serde_json::json;
use stoa_tests::client::{Client, Protocol, empty};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use stoa_tests::tls::{Authority, Dialer};
use tempfile::TempDir;

use crate::{guests, host_with};

const HANDLERS: [&str; 2] = ["/two", "/three"];

async fn host(settings: &str) -> Result<HostProcess> {
    let two = Service::new("two", guests::TARGET_P2).http("/two");
    let three = Service::new("three", guests::TARGET_P3).http("/three");
    let passer = Service::new("passer", guests::OUTGOING_P3)
        .http("/pass")
        .set("grants.http", json!(["http://two.svc", "http://three.svc"]));
    let host = host_with(settings).await?;
    host.admin()?.deploy_all(&[two, three, passer]).await?;
    Ok(host)
}

/// What both handlers are told of a request with these headers.
async fn told(client: &mut Client, headers: &[(&str, &str)]) -> Result<[String; 2]> {
    let mut told = Vec::new();
    for path in HANDLERS {
        let mut request = Request::get(path).header("host", "shop.example:8443");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = client.send(request.body(empty())?).await?.expect(200)?;
        told.push(answer.text());
    }
    Ok(<[String; 2]>::try_from(told).expect("there are two handlers"))
}

/// `host` is no field: a component may not set one, so it is not given one to copy.
#[tokio::test]
async fn scheme_and_authority_are_the_listeners_and_the_clients() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    authority
        .issue(&["localhost"])?
        .write(folder.path(), "own")?;
    let file = |kind| folder.path().join(format!("own.{kind}"));
    let host = host(&format!(
        "[tls]\nlisten = \"127.0.0.1:0\"\ncert = [{:?}]\nkey = [{:?}]\n",
        file("pem"),
        file("key")
    ))
    .await?;
    let dialer = Dialer::new("localhost", &authority)?;
    // Nobody here is trusted: what a client says of its connection does not count.
    let said = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "ftp"),
    ];
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut plain = Client::new(host.http, protocol);
        let mut secure = Client::new(host.https().await?, protocol).over_tls(&dialer);
        for said in [&said[..], &[]] {
            let over_http = told(&mut plain, said).await?;
            assert_eq!(over_http, ["http shop.example:8443 0"; 2], "{protocol:?}");
            let over_tls = told(&mut secure, said).await?;
            assert_eq!(over_tls, ["https shop.example:8443 0"; 2], "{protocol:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_trusted_proxy_tells_what_its_client_asked_for() -> Result<()> {
    let host = host("[gateway]\ntrusted_proxies = [\"127.0.0.1\"]\n").await?;
    let common = ("x-forwarded-for", "192.0.2.1");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::new(host.http, protocol);
        for (headers, expected) in [
            (vec![], "http shop.example:8443 0"),
            (vec![common], "http shop.example:8443 0"),
            (
                vec![common, ("x-forwarded-proto", "https")],
                "https shop.example:8443 0",
            ),
            (
                vec![
                    common,
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "www.shop.example"),
                ],
                "https www.shop.example 0",
            ),
            (
                vec![common, ("x-forwarded-host", "no host")],
                "http shop.example:8443 0",
            ),
            (
                vec![("forwarded", "for=192.0.2.1;proto=https")],
                "https shop.example:8443 0",
            ),
        ] {
            let told = told(&mut client, &headers).await?;
            assert_eq!(told, [expected; 2], "{headers:?} by {protocol:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_service_asks_another_by_its_name() -> Result<()> {
    let host = host("").await?;
    for (target, expected) in [
        ("two.svc/two", "http two.svc 0"),
        ("three.svc/three", "http three.svc 0"),
    ] {
        let request = Request::get("/pass").header("x-target", target);
        let answer = Client::http1(host.http)
            .send(request.body(empty())?)
            .await?;
        assert_eq!(answer.expect(200)?.text(), expected);
    }
    Ok(())
}

#[tokio::test]
async fn every_spelling_of_a_target_names_its_host() -> Result<()> {
    let host = host("").await?;
    for path in HANDLERS {
        for (head, status, expected) in [
            (
                format!("GET {path} HTTP/1.0\r\n"),
                "200",
                "http localhost 0",
            ),
            (
                format!("GET {path} HTTP/1.1\r\nhost:\r\n"),
                "200",
                "http localhost 0",
            ),
            (
                format!("GET https://a.example{path} HTTP/1.1\r\nhost: a.example\r\n"),
                "200",
                "http a.example 0",
            ),
            (
                format!("GET {path} HTTP/1.1\r\nhost: [::1]:80\r\n"),
                "200",
                "http [::1]:80 0",
            ),
            (
                format!("GET {path} HTTP/1.1\r\nhost: a:b:1\r\n"),
                "400",
                "bad_request",
            ),
        ] {
            let request = format!("{head}connection: close\r\n\r\n");
            let received = raw::exchange(host.http, request.as_bytes()).await?;
            let answered = received.split(' ').nth(1);
            assert_eq!(answered, Some(status), "{head}: {received}");
            assert!(received.contains(expected), "{head}: {received}");
        }
    }
    Ok(())
}
