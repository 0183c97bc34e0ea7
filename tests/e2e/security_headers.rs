//! Headers that take powers from browsers.

use anyhow::Result;
use http::Request;
use stoa_tests::client::{Answer, Client, full};
use stoa_tests::service::Service;

use crate::{guests, hello, host_with, serving};

const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Answers with the type that it is told.
fn typed() -> Service {
    Service::new("typed", guests::ECHO_P3).http("/typed")
}

fn lacks(answer: &Answer, names: &[&str]) {
    for name in names {
        assert!(answer.header(name).is_err(), "{name}: {:?}", answer.headers);
    }
}

#[tokio::test]
async fn answers_and_problems_have_them() -> Result<()> {
    let host = serving(&[hello()]).await?;
    for path in ["/ping", "/nowhere"] {
        let answer = host.get(path).await?;
        assert_eq!(answer.header("x-content-type-options")?, "nosniff");
        assert_eq!(answer.header("content-security-policy")?, POLICY);
        lacks(
            &answer,
            &["referrer-policy", "strict-transport-security", "server"],
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_page_has_its_own_and_its_handler_knows_better() -> Result<()> {
    let host = serving(&[typed()]).await?;
    let page = || Request::post("/typed").header("content-type", "text/html");
    let mut client = Client::http1(host.http);
    let request = page().body(full("a page"))?;
    let answer = client.send(request).await?.expect(200)?;
    assert_eq!(answer.header("referrer-policy")?, "no-referrer");
    let request = page().header("referrer-policy", "origin");
    let answer = client
        .send(request.body(full("a page"))?)
        .await?
        .expect(200)?;
    assert_eq!(answer.header("x-content-type-options")?, "nosniff");
    assert_eq!(answer.header("referrer-policy")?, "origin");
    lacks(&answer, &["content-security-policy"]);
    Ok(())
}

#[tokio::test]
async fn an_operator_says_which() -> Result<()> {
    let some = "[gateway]\nreferrer_policy = \"same-origin\"\ncontent_security_policy = \"off\"\n";
    let off = "[gateway]\nsecurity_headers = \"off\"\n";
    let host = host_with(some).await?;
    host.admin()?.deploy_one(&typed()).await?;
    let page = Request::post("/typed").header("content-type", "text/html");
    let page = page.body(full("a page"))?;
    let answer = Client::http1(host.http).send(page).await?.expect(200)?;
    assert_eq!(answer.header("referrer-policy")?, "same-origin");
    let answer = host.get("/nowhere").await?;
    lacks(&answer, &["content-security-policy"]);
    let host = host_with(off).await?;
    let answer = host.get("/nowhere").await?;
    lacks(&answer, &["referrer-policy", "x-content-type-options"]);
    Ok(())
}
