//! State, configuration, and what the host says of a call.

use anyhow::Result;
use futures::future::try_join_all;
use http::{Method, Request};
use serde_json::{Value, json};
use stoa_tests::client::{Client, empty, json_request};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, host_with, rejections, serving};

fn state(name: &str) -> Service {
    let function = |function: &str| format!("test:state/counter.{function}");
    Service::new(name, guests::STATE)
        .call(&format!("PUT /{name}/keys/{{key}}"), &function("set"))
        .call(&format!("GET /{name}/keys/{{key}}"), &function("get"))
        .call(&format!("DELETE /{name}/keys/{{key}}"), &function("delete"))
        .call(&format!("GET /{name}/exists/{{key}}"), &function("exists"))
        .call(&format!("GET /{name}/keys"), &function("keys"))
        .call(
            &format!("POST /{name}/increments/{{key}}"),
            &function("increment"),
        )
        .call(&format!("POST /{name}/swaps/{{key}}"), &function("swap"))
        .call(&format!("POST /{name}/batch"), &function("batch"))
        .call(&format!("POST /{name}/read-from"), &function("read-from"))
        .call(&format!("GET /{name}/config/{{key}}"), &function("config"))
        .call(&format!("GET /{name}/config"), &function("config-all"))
        .call(
            &format!("POST /{name}/this-call"),
            "test:state/mirror.this-call",
        )
}

async fn put(host: &HostProcess, path: &str, value: &str) -> Result<()> {
    Client::http1(host.http)
        .send(json_request(Method::PUT, path, &json!(value))?)
        .await?
        .expect(204)?;
    Ok(())
}

/// The value of a key: none is 204.
async fn value(host: &HostProcess, path: &str) -> Result<Value> {
    let answer = host.get(path).await?;
    if answer.status == 204 {
        Ok(Value::Null)
    } else {
        answer.expect(200)?.json()
    }
}

#[tokio::test]
async fn keys_are_kept_and_listed() -> Result<()> {
    let host = serving(&[state("a")]).await?;
    assert_eq!(value(&host, "/a/keys/one").await?, Value::Null);
    for key in ["one", "two", "three"] {
        put(&host, &format!("/a/keys/{key}"), &format!("value of {key}")).await?;
    }
    assert_eq!(value(&host, "/a/keys/two").await?, json!("value of two"));
    let mut keys: Vec<String> = serde_json::from_value(value(&host, "/a/keys").await?)?;
    keys.sort();
    assert_eq!(keys, ["one", "three", "two"]);
    put(&host, "/a/keys/two", "").await?;
    assert_eq!(value(&host, "/a/keys/two").await?, json!(""));
    Client::http1(host.http)
        .send(Request::delete("/a/keys/two").body(empty())?)
        .await?
        .expect(204)?;
    assert_eq!(value(&host, "/a/exists/two").await?, json!(false));
    assert_eq!(value(&host, "/a/exists/one").await?, json!(true));
    let batch = host
        .post("/a/batch", &json!([["x", "1"], ["y", "2"]]))
        .await?
        .expect(200)?;
    assert_eq!(batch.json()?, json!(["1", "2"]));
    Ok(())
}

#[tokio::test]
async fn many_keys_are_listed_each_once() -> Result<()> {
    let host = serving(&[state("a")]).await?;
    // A batch has a limit, a bucket has none.
    for part in 0..5 {
        let numbers = part * 500..(part + 1) * 500;
        let entries: Vec<_> = numbers
            .map(|n| json!([format!("key-{n:05}"), "v"]))
            .collect();
        host.post("/a/batch", &json!(entries)).await?.expect(200)?;
    }
    let mut keys: Vec<String> = serde_json::from_value(value(&host, "/a/keys").await?)?;
    keys.sort();
    let expected: Vec<_> = (0..2500).map(|n| format!("key-{n:05}")).collect();
    assert_eq!(keys, expected);
    Ok(())
}

/// Increments and swaps from many calls at once: none is lost, none counted twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn atomics_are_atomic() -> Result<()> {
    const TASKS: u64 = 16;
    const TURNS: u64 = 10;
    let host = serving(&[state("a")]).await?;
    let tasks = (0..TASKS).map(|_| async {
        let mut client = Client::http1(host.http);
        let mut seen = Vec::new();
        for _ in 0..TURNS {
            seen.push(
                client
                    .post("/a/increments/n", &Value::Null)
                    .await?
                    .expect(200)?
                    .json()?
                    .as_u64(),
            );
            client.post("/a/swaps/m", &Value::Null).await?.expect(200)?;
        }
        anyhow::Ok(seen)
    });
    let mut seen: Vec<_> = try_join_all(tasks).await?.into_iter().flatten().collect();
    seen.sort();
    let expected: Vec<_> = (1..=TASKS * TURNS).map(Some).collect();
    assert_eq!(seen, expected);
    assert_eq!(
        value(&host, "/a/keys/m").await?,
        json!((TASKS * TURNS).to_string())
    );
    Ok(())
}

