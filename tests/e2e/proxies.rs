//! Proxies before the gateway: who is believed about where a request comes from, and
//! what components get to know of it.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use http::Request;
use stoa_tests::client::{Client, empty};
use stoa_tests::process::HostProcess;
use stoa_tests::raw;
use stoa_tests::service::Service;
use stoa_tests::tls::{Authority, Dialer};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::{guests, hello, host_with, rejections};

async fn host(settings: &str) -> Result<HostProcess> {
    let host = host_with(settings).await?;
    let headers = Service::new("headers", guests::HEADERS_P2).http("/headers");
    host.admin()?.deploy_all(&[hello(), headers]).await?;
    Ok(host)
}

/// What a component gets of the headers that proxies write, in alphabetical order.
async fn told(client: &mut Client, sent: &[(&str, &str)]) -> Result<Vec<String>> {
    let mut request = Request::get("/headers");
    for (name, value) in sent {
        request = request.header(*name, *value);
    }
    let answer = client.send(request.body(empty())?).await?.expect(200)?;
    let of_proxies = |line: &&str| {
        line.starts_with("forwarded")
            || line.starts_with("x-forwarded")
            || line.starts_with("x-real")
    };
    let mut lines: Vec<_> = answer
        .text()
        .lines()
        .filter(of_proxies)
        .map(str::to_owned)
        .collect();
    lines.sort();
    Ok(lines)
}

