//! HTTP to WIT and back: where parameters come from, and the forms of values.

use anyhow::{Context as _, Result};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Client, empty, full, json_request};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::values::Type;
use crate::{guests, serving};

/// A service that answers each value with itself, at `POST /TYPE`.
pub fn values() -> Service {
    let service = Service::new("values", guests::ECHO_TYPES)
        .call("GET /several/{first}", "test:echo/values.several")
        .call("POST /several", "test:echo/values.several")
        .call("POST /nothing", "test:echo/values.nothing");
    Type::all().into_iter().fold(service, |service, (name, _)| {
        service.call(
            &format!("POST /{name}"),
            &format!("test:echo/values.echo-{name}"),
        )
    })
}

async fn echoed(host: &HostProcess, path: &str, sent: &str) -> Result<String> {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .body(full(sent.to_owned()))?;
    Ok(Client::http1(host.http)
        .send(request)
        .await?
        .expect(200)?
        .text())
}

/// Equal as JSON Schema sees it: 2 is 2.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let field = |key: &String| one.get(key).zip(other.get(key));
            one.len() == other.len()
                && one
                    .keys()
                    .all(|key| field(key).is_some_and(|(one, other)| same(one, other)))
        }
        _ => one == other,
    }
}

/// The written form, where one value has several.
#[tokio::test]
async fn values_are_written_in_one_form() -> Result<()> {
    let host = serving(&[values()]).await?;
    let forms = [
        ("/u64", "9007199254740992", "9007199254740992"),
        ("/u64", "9007199254740993", "\"9007199254740993\""),
        (
            "/u64",
            "\"18446744073709551615\"",
            "\"18446744073709551615\"",
        ),
        ("/s64", "-9007199254740993", "\"-9007199254740993\""),
        ("/u8", "7.0", "7"),
        ("/f64", "\"NaN\"", "\"NaN\""),
        ("/f64", "\"-Infinity\"", "\"-Infinity\""),
        ("/bytes", "\"-_8\"", "\"+/8=\""),
        ("/enum", "\"light_blue\"", "\"light_blue\""),
        ("/variant", "\"nothing\"", "\"nothing\""),
        ("/variant", "{\"circle\":2}", "{\"circle\":2}"),
        (
            "/flags",
            "[\"execute_all\",\"read\"]",
            "[\"read\",\"execute_all\"]",
        ),
        ("/bare-result", "{\"value\":\"err\"}", "{\"value\":\"err\"}"),
        (
            "/nested-option",
            "{\"value\":{\"some\":null}}",
            "{\"value\":{\"some\":null}}",
        ),
        ("/nested-option", "{}", "{\"value\":null}"),
    ];
    for (path, sent, written) in forms {
        let came = echoed(&host, path, sent)
            .await
            .with_context(|| sent.to_owned())?;
        let (came, written): (Value, Value) =
            (serde_json::from_str(&came)?, serde_json::from_str(written)?);
        assert!(
            same(&came, &written),
            "{path} {sent}: expected {written}, found {came}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn several_parameters_come_from_path_query_and_body() -> Result<()> {
    let host = serving(&[values()]).await?;
    let get = async |path: &str| host.get(path).await;
    assert_eq!(
        get("/several/a?second=7").await?.expect(200)?.json()?,
        json!("a+7+none")
    );
    assert_eq!(
        get("/several/a?second=7&third=true")
            .await?
            .expect(200)?
            .json()?,
        json!("a+7+true")
    );
    for bad in [
        "/several/a",
        "/several/a?second=x",
        "/several/a?second=-1",
        "/several/a?second=7&forth=1",
        "/several/a?second=7&second=8",
        "/several/a?second=4294967296",
    ] {
        let answer = get(bad).await?;
        assert!(
            [400, 422].contains(&answer.status.as_u16()),
            "{bad} got {}",
            answer.status
        );
        answer.problem(answer.status.as_u16())?;
    }
    let posted = host
        .post(
            "/several",
            &json!({ "first": "b", "second": 9, "third": false }),
        )
        .await?;
    assert_eq!(posted.expect(200)?.json()?, json!("b+9+false"));
    let problem = host
        .post("/several", &json!({ "first": "b" }))
        .await?
        .problem(422)?;
    assert_eq!(problem["errors"][0]["pointer"], "/second", "{problem}");
    Ok(())
}

#[tokio::test]
async fn the_content_must_be_json() -> Result<()> {
    let host = serving(&[values()]).await?;
    let post = async |kind: Option<&str>, body: &'static [u8]| {
        let mut request = Request::post("/string");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        Client::http1(host.http)
            .send(request.body(full(body))?)
            .await
    };
    post(Some("application/json"), b"\"a\"")
        .await?
        .expect(200)?;
    post(Some("application/json; charset=utf-8"), b"\"a\"")
        .await?
        .expect(200)?;
    post(Some("text/plain"), b"\"a\"").await?.problem(415)?;
    post(Some("application/json"), b"\"\xff\xfe\"")
        .await?
        .problem(400)?;
    post(Some("application/json"), b"\"a").await?.problem(400)?;
    post(Some("application/json"), b"\"a\" \"b\"")
        .await?
        .problem(400)?;
    let deep = "[".repeat(100_000);
    let request = Request::post("/records")
        .header("content-type", "application/json")
        .body(full(deep))?;
    let answer = Client::http1(host.http).send(request).await?;
    assert!(
        [400, 422].contains(&answer.status.as_u16()),
        "{}",
        answer.status
    );
    Ok(())
}

#[tokio::test]
async fn a_function_without_a_result_answers_nothing() -> Result<()> {
    let host = serving(&[values()]).await?;
    let answer = host.post("/nothing", &json!("x")).await?.expect(204)?;
    assert!(answer.body.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_route_may_name_its_status() -> Result<()> {
    let created = json!({ "target": { "call": "test:echo/values.echo-string" }, "access": "public", "status": 201 });
    let host = serving(&[values().route("POST /created", created)]).await?;
    host.post("/created", &json!("x")).await?.expect(201)?;
    Ok(())
}

/// A name twice in one object is two answers to one question.
#[tokio::test]
async fn a_name_can_not_be_given_twice() -> Result<()> {
    let host = serving(&[values()]).await?;
    let twice = r#"{"first": "a", "first": "b", "second": 1}"#;
    let request = Request::post("/several")
        .header("content-type", "application/json")
        .body(full(twice))?;
    let answer = Client::http1(host.http).send(request).await?;
    assert!(
        [400, 422].contains(&answer.status.as_u16()),
        "{} {}",
        answer.status,
        answer.text()
    );
    let request = json_request(Method::POST, "/string", &json!("fine"))?;
    Client::http1(host.http).send(request).await?.expect(200)?;
    let none = Request::post("/string").body(empty())?;
    assert!(
        Client::http1(host.http)
            .send(none)
            .await?
            .status
            .is_client_error()
    );
    Ok(())
}

#[tokio::test]
async fn a_byte_order_mark_is_told_by_its_name() -> Result<()> {
    let host = serving(&[values()]).await?;
    for (mark, named) in [(&b"\xEF\xBB\xBF"[..], "U+FEFF"), (b"\xFF\xFE", "UTF-16")] {
        let request = Request::post("/string")
            .header("content-type", "application/json")
            .body(full([mark, b"\"a\""].concat()))?;
        let problem = Client::http1(host.http).send(request).await?.problem(400)?;
        assert_eq!(problem["code"], "malformed_json");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(named), "{detail}");
    }
    Ok(())
}

#[tokio::test]
async fn a_query_has_one_reading_or_none() -> Result<()> {
    let host = serving(&[values()]).await?;
    for (query, status) in [("second=1", 200), ("second=1%", 400), ("second=%zz", 400)] {
        let answer = host.get(&format!("/several/a?{query}")).await?;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
    }
    Ok(())
}
