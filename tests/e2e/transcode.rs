//! HTTP to WIT and back: every type by property, every fault with its place.

use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use http::{Method, Request};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use stoa_tests::client::{Client, empty, full, json_request};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::runtime::Runtime;

use crate::values::Type;
use crate::{guests, serving};

fn values() -> Service {
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

/// A host, and a client whose answers a property can wait for.
struct Bench {
    runtime: Runtime,
    client: Mutex<Client>,
    _host: HostProcess,
}

impl Bench {
    fn new() -> Result<Self> {
        let runtime = Runtime::new()?;
        let host = runtime.block_on(serving(&[values()]))?;
        Ok(Self {
            client: Mutex::new(Client::http1(host.http)),
            runtime,
            _host: host,
        })
    }

    fn post(&self, path: &str, body: String) -> Result<stoa_tests::client::Answer> {
        let mut client = self
            .client
            .lock()
            .expect("no property panics with the client");
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(full(body))?;
        self.runtime.block_on(client.send(request))
    }

    /// Runs a property for each type, with what it makes of the type.
    fn for_each<S: Strategy>(
        &self,
        cases: u32,
        make: impl Fn(&Type) -> S,
        property: impl Fn(&str, &Type, S::Value) -> Result<()>,
    ) -> Result<()> {
        for (name, ty) in Type::all() {
            let mut runner = TestRunner::new(Config {
                cases,
                failure_persistence: None,
                ..Config::default()
            });
            let checked = runner.run(&make(&ty), |value| {
                property(name, &ty, value)
                    .map_err(|fault| TestCaseError::fail(format!("{fault:#}")))
            });
            checked.map_err(|fault| anyhow::anyhow!("{name}: {fault}"))?;
        }
        Ok(())
    }
}

/// An answer's value: none is 204, without a body.
fn body(answer: &stoa_tests::client::Answer) -> Result<Value> {
    match answer.status.as_u16() {
        204 => Ok(Value::Null),
        200 => answer.json(),
        _ => anyhow::bail!("{}: {}", answer.status, answer.text()),
    }
}

#[test]
fn every_value_comes_back_as_it_went() -> Result<()> {
    let bench = Bench::new()?;
    bench.for_each(128, Type::fitting, |name, ty, sent| {
        let answer = bench.post(&format!("/{name}"), sent.to_string())?;
        let came = body(&answer).with_context(|| format!("for {sent}"))?;
        let (meant, means) = (ty.meaning(&sent), ty.meaning(&came));
        ensure!(meant.is_some(), "the model disagrees with itself on {sent}");
        ensure!(meant == means, "sent {sent}, found {came}");
        Ok(())
    })
}

/// JSON with one place damaged: it is taken exactly where it still fits, and
/// what is refused says where, before the guest sees it.
#[test]
fn what_does_not_fit_is_refused_with_its_place() -> Result<()> {
    let bench = Bench::new()?;
    bench.for_each(256, Type::damaged, |name, ty, (sent, place)| {
        let answer = bench.post(&format!("/{name}"), sent.to_string())?;
        let Some(meant) = ty.meaning(&sent) else {
            let problem = answer.problem(422).with_context(|| format!("for {sent}"))?;
            let pointer = problem["errors"][0]["pointer"]
                .as_str()
                .with_context(|| format!("no pointer in {problem}"))?;
            let near = place.starts_with(pointer) || pointer.starts_with(&place);
            ensure!(near, "damaged at {place:?}, but {problem} for {sent}");
            return Ok(());
        };
        let came = body(&answer).with_context(|| format!("for {sent}"))?;
        ensure!(
            Some(meant) == ty.meaning(&came),
            "sent {sent}, found {came}"
        );
        Ok(())
    })
}

/// Any bytes at all: refused or taken, never more than that.
#[test]
fn no_body_breaks_the_host() -> Result<()> {
    let bench = Bench::new()?;
    let bytes = "\\PC{0,40}|[\\[\\]{}:,\"0-9a-z\\\\. eE+-]{0,60}";
    bench.for_each(
        64,
        |_| bytes,
        |name, _, sent| {
            let answer = bench.post(&format!("/{name}"), sent.clone())?;
            let expected = [200, 204, 400, 422].contains(&answer.status.as_u16());
            ensure!(
                expected,
                "{} for {sent:?}: {}",
                answer.status,
                answer.text()
            );
            Ok(())
        },
    )
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
        let same = came == written
            || came
                .as_f64()
                .is_some_and(|came| Some(came) == written.as_f64());
        assert!(same, "{path} {sent}: expected {written}, found {came}");
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