#[tokio::test]
async fn buckets_belong_to_their_service() -> Result<()> {
    let host = serving(&[state("a"), state("b")]).await?;
    put(&host, "/a/keys/secret", "of a").await?;
    assert_eq!(
        value(&host, "/b/keys/secret").await?,
        Value::Null,
        "a bucket of the same name is another one"
    );
    let read = json!({ "bucket": "a/test", "key": "secret" });
    let refused = host.post("/b/read-from", &read).await?;
    assert!(
        refused.status.is_server_error() && !refused.text().contains("of a"),
        "{refused:?}"
    );
    assert_eq!(rejections(&host, "grant", 1).await?, 1);

    host.admin()?
        .deploy_one(&state("b").set("grants.keyvalue", json!(["a/test"])))
        .await?;
    assert_eq!(
        host.post("/b/read-from", &read)
            .await?
            .expect(200)?
            .json()?,
        json!("of a")
    );
    let other = host
        .post(
            "/b/read-from",
            &json!({ "bucket": "a/other", "key": "secret" }),
        )
        .await?;
    assert!(other.status.is_server_error(), "{other:?}");
    host.admin()?
        .deploy_one(&state("b").set("grants.keyvalue", json!(["a"])))
        .await?;
    assert_eq!(
        host.post("/b/read-from", &read)
            .await?
            .expect(200)?
            .json()?,
        json!("of a")
    );
    Ok(())
}

#[tokio::test]
async fn state_outlives_its_revision_until_it_is_purged() -> Result<()> {
    let host = serving(&[state("a")]).await?;
    let admin = host.admin()?;
    put(&host, "/a/keys/k", "kept").await?;
    admin.deploy_one(&state("a")).await?;
    assert_eq!(value(&host, "/a/keys/k").await?, json!("kept"));
    admin
        .send(Method::DELETE, "/v1/services/a", empty())
        .await?
        .expect(204)?;
    host.get("/a/keys/k").await?.problem(404)?;
    admin.deploy_one(&state("a")).await?;
    assert_eq!(value(&host, "/a/keys/k").await?, json!("kept"));
    admin
        .send(Method::DELETE, "/v1/services/a?purge=true", empty())
        .await?
        .expect(204)?;
    admin.deploy_one(&state("a")).await?;
    assert_eq!(value(&host, "/a/keys/k").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn configuration_is_the_services_own() -> Result<()> {
    let a = state("a")
        .set("config.colour", json!("blue"))
        .set("config.size", json!("9"));
    let host = serving(&[a, state("b")]).await?;
    assert_eq!(value(&host, "/a/config/colour").await?, json!("blue"));
    assert_eq!(value(&host, "/b/config/colour").await?, Value::Null);
    let mut all: Vec<(String, String)> = serde_json::from_value(value(&host, "/a/config").await?)?;
    all.sort();
    assert_eq!(
        all,
        [
            ("colour".into(), "blue".into()),
            ("size".into(), "9".into())
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_call_knows_its_request() -> Result<()> {
    let host = host_with("region = \"eu-north\"\n").await?;
    host.admin()?
        .deploy_one(&state("a").set("limits.deadline", json!("7s")))
        .await?;
    let request = Request::post("/a/this-call")
        .header("idempotency-key", "order-77")
        .header("if-match", "\"3\"");
    let seen = Client::http1(host.http)
        .send(request.body(empty())?)
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(seen["idempotency_key"], "order-77");
    assert_eq!(seen["if_match"], "3");
    assert_eq!(seen["region"], "eu-north");
    assert_eq!(seen["subject"], Value::Null);
    let left = seen["remaining_ms"].as_u64().unwrap_or_default();
    assert!((1..=7000).contains(&left), "{seen}");
    let bare = host
        .post("/a/this-call", &Value::Null)
        .await?
        .expect(200)?
        .json()?;
    assert_eq!(
        (&bare["idempotency_key"], &bare["if_match"]),
        (&Value::Null, &Value::Null)
    );
    Ok(())
}
