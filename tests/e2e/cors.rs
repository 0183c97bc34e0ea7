//! Pages of other origins: preflights, answers, refusals.

use anyhow::Result;
use http::{Method, Request};
use serde_json::json;
use stoa_tests::client::{Answer, Client, empty};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, hello, serving};

const SHOP: &str = "https://shop.example";

/// A service whose routes the shop's pages may use, but for `GET /own`.
fn shared() -> Service {
    let private = json!({ "target": { "call": "test:hello/greeter.ping" } });
    let own = json!({
        "target": { "call": "test:hello/greeter.ping" },
        "access": "public",
        "cors": "off",
    });
    hello()
        .route("GET /private", private)
        .route("GET /own", own)
        .set("cors", json!({ "origins": [SHOP], "credentials": true }))
}

async fn ask(host: &HostProcess, request: http::request::Builder) -> Result<Answer> {
    Client::http1(host.http).send(request.body(empty())?).await
}

fn preflight(path: &str, origin: &str, method: &str) -> http::request::Builder {
    Request::builder()
        .method(Method::OPTIONS)
        .uri(path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization")
}

#[tokio::test]
async fn a_preflight_is_answered_before_anybody_asks_who_calls() -> Result<()> {
    let host = serving(&[shared()]).await?;
    let answer = ask(&host, preflight("/private", SHOP, "GET"))
        .await?
        .expect(204)?;
    assert_eq!(answer.header("access-control-allow-origin")?, SHOP);
    assert_eq!(answer.header("access-control-allow-credentials")?, "true");
    assert_eq!(answer.header("access-control-allow-methods")?, "GET");
    let headers = answer.header("access-control-allow-headers")?;
    assert!(headers.contains("authorization"));
    assert_eq!(answer.header("access-control-max-age")?, "600");
    assert_eq!(answer.header("vary")?, "origin");

    let other = ask(&host, preflight("/private", "https://evil.example", "GET")).await?;
    let other = other.expect(204)?;
    assert!(other.header("access-control-allow-origin").is_err());
    assert!(other.header("access-control-allow-methods").is_err());
    Ok(())
}

#[tokio::test]
async fn a_page_may_read_answers_and_refusals() -> Result<()> {
    let host = serving(&[shared()]).await?;
    for (path, status) in [("/ping", 200), ("/private", 401)] {
        let asked = Request::get(path).header("origin", SHOP);
        let answer = ask(&host, asked).await?.expect(status)?;
        assert_eq!(answer.header("access-control-allow-origin")?, SHOP);
        assert!(
            answer
                .header("access-control-expose-headers")?
                .contains("x-request-id")
        );
    }
    let plain = ask(&host, Request::get("/ping")).await?.expect(200)?;
    assert!(plain.header("access-control-allow-origin").is_err());
    assert_eq!(plain.header("vary")?, "origin");
    Ok(())
}

#[tokio::test]
async fn a_route_without_a_policy_says_nothing() -> Result<()> {
    let host = serving(&[shared()]).await?;
    let asked = Request::get("/own").header("origin", SHOP);
    let answer = ask(&host, asked).await?.expect(200)?;
    assert!(answer.header("access-control-allow-origin").is_err());
    assert!(answer.header("vary").is_err());
    let answer = ask(&host, preflight("/own", SHOP, "GET"))
        .await?
        .expect(204)?;
    assert!(answer.header("allow")?.contains("GET"));
    assert!(answer.header("access-control-allow-origin").is_err());
    let answer = ask(&host, preflight("/ping", SHOP, "DELETE"))
        .await?
        .expect(204)?;
    assert!(answer.header("access-control-allow-methods").is_err());
    Ok(())
}

#[tokio::test]
async fn a_handler_answers_for_itself_unless_its_route_has_a_policy() -> Result<()> {
    let policy = json!({
        "target": "http",
        "access": "public",
        "cors": { "own": { "origins": ["*"] } },
    });
    let service = Service::new("echo", guests::ECHO_P2)
        .http("/free")
        .route("/kept", policy);
    let host = serving(&[service]).await?;
    let free = ask(&host, preflight("/free", SHOP, "PUT"))
        .await?
        .expect(200)?;
    assert_eq!(free.header("x-method")?, "OPTIONS");
    let kept = ask(&host, preflight("/kept", SHOP, "PUT"))
        .await?
        .expect(204)?;
    assert_eq!(kept.header("access-control-allow-origin")?, "*");
    assert_eq!(kept.header("access-control-allow-methods")?, "PUT");
    Ok(())
}

#[tokio::test]
async fn a_policy_that_browsers_do_not_understand_is_not_deployed() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let open = hello().set("cors", json!({ "origins": ["*"], "credentials": true }));
    let faults = host.admin()?.refused(&open).await?;
    assert!(faults[0].message.contains("name the origins"), "{faults:?}");
    Ok(())
}
