//! Idempotency keys: one run for each, and the same answer to all who ask.

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Answer, Client, empty, json_request};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, host, serving};

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

/// Who asks for something that is deleted must not be told that it is there.
#[tokio::test]
async fn answers_go_with_the_state_that_they_tell_of() -> Result<()> {
    let services = services("optional");
    let host = serving(&services).await?;
    let ask = async || {
        let state = post(&host, "/increments/a", "one", &Value::Null).await?;
        let other = post(&host, "/counted", "one", &Value::Null).await?;
        Ok::<_, anyhow::Error>((is_replay(&state), is_replay(&other)))
    };
    assert_eq!(ask().await?, (false, false));
    assert_eq!(ask().await?, (true, true));
    for (purges, replayed) in [(&[][..], true), (&["--purge"], false)] {
        let undeploy = [&["undeploy", "state"], purges].concat();
        host.cli(&undeploy).await?.expect(0)?;
        host.admin()?.deploy_one(&services[0]).await?;
        assert_eq!(ask().await?, (replayed, true), "{purges:?}");
    }
    Ok(())
}

/// Of an upstream the host has nothing else.
#[tokio::test]
async fn the_answers_of_an_upstream_go_with_a_purge() -> Result<()> {
    let origin = Origin::start("one", Behaviour::Echo).await?;
    let host = host().await?;
    let admin = host.admin()?;
    let route = json!({ "path": "/pay", "target": "http", "access": "public", "idempotency": { "key": "required" } });
    let settings = json!({ "targets": [origin.url()], "routes": [route] });
    let path = "/v1/upstreams/legacy";
    let ask = async || {
        admin
            .json(Method::PUT, path, &settings)
            .await?
            .expect(200)?;
        let answer = post(&host, "/pay", "one", &Value::Null).await?;
        Ok::<_, anyhow::Error>(is_replay(&answer.expect(200)?))
    };
    ensure!(!ask().await? && ask().await?);
    for (purges, replayed) in [(&[][..], true), (&["--purge"], false)] {
        let undeploy = [&["undeploy", "legacy"], purges].concat();
        host.cli(&undeploy).await?.expect(0)?;
        assert_eq!(ask().await?, replayed, "{purges:?}");
    }
    Ok(())
}

