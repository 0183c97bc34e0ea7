//! What a deployment checks, and that a refusal changes nothing.

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stoa_tests::admin::Fault;
use stoa_tests::client::full;
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, hello, host, host_with, serving};

/// The services as the host shows them, but for what changes by itself.
pub async fn shape(host: &HostProcess) -> Result<Vec<Value>> {
    let mut services = host
        .admin()?
        .get("/v1/services")
        .await?
        .expect(200)?
        .json()?;
    let list = services
        .as_array_mut()
        .context("expected a list of services")?;
    for service in list.iter_mut() {
        service["calls"].take();
        for live in service["live"].as_array_mut().into_iter().flatten() {
            live["pool"].take();
        }
    }
    Ok(std::mem::take(list))
}

#[tokio::test]
async fn a_deployment_tells_its_steps() -> Result<()> {
    let host = host().await?;
    let deployment = host
        .admin()?
        .deploy(&[hello().set("pool.min", json!(2))])
        .await?;
    let finished: Vec<_> = deployment
        .events
        .iter()
        .filter(|event| event["event"] == "finished")
        .inspect(|event| {
            assert!(
                event["micros"].is_u64() && event["service"] == "hello",
                "{event}"
            )
        })
        .filter_map(|event| event["step"].as_str())
        .collect();
    for step in ["verify", "compile", "link", "warm", "swap"] {
        assert!(finished.contains(&step), "no {step} in {finished:?}");
    }
    assert_eq!(deployment.done()?["hello"], 1);
    assert_eq!(host.admin()?.pool("hello").await?["idle"], 2);
    Ok(())
}

/// The outcome is the last event, after the old revision's end if that is told.
#[tokio::test]
async fn a_deployment_ends_with_its_outcome() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let mut progress = host.admin()?.begin(&[hello()]).await?;
    let mut events = Vec::new();
    while let Some(event) = progress.next().await? {
        events.push(event);
    }
    let outcomes: Vec<_> = events
        .iter()
        .map(|event| event["event"] == "done")
        .collect();
    assert_eq!(
        outcomes.iter().filter(|done| **done).count(),
        1,
        "{events:#?}"
    );
    assert_eq!(outcomes.last(), Some(&true), "{events:#?}");
    Ok(())
}

#[tokio::test]
async fn what_is_no_component_is_refused() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let before = shape(&host).await?;
    let whole = std::fs::read(guests::HELLO_FUNCTION)?;
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xFF);
    let bad = [
        ("nothing", Vec::new()),
        ("text", b"#!/bin/sh\nexit 0\n".to_vec()),
        ("a core module", b"\0asm\x01\0\0\0".to_vec()),
        ("a truncated component", whole[..whole.len() / 2].to_vec()),
        (
            "a component without its end",
            whole[..whole.len() - 1].to_vec(),
        ),
        ("a damaged component", damaged),
        (
            "a header alone, of another version",
            b"\0asm\xFF\0\x01\0".to_vec(),
        ),
    ];
    for (what, bytes) in bad {
        let service =
            Service::of_bytes("hello", bytes).call("GET /ping", "test:hello/greeter.ping");
        let refused = match host.admin()?.deploy(&[service]).await {
            Ok(deployment) => deployment.refused(),
            // Refused at the upload already.
            Err(fault) => Ok(vec![Fault {
                service: None,
                code: "upload".into(),
                message: format!("{fault:#}"),
            }]),
        };
        let faults = refused.with_context(|| what.to_owned())?;
        assert!(
            faults.iter().all(|fault| !fault.message.is_empty()),
            "{what}: {faults:?}"
        );
        assert_eq!(shape(&host).await?, before, "{what} changed something");
        host.get("/ping").await?.expect(200)?;
    }
    Ok(())
}