const FORGED: [(&str, &str); 6] = [
    ("forwarded", "for=192.0.2.1;proto=https"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-port", "1"),
    ("x-real-ip", "192.0.2.1"),
];

#[tokio::test]
async fn nobody_is_believed_unless_the_settings_say_so() -> Result<()> {
    let expected = [
        "forwarded: for=127.0.0.1;proto=http",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
    ];
    for settings in ["", "[gateway]\ntrusted_proxies = [\"192.0.2.0/24\"]\n"] {
        let host = host(settings).await?;
        for mut client in [Client::http1(host.http), Client::http2(host.http)] {
            assert_eq!(told(&mut client, &FORGED).await?, expected);
            assert_eq!(told(&mut client, &[]).await?, expected);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_client() -> Result<()> {
    let host =
        host("[gateway]\ntrusted_proxies = \"127.0.0.0/8, 10.0.0.0/8\"\n[log]\naccess = \"all\"\n")
            .await?;
    let mut client = Client::http1(host.http);
    let common = [
        ("x-forwarded-for", "203.0.113.9, 192.0.2.1, 10.0.0.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
    ];
    let expected = [
        "forwarded: for=192.0.2.1;proto=https",
        "x-forwarded-for: 192.0.2.1",
        "x-forwarded-host: shop.example",
        "x-forwarded-proto: https",
    ];
    assert_eq!(told(&mut client, &common).await?, expected);
    host.output()
        .wait_for(|line| line.contains("\"client.ip\":\"192.0.2.1\""))
        .await?;

    let standard = [(
        "forwarded",
        "for=203.0.113.9, for=\"[2001:db8::7]:4711\";proto=https, for=10.0.0.7",
    )];
    let expected = [
        "forwarded: for=\"[2001:db8::7]\";proto=https",
        "x-forwarded-for: 2001:db8::7",
        "x-forwarded-proto: https",
    ];
    assert_eq!(told(&mut client, &standard).await?, expected);

    let alone = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
    ];
    let hidden = [("forwarded", "for=unknown;proto=https;host=shop.example")];
    let expected = [
        "forwarded: for=127.0.0.1;proto=https",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: shop.example",
        "x-forwarded-proto: https",
    ];
    for sent in [&alone[..], &hidden] {
        assert_eq!(told(&mut client, sent).await?, expected, "{sent:?}");
    }

    // Each request of a connection may be another client's.
    let expected = [
        "forwarded: for=127.0.0.1;proto=http",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
    ];
    assert_eq!(told(&mut client, &[]).await?, expected);

    let request = Request::get("/headers")
        .header("forwarded", "for=203.0.113.9")
        .header("x-forwarded-for", "192.0.2.1");
    let problem = client.send(request.body(empty())?).await?.problem(400)?;
    assert_eq!(problem["code"], "bad_request");
    Ok(())
}

/// A header of the PROXY protocol, version 2: TCP over IPv4 from 192.0.2.1:4711.
const VERSION_2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\x7f\x00\x00\x01\x12\x67\x00\x50";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
const VERSION_1: &[u8] = b"PROXY TCP4 192.0.2.1 127.0.0.1 4711 80\r\n";
const GET: &[u8] = b"GET /headers HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

const REQUIRED: &str = "[gateway]\nproxy_protocol = \"required\"\ntrusted_proxies = [\"127.0.0.1\"]\nheader_timeout = \"400ms\"\n";

#[tokio::test]
async fn the_proxy_protocol_tells_the_client() -> Result<()> {
    let host = host(REQUIRED).await?;
    for (header, client) in [
        (VERSION_2, "192.0.2.1"),
        (VERSION_1, "192.0.2.1"),
        (LOCAL, "127.0.0.1"),
    ] {
        let received = raw::exchange(host.http, &[header, GET].concat()).await?;
        assert_eq!(raw::statuses(&received), [200], "{received:?}");
        assert!(
            received.contains(&format!("x-forwarded-for: {client}")),
            "{received:?}"
        );
    }
    // The client is no trusted proxy: what it says of itself does not count.
    let forged = b"GET /headers HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\nconnection: close\r\n\r\n";
    let received = raw::exchange(host.http, &[VERSION_2, forged].concat()).await?;
    assert!(
        received.contains("x-forwarded-for: 192.0.2.1"),
        "{received:?}"
    );
    Ok(())
}

/// Health checks and the like: the connection is the proxy's own, which passes on
/// what others say without a look at it.
#[tokio::test]
async fn a_proxy_that_names_no_client_is_not_believed_about_one() -> Result<()> {
    let host = host(REQUIRED).await?;
    let forged: &[u8] = b"GET /headers HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\n\
        x-forwarded-proto: https\r\nconnection: close\r\n\r\n";
    let unspecified = b"\r\n\r\n\0\r\nQUIT\n\x21\x00\x00\x00";
    let unknown = b"PROXY UNKNOWN\r\n";
    let unknown_with_addresses = b"PROXY UNKNOWN 192.0.2.1 192.0.2.2 1 2\r\n";
    let headers: [&[u8]; 4] = [LOCAL, unspecified, unknown, unknown_with_addresses];
    for header in headers {
        let received = raw::exchange(host.http, &[header, forged].concat()).await?;
        assert_eq!(raw::statuses(&received), [200], "{received:?}");
        assert!(
            received.contains("x-forwarded-for: 127.0.0.1")
                && received.contains("x-forwarded-proto: http\n"),
            "{header:?}: {received:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_without_the_header_is_not_served() -> Result<()> {
    let host = host(REQUIRED).await?;
    let long = [&VERSION_2[..14], b"\xff\xff", &[0; 2000]].concat();
    for bytes in [
        GET,
        &long[..],
        b"PROXY TCP4 nonsense\r\n",
        &VERSION_2[..20],
        b"",
    ] {
        let mut stream = raw::begin(host.http, bytes).await?;
        let received = raw::rest(&mut stream).await?;
        assert_eq!(received, "", "{bytes:?}");
    }
    assert_eq!(rejections(&host, "proxy_protocol", 5).await?, 5);

    let strangers = REQUIRED.replace("127.0.0.1", "192.0.2.7");
    let host = self::host(&strangers).await?;
    let received = raw::exchange(host.http, &[VERSION_2, GET].concat()).await?;
    assert_eq!(received, "");
    Ok(())
}

#[tokio::test]
async fn tls_begins_after_the_proxys_header() -> Result<()> {
    let (folder, authority) = (TempDir::new()?, Authority::new("tests")?);
    authority
        .issue(&["localhost"])?
        .write(folder.path(), "own")?;
    let file = |name: &str| folder.path().join(name);
    let tls = format!(
        "[tls]\nlisten = \"127.0.0.1:0\"\ncert = {:?}\nkey = {:?}\n",
        file("own.pem"),
        file("own.key")
    );
    let host = host(&format!("{REQUIRED}{tls}")).await?;
    let relay = relay(host.https().await?, VERSION_2).await?;
    let mut client = Client::http2(relay).over_tls(&Dialer::new("localhost", &authority)?);
    let expected = [
        "forwarded: for=192.0.2.1;proto=https",
        "x-forwarded-for: 192.0.2.1",
        "x-forwarded-proto: https",
    ];
    assert_eq!(told(&mut client, &FORGED).await?, expected);
    Ok(())
}

/// A proxy that sends this header before each connection's bytes.
async fn relay(to: SocketAddr, header: &'static [u8]) -> Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut host = TcpStream::connect(to).await.context("the host listens")?;
                host.write_all(header).await?;
                tokio::io::copy_bidirectional(&mut client, &mut host).await?;
                anyhow::Ok(())
            });
        }
    });
    Ok(address)
}