/// What the service did before its neighbour took no call must not be done twice.
#[tokio::test]
async fn a_call_that_ended_at_a_neighbour_is_kept() -> Result<()> {
    let bounce = json!({
        "target": { "call": "test:chain/left.bounce" },
        "access": "public",
        "idempotency": { "key": "required" },
    });
    let left = Service::new("left", guests::CHAIN_LEFT).route("POST /bounce/{n}", bounce);
    let host = serving(&[left, Service::new("right", guests::CHAIN_RIGHT)]).await?;
    let hold = async |state: &str| {
        host.cli(&["breaker", "right", state])
            .await?
            .expect(0)
            .map(drop)
    };
    hold("open").await?;
    let refused = post(&host, "/bounce/1", "one", &Value::Null).await?;
    refused.problem(503)?;
    hold("auto").await?;
    let answer = post(&host, "/bounce/1", "one", &Value::Null).await?;
    answer.problem(503)?;
    ensure!(is_replay(&answer));
    let other = post(&host, "/bounce/1", "two", &Value::Null).await?;
    ensure!(!is_replay(&other.expect(200)?));
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

/// A client that gives up is the one that asks again.
#[tokio::test]
async fn a_call_goes_on_without_its_client() -> Result<()> {
    let host = serving(&services("required")).await?;
    let path = "/counted?wait=300";
    let abandoned = tokio::spawn({
        let mut request = json_request(Method::POST, path, &Value::Null)?;
        request
            .headers_mut()
            .insert("idempotency-key", "one".parse()?);
        let mut client = Client::http1(host.http);
        async move { client.send(request).await }
    });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    abandoned.abort();
    loop {
        let answer = post(&host, path, "one", &Value::Null).await?;
        if answer.status == 409 {
            continue;
        }
        ensure!(is_replay(&answer), "{}", answer.status);
        assert_eq!(answer.text(), "1 ");
        return Ok(());
    }
}

#[tokio::test]
async fn answers_survive_a_crash_and_a_new_revision() -> Result<()> {
    let mut host = serving(&services("required")).await?;
    let mut first = Vec::new();
    for n in 0..10 {
        let answer = post(&host, "/increments/a", &n.to_string(), &Value::Null).await?;
        first.push(answer.expect(200)?.body);
    }
    host = host.crash_and_restart().await?;
    host.admin()?.deploy_all(&services("optional")).await?;
    for (n, body) in first.iter().enumerate() {
        let again = post(&host, "/increments/a", &n.to_string(), &Value::Null).await?;
        ensure!(is_replay(&again));
        assert_eq!(again.body, body);
    }
    let next = post(&host, "/increments/a", "next", &Value::Null)
        .await?
        .expect(200)?;
    assert_eq!(next.json()?, json!(11));
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

#[tokio::test]
async fn an_answer_that_does_not_end_misses_the_deadline() -> Result<()> {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let origin = Origin::start("one", Behaviour::Events(head.to_owned())).await?;
    let host = host().await?;
    let route = json!({ "path": "/events", "target": "http", "access": "public", "idempotency": { "key": "required" } });
    let settings = json!({
        "targets": [origin.url()],
        "routes": [route],
        "limits": { "deadline": "300ms" },
    });
    let declared = host.admin()?;
    let declared = declared.json(Method::PUT, "/v1/upstreams/legacy", &settings);
    declared.await?.expect(200)?;
    let first = post(&host, "/events", "one", &Value::Null).await?;
    first.problem(504)?;
    let again = post(&host, "/events", "one", &Value::Null).await?;
    ensure!(is_replay(&again) && again.status == first.status);
    assert_eq!(origin.requests(), 1);
    Ok(())
}

/// The client has left, and then the host is to end.
#[tokio::test]
async fn a_host_ends_after_the_calls_that_go_on_without_a_client() -> Result<()> {
    let mut host = serving(&services("required")).await?;
    let path = "/counted?wait=1000";
    let mut request = json_request(Method::POST, path, &Value::Null)?;
    request
        .headers_mut()
        .insert("idempotency-key", "one".parse()?);
    let mut client = Client::http1(host.http);
    let abandoned = tokio::spawn(async move { client.send(request).await });
    while host.admin()?.pool("counted").await?["busy"] != 1 {
        tokio::task::yield_now().await;
    }
    abandoned.abort();
    host.terminate().await?;
    assert_eq!(host.wait().await?.code(), Some(0));
    host = host.restart().await?;
    let answer = post(&host, path, "one", &Value::Null).await?;
    ensure!(is_replay(&answer), "{}", answer.status);
    Ok(())
}

/// A key is free again when its window is over.
#[tokio::test]
async fn a_window_ends() -> Result<()> {
    let keyed = json!({
        "target": { "call": "test:state/counter.increment" },
        "access": "public",
        "idempotency": { "key": "required", "window": "50ms" },
    });
    let state = Service::new("state", guests::STATE).route("POST /increments/{key}", keyed);
    let host = serving(&[state]).await?;
    post(&host, "/increments/a", "one", &Value::Null)
        .await?
        .expect(200)?;
    loop {
        let answer = post(&host, "/increments/a", "one", &Value::Null)
            .await?
            .expect(200)?;
        if !is_replay(&answer) {
            assert_eq!(answer.json()?, json!(2));
            return Ok(());
        }
    }
}

#[tokio::test]
async fn what_did_not_happen_is_not_kept_and_what_failed_is() -> Result<()> {
    let host = serving(&services("required")).await?;
    // The host's own refusal of a body: the call did not run.
    let bad = post(&host, "/batch", "one", &json!("not a list")).await?;
    assert_eq!(bad.status, 422);
    post(&host, "/batch", "one", &json!([["k", "v"]]))
        .await?
        .expect(200)?;
    // The service says "not now".
    for run in 1..3 {
        let busy = post(&host, "/counted?status=503", "busy", &Value::Null).await?;
        assert_eq!(
            (busy.status.as_u16(), busy.text()),
            (503, format!("{run} "))
        );
    }
    let failed = post(&host, "/counted?status=500", "failed", &Value::Null).await?;
    let again = post(&host, "/counted?status=500", "failed", &Value::Null).await?;
    ensure!(is_replay(&again) && again.status == 500 && again.body == failed.body);
    Ok(())
}

#[tokio::test]
async fn an_answer_too_long_to_keep_is_not_run_again() -> Result<()> {
    let host = serving(&services("required")).await?;
    for (length, replayed) in [
        (256 << 10, true),
        ((256 << 10) + 1, false),
        (3 << 20, false),
    ] {
        let path = format!("/counted?length={length}");
        let first = post(&host, &path, &length.to_string(), &Value::Null)
            .await?
            .expect(200)?;
        assert_eq!(first.body.len(), length);
        let again = post(&host, &path, &length.to_string(), &Value::Null).await?;
        if replayed {
            ensure!(is_replay(&again));
            assert_eq!(again.body, first.body);
        } else {
            let problem = again.problem(409)?;
            assert_eq!(problem["code"], json!("idempotency_answer_too_large"));
        }
    }
    Ok(())
}
