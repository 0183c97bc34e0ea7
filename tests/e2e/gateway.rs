//! Routes, methods, hosts, identity, request ids, HTTP/1.1 and HTTP/2.

use anyhow::Result;
use http::Request;
use serde_json::json;
use stoa_tests::client::{Client, empty, get};
use stoa_tests::raw;
use stoa_tests::service::Service;

use crate::{guests, hello, serving};

#[tokio::test]
async fn a_function_answers_over_http() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let answer = host.get("/hello/Ada").await?.expect(200)?;
    assert_eq!(answer.json()?, json!("Hello, Ada!"));
    assert!(
        answer
            .header("content-type")?
            .starts_with("application/json")
    );
    assert_eq!(host.get("/ping").await?.expect(200)?.json()?, json!("pong"));
    Ok(())
}

#[tokio::test]
async fn path_parameters_are_decoded_once() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let said = async |name: &str| {
        host.get(&format!("/hello/{name}"))
            .await?
            .expect(200)?
            .json()
    };
    assert_eq!(said("J%C3%BCrgen").await?, json!("Hello, Jürgen!"));
    assert_eq!(said("a%2Fb").await?, json!("Hello, a/b!"));
    assert_eq!(said("100%2525").await?, json!("Hello, 100%25!"));
    assert_eq!(said("a+b").await?, json!("Hello, a+b!"));
    let bad = host.get("/hello/%FF").await?;
    assert!(
        bad.status.is_client_error(),
        "bytes that are no UTF-8 got {}",
        bad.status
    );
    Ok(())
}

#[tokio::test]
async fn a_path_has_one_reading_or_none() -> Result<()> {
    let raw = Service::new("raw", guests::HELLO_P2).http("/raw/*");
    let host = serving(&[hello(), raw]).await?;
    for base in ["/hello", "/raw"] {
        host.get(&format!("{base}/a%2Fb")).await?.expect(200)?;
        host.get(&format!("{base}/...")).await?.expect(200)?;
        for segment in ["%zz", "%", "a%2", "..", ".", "%2e%2E", ".%2e"] {
            let path = format!("{base}/{segment}");
            for mut client in [Client::http1(host.http), Client::http2(host.http)] {
                let problem = client.get(&path).await?.problem(400)?;
                assert_eq!(problem["code"], "bad_request", "{path}");
            }
        }
    }
    for target in ["/hello/a#b", "/ping#", "/ping?a#b"] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        let answer = raw::exchange(host.http, request.as_bytes()).await?;
        assert_eq!(raw::statuses(&answer), [400], "{target}: {answer}");
        assert!(answer.contains("`#`"), "{answer}");
    }
    for (line, said) in [
        ("GET /hello/a\"b", "character"),
        ("GET /hello/a\\b", "character"),
        ("GET /hello/{a}", "character"),
        ("GET /hello/a|b", "character"),
        ("GET /hello/a^b", "character"),
        ("GET /hello/caf\u{e9}", "character"),
        ("GET /ping?caf\u{e9}", "the query"),
        ("GET ping", "slash"),
        ("GET *", "OPTIONS"),
    ] {
        let request = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = raw::exchange(host.http, request.as_bytes()).await?;
        assert_eq!(raw::statuses(&answer), [400], "{line}: {answer}");
        assert!(answer.contains(said), "{line}: {answer}");
    }
    let request = "OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = raw::exchange(host.http, request.as_bytes()).await?;
    assert_eq!(raw::statuses(&answer), [204], "{answer}");
    Ok(())
}

/// RFC 3986, section 6.2.2: what need not be encoded is the same encoded.
#[tokio::test]
async fn equal_paths_take_one_route() -> Result<()> {
    let coded = Service::new("coded", guests::HELLO_FUNCTION)
        .call("GET /caf%C3%A9/{name}", "test:hello/greeter.greet")
        .call("GET /%41dmin2/{name}", "test:hello/greeter.greet");
    let rest = Service::new("rest", guests::TARGET_P2).http("/*");
    let host = serving(&[hello(), coded, rest]).await?;
    assert_eq!(
        host.get("/%70ing").await?.expect(200)?.json()?,
        json!("pong")
    );
    for path in [
        "/caf%c3%a9/x",
        "/caf%C3%A9/%78",
        "/Admin2/x",
        "/%41dmi%6E2/x",
    ] {
        let answer = host.get(path).await?.expect(200)?;
        assert_eq!(answer.json()?, json!("Hello, x!"), "{path}");
    }
    // Who gets the path as it was sent could find another route in these.
    for path in ["/caf%c3%a9//x", "//Admin2/x", "/caf%C3%A9%2Fx"] {
        host.get(path).await?.problem(400)?;
    }
    host.get("/%2541dmin2/x").await?.expect(200)?;
    let twin = Service::new("twin", guests::HELLO_FUNCTION)
        .call("GET /%68ello/{name}", "test:hello/greeter.greet");
    let faults = host.admin()?.refused(&twin).await?;
    assert!(
        faults[0].message.contains("takes the same requests"),
        "{faults:?}"
    );
    Ok(())
}

#[tokio::test]
async fn the_most_specific_route_wins() -> Result<()> {
    let named = hello().call("GET /hello/ping", "test:hello/greeter.ping");
    let rest = Service::new("rest", guests::HELLO_P2)
        .http("/hello/*")
        .http("/files/*");
    let host = serving(&[named, rest]).await?;
    assert_eq!(host.get("/hello/ping").await?.json()?, json!("pong"));
    assert_eq!(host.get("/hello/Ada").await?.json()?, json!("Hello, Ada!"));
    assert_eq!(host.get("/hello/Ada/more").await?.text(), "Hello, world!");
    assert_eq!(host.get("/files/a/b/c").await?.text(), "Hello, world!");
    host.get("/filesystem").await?.problem(404)?;
    host.get("/hell").await?.problem(404)?;
    Ok(())
}

