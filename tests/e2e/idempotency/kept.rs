//! Which answers are kept, and for how long.

use anyhow::{Result, ensure};
use http::Method;
use serde_json::{Value, json};
use stoa_tests::origin::{Behaviour, Origin};
use stoa_tests::service::Service;

use super::{is_replay, post, services};
use crate::{guests, host, serving};

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
