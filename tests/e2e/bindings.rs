//! Parameters that a route takes from a header, and one that is the body as it was sent.

use anyhow::{Result, ensure};
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Body, Client, empty, full};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{answered, guests, host, serving};

/// A public route to a function, with these further settings.
fn bound(target: Value, more: Value) -> Value {
    let mut route = json!({ "target": target, "access": "public" });
    let fields = route.as_object_mut().zip(more.as_object());
    if let Some((route, more)) = fields {
        route.extend(more.clone());
    }
    route
}

/// `POST /raw` and `POST /text` answer their body, `/several/{first}` two of its parameters
/// from headers.
fn echo() -> Service {
    let to = |function: &str, more: Value| {
        bound(
            json!({ "call": format!("test:echo/values.{function}") }),
            more,
        )
    };
    let headers = json!({ "headers": { "second": "x-second", "third": "x-third" } });
    Service::new("values", guests::ECHO_TYPES)
        .route("POST /raw", to("echo-bytes", json!({ "body": "value" })))
        .route("POST /text", to("echo-string", json!({ "body": "value" })))
        .route("GET /several/{first}", to("several", headers))
}

async fn send(
    host: &HostProcess,
    head: (Method, &str),
    headers: &[(&str, &str)],
    body: Body,
) -> Result<Answer> {
    let (method, path) = head;
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Client::http1(host.http).send(request.body(body)?).await
}

async fn get(host: &HostProcess, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    send(host, (Method::GET, path), headers, empty()).await
}

#[tokio::test]
async fn a_header_is_a_parameter() -> Result<()> {
    let host = serving(&[echo()]).await?;
    let both = [("X-Second", "7"), ("x-third", "true")];
    let answer = get(&host, "/several/a", &both).await?.expect(200)?;
    assert_eq!(answer.json()?, json!("a+7+true"));
    let answer = get(&host, "/several/a", &both[..1]).await?.expect(200)?;
    assert_eq!(answer.json()?, json!("a+7+none"));
    for headers in [
        &[][..],
        &[("x-second", "seven")],
        &[("x-second", "7"), ("x-second", "8")],
    ] {
        let problem = get(&host, "/several/a", headers).await?.problem(400)?;
        assert_eq!(problem["code"], "bad_header", "{problem}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        ensure!(
            detail.starts_with("header x-second: expected a whole number"),
            "{detail}"
        );
    }
    // It comes from nowhere else.
    let problem = get(&host, "/several/a?second=7", &both)
        .await?
        .problem(400)?;
    assert_eq!(problem["code"], "bad_query_parameter", "{problem}");
    Ok(())
}

#[tokio::test]
async fn a_body_is_a_parameter_as_it_was_sent() -> Result<()> {
    let host = serving(&[echo()]).await?;
    let post = async |path: &str, headers: &[(&str, &str)], body: &'static [u8]| {
        send(&host, (Method::POST, path), headers, full(body)).await
    };
    let json = [("content-type", "application/json")];
    let coded = [("content-type", "text/plain"), ("content-encoding", "gzip")];
    for (headers, body, echoed) in [
        (&json[..], &b"{\"a\": "[..], "eyJhIjog"),
        (&coded, b"\x00\xff\xfe", "AP/+"),
        (&[], b"", ""),
    ] {
        let answer = post("/raw", headers, body).await?.expect(200)?;
        assert_eq!(answer.json()?, json!(echoed));
    }
    let text = "no \u{4a}SON:\r\n \u{e9}".as_bytes();
    let answer = post("/text", &json, text).await?.expect(200)?;
    assert_eq!(answer.json()?, json!("no JSON:\r\n é"));
    let problem = post("/text", &[], b"\xff").await?.problem(400)?;
    assert_eq!(problem["code"], "malformed_text", "{problem}");
    let long = full(vec![b'x'; (1 << 20) + 1]);
    let problem = send(&host, (Method::POST, "/raw"), &[], long)
        .await?
        .problem(413)?;
    assert_eq!(problem["code"], "body_too_large", "{problem}");
    Ok(())
}