#[tokio::test]
async fn what_no_route_takes_is_not_found() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let problem = host.get("/nowhere").await?.problem(404)?;
    assert_eq!(problem["detail"], "no service has a route for this path");
    let near = host.get("/helo/Ada").await?.problem(404)?;
    assert_eq!(
        near["detail"],
        "no service has a route for this path; did you mean \"GET /hello/{name}\"?"
    );
    let trace = problem["trace_id"].as_str().unwrap_or_default();
    assert_eq!(trace.len(), 32, "{problem}");
    let answer = host.post("/ping", &json!({})).await?;
    answer.problem(405)?;
    assert!(answer.header("allow")?.contains("GET"));
    Ok(())
}

#[tokio::test]
async fn routes_may_belong_to_a_host_name() -> Result<()> {
    let ours = Service::new("ours", guests::HELLO_FUNCTION)
        .call("GET ours.example/who", "test:hello/greeter.ping");
    let any =
        Service::new("any", guests::PROVIDER_V1).call("GET /who", "test:versioned/answers.version");
    let host = serving(&[ours, any]).await?;
    let who = async |name: &str| {
        let request = Request::get("/who").header("host", name).body(empty())?;
        Client::http1(host.http)
            .send(request)
            .await?
            .expect(200)?
            .json()
    };
    assert_eq!(who("ours.example").await?, json!("pong"));
    assert_eq!(who("OURS.example:8080").await?, json!("pong"));
    assert_eq!(who("theirs.example").await?, json!("v1"));
    Ok(())
}

#[tokio::test]
async fn one_connection_carries_many_requests() -> Result<()> {
    let host = serving(&[hello()]).await?;
    for mut client in [Client::http1(host.http), Client::http2(host.http)] {
        for turn in 0..50 {
            let answer = client.get(&format!("/hello/{turn}")).await?.expect(200)?;
            assert_eq!(answer.json()?, json!(format!("Hello, {turn}!")));
        }
        assert_eq!(client.reconnects(), 0);
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_public_by_silence() -> Result<()> {
    let service = Service::new("hello", guests::HELLO_FUNCTION)
        .route("GET /silent", json!({ "target": { "call": "test:hello/greeter.ping" } }))
        .route("GET /scoped", json!({ "target": { "call": "test:hello/greeter.ping" }, "access": { "scope": "pings:read" } }));
    let host = serving(&[service]).await?;
    let answer = get(host.http, "/silent").await?;
    answer.problem(401)?;
    answer.header("www-authenticate")?;
    get(host.http, "/scoped").await?.problem(401)?;

    let with = async |path: &str, token: &str| {
        let request = Request::get(path)
            .header("authorization", format!("Bearer {token}"))
            .body(empty())?;
        Client::http1(host.http).send(request).await
    };
    with("/silent", "not-the-token").await?.problem(401)?;
    with("/silent", &host.admin()?.token).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn ids_go_through_every_hop() -> Result<()> {
    let relay =
        Service::new("relay", guests::RELAY).call("GET /relay", "test:chain/relay.seen-twice");
    let host = serving(&[relay, Service::new("probe", guests::PROBE)]).await?;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = Request::get("/relay")
        .header("x-request-id", "request-of-the-test")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let answer = Client::http1(host.http)
        .send(request.body(empty())?)
        .await?
        .expect(200)?;
    assert_eq!(answer.header("x-request-id")?, "request-of-the-test");

    let seen = answer.json()?;
    let seen: Vec<Vec<&str>> = seen
        .as_str()
        .unwrap_or_default()
        .lines()
        .map(|line| line.split('|').collect())
        .collect();
    let [own, callee] = seen.as_slice() else {
        panic!("expected two views, found {seen:?}")
    };
    for view in [own, callee] {
        assert!(view[0].starts_with(&format!("00-{trace}-")), "{view:?}");
        assert_eq!(view[1], "request-of-the-test");
        assert_eq!(view[3], "nobody");
    }
    assert!(
        callee[2].parse::<u64>()? <= own[2].parse::<u64>()?,
        "time is not given back: {seen:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_request_without_an_id_gets_one() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let first = host.get("/ping").await?;
    let second = host.get("/ping").await?;
    assert_ne!(
        first.header("x-request-id")?,
        second.header("x-request-id")?
    );
    Ok(())
}

#[tokio::test]
async fn another_spelling_of_a_path_is_no_way_around_its_route() -> Result<()> {
    let files = Service::new("files", guests::HELLO_P2)
        .http("/files/*")
        .route(
            "/files/private/*",
            json!({ "target": "http", "access": "authenticated" }),
        );
    let host = serving(&[files]).await?;
    host.get("/files/a/b").await?.expect(200)?;
    host.get("/files/a%20b/c%2Fd").await?.expect(200)?;
    for its_own in ["/files/private/x", "/files/%70rivate/x"] {
        host.get(its_own).await?.problem(401)?;
    }
    for spelling in [
        "/files/private%2Fx",
        "/files//private/x",
        "/files/a/../private/x",
        "/files/a/%2e%2e/private/x",
        "/files/./private/x",
        "/files/../elsewhere",
    ] {
        let problem = host.get(spelling).await?.problem(400)?;
        assert_eq!(problem["code"], "bad_request", "{spelling}");
    }
    Ok(())
}