/// Every prefix of a component, coarsely: none crashes the host, none is live.
#[tokio::test]
async fn no_truncation_is_taken() -> Result<()> {
    let host = host().await?;
    let whole = std::fs::read(guests::CHAIN_LEFT)?;
    for part in 1..40 {
        let bytes = whole[..whole.len() * part / 40].to_vec();
        if let Ok(deployment) = host
            .admin()?
            .deploy(&[Service::of_bytes("part", bytes)])
            .await
        {
            deployment
                .refused()
                .with_context(|| format!("{part}/40 of a component"))?;
        }
    }
    assert_eq!(shape(&host).await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn an_oversize_component_is_refused() -> Result<()> {
    let host = host_with("[engine]\nmax_component = \"80KiB\"\n").await?;
    host.admin()?.deploy_one(&hello()).await?;
    let large = std::fs::read(guests::STATE)?;
    let digest = hex::encode(Sha256::digest(&large));
    let answer = host
        .admin()?
        .send(
            Method::PUT,
            &format!("/v1/components/{digest}"),
            full(large),
        )
        .await?;
    answer.problem(413)?;
    Ok(())
}

#[tokio::test]
async fn an_upload_must_be_what_it_says() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let component = std::fs::read(guests::HELLO_FUNCTION)?;
    let digest = hex::encode(Sha256::digest(&component));
    let path = format!("/v1/components/{digest}");
    admin
        .send(Method::HEAD, &path, full(""))
        .await?
        .expect(404)?;
    let other = admin
        .send(Method::PUT, &path, full(component[1..].to_vec()))
        .await?;
    assert!(other.status.is_client_error(), "{}", other.status);
    admin
        .send(Method::HEAD, &path, full(""))
        .await?
        .expect(404)?;
    admin.upload(&component).await?;
    admin
        .send(Method::HEAD, &path, full(""))
        .await?
        .expect(200)?;
    let bad = admin
        .send(Method::PUT, "/v1/components/not-a-digest", full(component))
        .await?;
    assert!(bad.status.is_client_error(), "{}", bad.status);
    Ok(())
}

#[tokio::test]
async fn a_component_must_be_uploaded_first() -> Result<()> {
    let host = host().await?;
    let body = json!({ "services": [hello().request(&"ab".repeat(32))] });
    let answer = host
        .admin()?
        .json(Method::POST, "/v1/deployments", &body)
        .await?;
    let told = answer.text();
    assert!(
        told.contains("refused") && told.contains("PUT /v1/components/"),
        "{} {told}",
        answer.status
    );
    assert_eq!(shape(&host).await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn a_service_may_refuse_its_own_revision() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let patient =
        || Service::new("patient", guests::HEALTH).call("GET /patient", "test:hello/greeter.ping");
    admin.deploy_one(&patient()).await?;
    let before = shape(&host).await?;
    let faults = admin
        .refused(&patient().set("config.health", json!("a cold")))
        .await?;
    assert!(
        faults
            .iter()
            .any(|fault| fault.message.contains("not well: a cold")),
        "{faults:?}"
    );
    let faults = admin
        .refused(&patient().set("config.health", json!("trap")))
        .await?;
    assert!(!faults.is_empty());
    assert_eq!(shape(&host).await?, before);
    host.get("/patient").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn settings_are_read_strictly() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    for (path, value) in [
        ("pol", json!({})),
        ("pool.mx", json!(3)),
        ("limits.deadline", json!("soon")),
        ("pool.max", json!(-1)),
    ] {
        let deployment = admin.deploy(&[hello().set(path, value.clone())]).await?;
        let faults = deployment
            .refused()
            .with_context(|| format!("{path} = {value}"))?;
        assert!(!faults[0].message.is_empty(), "{faults:?}");
    }
    for name in ["", "Hello", "a/b", "a b", "-a", &"a".repeat(300)] {
        let service = hello().named(name);
        let faults = admin
            .deploy(&[service])
            .await?
            .refused()
            .with_context(|| format!("a service named {name:?}"))?;
        assert!(!faults[0].message.is_empty(), "{faults:?}");
    }
    assert_eq!(shape(&host).await?, Vec::<Value>::new());
    Ok(())
}

/// Its health function answers in a day, and may take two: all that is read and changed
/// meanwhile is so while it hangs.
#[tokio::test]
async fn nothing_waits_for_a_deployment_of_another() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let admin = host.admin()?;
    let before = shape(&host).await?;
    let silent = Service::new("patient", guests::HEALTH)
        .set("config.health", json!("silent"))
        .set("limits.deadline", json!("48h"));
    let mut progress = admin.begin(&[silent]).await?;
    let warming = |event: &Value| event["event"] == "started" && event["step"] == "warm";
    while !warming(&progress.next().await?.context("it hangs later")?) {}
    for path in [
        "/readyz",
        "/metrics",
        "/v1/services",
        "/v1/services/hello",
        "/v1/services/hello/revisions",
        "/v1/services/hello/config",
        "/v1/services/hello/config-history",
        "/v1/services/hello/breaker",
        "/v1/services/hello/contract",
        "/v1/services/hello/openapi",
        "/v1/app/openapi.json",
        "/v1/routes",
        "/v1/secrets",
        "/v1/discovery",
        "/v1/upstreams",
    ] {
        let answer = admin.get(path).await.with_context(|| path.to_owned())?;
        answer.expect(200).with_context(|| path.to_owned())?;
    }
    assert_eq!(shape(&host).await?, before);
    host.get("/ping").await?.expect(200)?;
    let under_way = admin.get("/v1/deployments").await?.expect(200)?;
    assert_eq!(under_way.json()?, json!({ "services": ["patient"] }));
    // Nor does what changes another service.
    for (method, path, body) in [
        (Method::PUT, "scale", json!({ "min": 2 })),
        (Method::POST, "drain", json!({})),
        (Method::DELETE, "drain", json!({})),
    ] {
        let path = format!("/v1/services/hello/{path}");
        let answer = admin.json(method, &path, &body).await;
        answer.with_context(|| path.clone())?.expect(200)?;
    }
    host.get("/ping").await?.expect(200)?;
    // What is removed meanwhile stays so.
    let gone = admin.json(Method::DELETE, "/v1/services/hello", &Value::Null);
    gone.await?.expect(204)?;
    assert_eq!(shape(&host).await?, Vec::<Value>::new());
    Ok(())
}
