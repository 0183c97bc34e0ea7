//! Pages of other sites: what a browser can be made to send to the admin port.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use serde_json::json;
use stoa_tests::client::{Answer, Client, full};
use stoa_tests::process::HostProcess;

use crate::{host, host_with, rejections};

const APP: &str = "/eureka/v2/apps/SHOP";

/// As a browser would that knows the password: it sends it whoever made the page.
async fn send(
    host: &HostProcess,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Answer> {
    let admin = host.admin()?;
    let pair = STANDARD.encode(format!("eureka:{}", admin.token));
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Basic {pair}"))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let instance = json!({ "instance": {
        "instanceId": "a", "app": "SHOP", "hostName": "h", "ipAddr": "10.1.2.3", "status": "UP",
        "port": { "$": 8080, "@enabled": "true" }, "dataCenterInfo": { "name": "MyOwn" }
    } });
    let request = request.body(full(instance.to_string()))?;
    Client::http1(admin.address).send(request).await
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() -> Result<()> {
    let host = host().await?;
    let instance = format!("{APP}/a");
    let status = format!("{APP}/a/status?value=DOWN");
    let foreign: [&[(&str, &str)]; 5] = [
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
    ];
    let mut refused = 0;
    for headers in foreign {
        for (method, path) in [
            (Method::POST, APP),
            (Method::PUT, &instance),
            (Method::PUT, &status),
            (Method::DELETE, &instance),
        ] {
            let problem = send(&host, &method, path, headers).await?.problem(403)?;
            assert_eq!(problem["code"], "cross_site", "{method} {headers:?}");
            refused += 1;
        }
    }
    assert_eq!(rejections(&host, "cross_site", refused).await?, refused);
    send(&host, &Method::GET, &instance, &[])
        .await?
        .expect(404)?;

    // Clients of every other kind, and pages of the port itself.
    let own = format!("http://{}", host.admin_address);
    let ours: [&[(&str, &str)]; 4] = [
        &[],
        &[("sec-fetch-site", "same-origin"), ("origin", &own)],
        &[("sec-fetch-site", "none")],
        &[("origin", &own)],
    ];
    for headers in ours {
        send(&host, &Method::POST, APP, headers)
            .await?
            .expect(204)?;
        send(&host, &Method::PUT, &instance, headers)
            .await?
            .expect(200)?;
    }
    // Reading harms nobody: the page does not see the answer.
    let headers = [("sec-fetch-site", "cross-site")];
    send(&host, &Method::GET, &instance, &headers)
        .await?
        .expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_name_that_was_bound_anew_does_not_reach_a_port_on_loopback() -> Result<()> {
    let host = host_with("admin_hosts = [\"stoa.internal\"]\n").await?;
    let port = host.admin_address.port();
    for name in [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8081",
        "",
    ] {
        let answer = send(&host, &Method::GET, "/metrics", &[("host", name)]).await?;
        let problem = answer.problem(403)?;
        assert_eq!(problem["code"], "admin_host", "{name}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("admin_hosts"), "{detail}");
    }
    assert_eq!(rejections(&host, "admin_host", 4).await?, 4);
    for name in [
        "localhost",
        "LOCALHOST:1",
        "stoa.localhost",
        "127.0.0.1",
        "[::1]:8081",
        "10.0.0.1",
        "stoa.internal",
        "Stoa.Internal:80",
    ] {
        send(&host, &Method::GET, "/metrics", &[("host", name)])
            .await?
            .expect(200)?;
    }
    let own = format!("127.0.0.1:{port}");
    send(&host, &Method::GET, "/metrics", &[("host", &own)])
        .await?
        .expect(200)?;
    Ok(())
}
