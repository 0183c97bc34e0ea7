//! Entity tags, and requests that name them: 304 and 412.

use anyhow::{Result, ensure};
use http::Request;
use serde_json::json;
use stoa_tests::client::{Answer, Client, empty};
use stoa_tests::process::HostProcess;

use super::{get, services};
use crate::{hello, serving};

/// An answer to a client that says what it has, which is another.
async fn tagged(host: &HostProcess, path: &str) -> Result<Answer> {
    get(host, path, &[("if-none-match", "\"another\"")])
        .await?
        .expect(200)
}

#[tokio::test]
async fn a_read_of_a_function_has_a_tag_where_something_asks_for_one() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let plain = host.get("/hello/Ada").await?.expect(200)?;
    ensure!(plain.header("etag").is_err(), "nobody asked");
    let whole = tagged(&host, "/hello/Ada").await?;
    let tag = whole.header("etag")?.to_owned();
    assert_eq!(tagged(&host, "/hello/Ada").await?.header("etag")?, tag);
    assert_ne!(tagged(&host, "/hello/Bob").await?.header("etag")?, tag);
    for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let short = get(&host, "/hello/Ada", &[("if-none-match", &known)]).await?;
        assert_eq!(
            (short.status.as_u16(), short.body.len()),
            (304, 0),
            "{known}"
        );
        assert_eq!(short.header("etag")?, tag);
        ensure!(short.header("content-type").is_err());
    }
    let other = get(&host, "/hello/Ada", &[("if-none-match", "\"x\"")]).await?;
    assert_eq!(other.expect(200)?.body, whole.body);
    let head = Request::head("/hello/Ada").header("if-none-match", &tag);
    let head = Client::http1(host.http).send(head.body(empty())?).await?;
    assert_eq!(head.status, 304);
    Ok(())
}

#[tokio::test]
async fn who_wants_another_answer_gets_none() -> Result<()> {
    let [state, _] = services(json!("1h"));
    let host = serving(&[hello(), state]).await?;
    for path in ["/hello/Ada", "/count/a"] {
        let tag = tagged(&host, path).await?.header("etag")?.to_owned();
        // Each run of the other counts on: its tag is the next one's no more.
        for (wanted, status) in [("\"zz\"", 412), ("*", 200), (&*format!("W/{tag}"), 412)] {
            let answer = get(&host, path, &[("if-match", wanted)]).await?;
            assert_eq!(answer.status, status, "{path} {wanted}");
        }
        let both = [("if-match", "\"zz\""), ("if-none-match", "*")];
        let refused = get(&host, path, &both).await?.problem(412)?;
        assert_eq!(refused["code"], json!("precondition_failed"));
    }
    let tag = tagged(&host, "/hello/Ada").await?;
    let tag = tag.header("etag")?;
    let wanted = format!("\"zz\", {tag}");
    get(&host, "/hello/Ada", &[("if-match", &wanted)])
        .await?
        .expect(200)?;
    // What is not there is not there, whatever is wanted.
    get(&host, "/nothing", &[("if-match", "\"zz\"")])
        .await?
        .expect(404)?;
    Ok(())
}
