//! Idempotency keys: one run for each, and the same answer to all who ask.

mod abandoned;
mod kept;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client, empty, json_request};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, serving};

/// `POST /increments/{key}` counts its runs; so does `/counted`, by `wasi:http`.
fn services(key: &str) -> [Service; 2] {
    let route = |target: Value| json!({ "target": target, "access": "public", "idempotency": { "key": key } });
    let function = |name: &str| json!({ "call": format!("test:state/counter.{name}") });
    let state = Service::new("state", guests::STATE)
        .route("POST /increments/{key}", route(function("increment")))
        .route("POST /batch", route(function("batch")))
        .call("PUT /keys/{key}", "test:state/counter.set")
        .call("GET /keys/{key}", "test:state/counter.get")
        .route(
            "POST /this-call",
            route(json!({ "call": "test:state/mirror.this-call" })),
        );
    let counted = Service::new("counted", guests::COUNTED_P2)
        .set("pool.max", json!(1))
        .route("/counted", route(json!("http")));
    [state, counted]
}

async fn post(host: &HostProcess, path: &str, key: &str, body: &Value) -> Result<Answer> {
    let mut request = json_request(Method::POST, path, body)?;
    request
        .headers_mut()
        .insert("idempotency-key", key.parse()?);
    Client::http1(host.http).send(request).await
}

fn is_replay(answer: &Answer) -> bool {
    answer
        .header("idempotency-replayed")
        .is_ok_and(|value| value == "true")
}

#[tokio::test]
async fn the_first_answer_is_replayed() -> Result<()> {
    let host = serving(&services("optional")).await?;
    for path in ["/increments/a", "/counted?status=201&x-own=mine"] {
        let first = post(&host, path, "one", &Value::Null).await?;
        ensure!(!is_replay(&first) && first.status.is_success());
        for key in ["one", "\"one\""] {
            let again = post(&host, path, key, &Value::Null).await?;
            ensure!(is_replay(&again), "{path}: {:?}", again.headers);
            assert_eq!(again.status, first.status);
            assert_eq!(again.body, first.body);
            assert_eq!(
                again.header("content-type").ok(),
                first.header("content-type").ok()
            );
            assert_eq!(again.header("x-own").ok(), first.header("x-own").ok());
            assert_ne!(again.header("x-request-id")?, first.header("x-request-id")?);
        }
        let other = post(&host, path, "two", &Value::Null).await?;
        ensure!(!is_replay(&other) && other.body != first.body);
        let without = host.post(path, &Value::Null).await?;
        ensure!(!is_replay(&without) && without.body != other.body);
    }
    let metrics = host.admin()?.metrics().await?;
    ensure!(
        metrics.contains("stoa_idempotency_total{result=\"replayed\"} 4"),
        "{metrics}"
    );
    Ok(())
}

#[tokio::test]
async fn another_request_with_the_same_key_is_refused() -> Result<()> {
    let host = serving(&services("optional")).await?;
    post(&host, "/increments/a", "one", &Value::Null)
        .await?
        .expect(200)?;
    let other = post(&host, "/increments/b", "one", &Value::Null).await?;
    assert_eq!(other.problem(422)?["code"], json!("idempotency_mismatch"));
    let batch = |value: &str| json!([["k", value]]);
    post(&host, "/batch", "one", &batch("v"))
        .await?
        .expect(200)?;
    let other = post(&host, "/batch", "one", &batch("w")).await?;
    assert_eq!(other.problem(422)?["code"], json!("idempotency_mismatch"));
    assert_eq!(host.get("/keys/k").await?.json()?, json!("v"));
    Ok(())
}

#[tokio::test]
async fn a_route_can_insist_on_a_key() -> Result<()> {
    let host = serving(&services("required")).await?;
    let without = host.post("/increments/a", &Value::Null).await?;
    assert_eq!(
        without.problem(400)?["code"],
        json!("idempotency_key_missing")
    );
    for key in ["a b", "\"a", &"k".repeat(256)] {
        let bad = post(&host, "/increments/a", key, &Value::Null).await?;
        assert_eq!(
            bad.problem(400)?["code"],
            json!("idempotency_key_malformed")
        );
    }
    let call = post(&host, "/this-call", "\"the key\"", &Value::Null)
        .await?
        .expect(200)?;
    assert_eq!(call.json()?["idempotency_key"], json!("the key"));
    // A safe method of a route for any method has none.
    let read = Request::get("/counted").body(empty())?;
    Client::http1(host.http).send(read).await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_run_once() -> Result<()> {
    let host = serving(&services("required")).await?;
    for path in ["/increments/a", "/counted?wait=20"] {
        let answers = try_join_all((0..32).map(|_| post(&host, path, "one", &Value::Null))).await?;
        let mut first = 0;
        for answer in answers {
            match answer.status.as_u16() {
                409 => {
                    assert_eq!(answer.problem(409)?["code"], json!("idempotency_in_flight"));
                    assert_eq!(answer.header("retry-after")?, "1");
                }
                status => {
                    ensure!(
                        status == 200 && answer.text().starts_with('1'),
                        "{}",
                        answer.text()
                    );
                    first += usize::from(!is_replay(&answer));
                }
            }
        }
        assert_eq!(first, 1);
    }
    Ok(())
}

/// Who shows the service other credentials is another caller, though the host
/// knows neither.
#[tokio::test]
async fn callers_that_only_the_service_knows_share_no_answers() -> Result<()> {
    let host = serving(&services("required")).await?;
    for name in ["authorization", "cookie"] {
        let as_caller = async |path: &str, caller: &'static str| -> Result<Answer> {
            let mut request = json_request(Method::POST, path, &Value::Null)?;
            let headers = request.headers_mut();
            headers.insert("idempotency-key", name.parse()?);
            headers.insert(name, caller.parse()?);
            Client::http1(host.http).send(request).await?.expect(200)
        };
        let ann = as_caller("/counted", "Basic ann").await?;
        let bob = as_caller("/counted", "Basic bob").await?;
        ensure!(!is_replay(&bob) && bob.body != ann.body, "{name}");
        let again = as_caller("/counted", "Basic ann").await?;
        ensure!(is_replay(&again) && again.body == ann.body, "{name}");
        // A function sees neither.
        let ann = as_caller("/increments/a", "Basic ann").await?;
        let bob = as_caller("/increments/a", "Basic bob").await?;
        ensure!(is_replay(&bob) && bob.body == ann.body, "{name}");
    }
    Ok(())
}