#[tokio::test]
async fn a_queue_keeps_what_its_route_binds() -> Result<()> {
    let queue = json!({ "queue": "test:queue/events.happened" });
    let headers = json!({ "headers": { "key": "x-key" } });
    let sink = Service::new("sink", guests::QUEUE_SINK)
        .route("POST /events", bound(queue, headers))
        .call("GET /heard/{key}", "test:queue/sink.heard")
        .set("queues", json!({ "test:queue/events": { "key": "key" } }));
    let host = serving(&[sink]).await?;
    let event = || full("7");
    let json = ("content-type", "application/json");
    let to = || (Method::POST, "/events");
    send(&host, to(), &[json], event()).await?.problem(400)?;
    send(&host, to(), &[json, ("x-key", "a")], event())
        .await?
        .expect(202)?;
    let heard = async || host.get("/heard/a").await;
    answered(heard, |answer| {
        answer.json().is_ok_and(|found| found == json!([7]))
    })
    .await?;
    Ok(())
}

/// An answer to one value of a header is no answer to another.
#[tokio::test]
async fn kept_answers_are_apart_by_bound_headers() -> Result<()> {
    let increment = |more: Value| {
        let mut route = bound(json!({ "call": "test:state/counter.increment" }), more);
        route["headers"] = json!({ "key": "X-Counter" });
        route
    };
    let state = Service::new("state", guests::STATE)
        .route(
            "GET /count",
            increment(json!({ "cache": { "max_age": "1h" } })),
        )
        .route(
            "POST /count",
            increment(json!({ "idempotency": { "key": "optional" } })),
        );
    let host = serving(&[state]).await?;
    let count = async |key: &'static str| get(&host, "/count", &[("x-counter", key)]).await;
    let first = count("a").await?.expect(200)?;
    assert_eq!(
        (first.header("vary")?, first.json()?),
        ("x-counter", json!(1))
    );
    let again = count("a").await?.expect(200)?;
    ensure!(
        again.header("cache-status")?.starts_with("stoa; hit"),
        "{:?}",
        again.headers
    );
    let other = count("b").await?.expect(200)?;
    assert_eq!(other.header("cache-status")?, "stoa; fwd=uri-miss; stored");

    let add = async |key: &'static str| {
        let headers = [("x-counter", key), ("idempotency-key", "one")];
        send(&host, (Method::POST, "/count"), &headers, empty()).await
    };
    let first = add("c").await?.expect(200)?;
    let again = add("c").await?.expect(200)?;
    assert_eq!(again.json()?, first.json()?);
    assert_eq!(
        add("d").await?.problem(422)?["code"],
        "idempotency_mismatch"
    );
    Ok(())
}

#[tokio::test]
async fn a_document_tells_of_headers_and_the_raw_body() -> Result<()> {
    let host = serving(&[echo()]).await?;
    let admin = host.admin()?;
    let document = admin
        .get("/v1/app/openapi.json")
        .await?
        .expect(200)?
        .json()?;
    let paths = &document["paths"];
    let parameters = &paths["/several/{first}"]["get"]["parameters"];
    assert_eq!(parameters[1]["in"], "header", "{parameters}");
    assert_eq!(parameters[1]["name"], "x-second", "{parameters}");
    assert_eq!(
        paths["/raw"]["post"]["requestBody"]["content"],
        json!({ "*/*": {} })
    );
    Ok(())
}

#[tokio::test]
async fn bindings_that_can_not_be_are_refused_when_they_are_deployed() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let several = json!({ "call": "test:echo/values.several" });
    let cases = [
        (
            json!({ "headers": { "forth": "x-forth" } }),
            "(second, third), each once",
        ),
        (
            json!({ "headers": { "first": "x-first" } }),
            "(second, third), each once",
        ),
        (json!({ "body": "second" }), "expected list<u8>, or string"),
        (
            json!({ "headers": { "second": "Authorization" } }),
            "callers show themselves by it",
        ),
    ];
    for (more, expected) in cases {
        let route = bound(several.clone(), more);
        let service = Service::new("values", guests::ECHO_TYPES).route("POST /{first}", route);
        let faults = format!("{:?}", admin.refused(&service).await?);
        ensure!(
            faults.contains(expected),
            "expected {expected:?} in {faults}"
        );
    }
    Ok(())
}
