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

fn provider(file: &str) -> Service {
    Service::new("provider", file).call("GET /version", "test:versioned/answers.version")
}

fn consumer() -> Service {
    Service::new("consumer", guests::CONSUMER)
        .call("GET /line/{question}", "test:versioned/report.line")
}

/// The fault of this code; its message names all of these.
fn fault<'a>(faults: &'a [Fault], code: &str, names: &[&str]) -> Result<&'a Fault> {
    let fault = faults
        .iter()
        .find(|fault| fault.code == code)
        .with_context(|| format!("expected {code}, found {faults:#?}"))?;
    for name in names {
        assert!(
            fault.message.contains(name),
            "expected {name} in {:?}",
            fault.message
        );
    }
    Ok(fault)
}

/// The services as the host shows them, but for what changes by itself.
async fn shape(host: &HostProcess) -> Result<Vec<Value>> {
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
    assert!(
        answer.status.is_client_error() || answer.text().contains("refused"),
        "{} {}",
        answer.status,
        answer.text()
    );
    assert_eq!(shape(&host).await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn an_import_that_nothing_exports_is_refused() -> Result<()> {
    let host = host().await?;
    let faults = host
        .admin()?
        .refused(&Service::new("odd", guests::UNKNOWN_IMPORT))
        .await?;
    let found = fault(&faults, "unknown_import", &["test:guests/nobody"])?;
    assert_eq!(found.service.as_deref(), Some("odd"));
    // It needs a provider, and there is none yet.
    let faults = host.admin()?.refused(&consumer()).await?;
    fault(&faults, "unknown_import", &["test:versioned/answers"])?;
    Ok(())
}

#[tokio::test]
async fn a_route_must_lead_somewhere() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let missing =
        Service::new("hello", guests::HELLO_FUNCTION).call("GET /a", "test:hello/greeter.gret");
    fault(
        &admin.refused(&missing).await?,
        "route_target",
        &["gret", "GET /a"],
    )?;
    let interface =
        Service::new("hello", guests::HELLO_FUNCTION).call("GET /a", "test:hello/nobody.greet");
    fault(
        &admin.refused(&interface).await?,
        "route_target",
        &["test:hello/nobody"],
    )?;
    let no_http = Service::new("hello", guests::HELLO_FUNCTION).http("/a");
    fault(
        &admin.refused(&no_http).await?,
        "route_target",
        &["wasi:http"],
    )?;
    let parameter = Service::new("hello", guests::HELLO_FUNCTION)
        .call("GET /a/{nam}", "test:hello/greeter.greet");
    let faults = admin.refused(&parameter).await?;
    assert!(
        faults.iter().any(|fault| fault.message.contains("nam")),
        "{faults:?}"
    );
    Ok(())
}

#[tokio::test]
async fn all_faults_are_told_together() -> Result<()> {
    let host = host().await?;
    let one = Service::new("one", guests::HELLO_FUNCTION)
        .call("GET /a", "test:hello/greeter.no")
        .call("GET /b", "test:hello/greeter.nor");
    let two = Service::new("two", guests::UNKNOWN_IMPORT);
    let faults = host.admin()?.deploy(&[one, two]).await?.refused()?;
    assert!(
        faults.len() >= 3,
        "expected two routes and an import, found {faults:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn two_services_can_not_have_one_route() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let before = shape(&host).await?;
    let rival =
        Service::new("rival", guests::BOTH).call("GET /hello/{name}", "test:hello/greeter.greet");
    let faults = host.admin()?.refused(&rival).await?;
    assert!(
        faults
            .iter()
            .any(|fault| fault.message.contains("hello") && fault.message.contains("/hello/")),
        "{faults:?}"
    );
    assert_eq!(shape(&host).await?, before);
    Ok(())
}

#[tokio::test]
async fn what_would_break_a_dependent_is_refused() -> Result<()> {
    let host = serving(&[provider(guests::PROVIDER_V1), consumer()]).await?;
    let admin = host.admin()?;
    let before = shape(&host).await?;
    let faults = admin.refused(&provider(guests::PROVIDER_BREAKING)).await?;
    fault(
        &faults,
        "breaks_dependent",
        &["provider", "consumer", "test:versioned/answers"],
    )?;
    // One that no longer exports the interface at all.
    let faults = admin
        .refused(&Service::new("provider", guests::HELLO_FUNCTION))
        .await?;
    fault(&faults, "breaks_dependent", &["provider", "consumer"])?;
    assert_eq!(shape(&host).await?, before);
    assert_eq!(
        host.get("/line/Still").await?.expect(200)?.json()?,
        json!("consumer of v1: Still? Yes.")
    );

    // A compatible one is taken, and the consumer sees it at once.
    admin.deploy_one(&provider(guests::PROVIDER_V2)).await?;
    assert_eq!(
        host.get("/line/Now").await?.expect(200)?.json()?,
        json!("consumer of v2: Now? Certainly.")
    );
    Ok(())
}

#[tokio::test]
async fn a_service_that_others_need_stays() -> Result<()> {
    let host = serving(&[provider(guests::PROVIDER_V1), consumer()]).await?;
    let admin = host.admin()?;
    let answer = admin
        .json(Method::DELETE, "/v1/services/provider", &json!({}))
        .await?;
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert!(answer.text().contains("consumer"), "{}", answer.text());
    host.get("/line/Still").await?.expect(200)?;
    for service in ["consumer", "provider"] {
        let answer = admin
            .json(
                Method::DELETE,
                &format!("/v1/services/{service}"),
                &json!({}),
            )
            .await?;
        assert!(
            answer.status.is_success(),
            "{} {}",
            answer.status,
            answer.text()
        );
    }
    host.get("/version").await?.problem(404)?;
    Ok(())
}

#[tokio::test]
async fn resources_do_not_leave_their_service() -> Result<()> {
    let host = host().await?;
    let pair = [
        Service::new("vault", guests::HANDLE_PROVIDER),
        Service::new("thief", guests::HANDLE_CONSUMER),
    ];
    let faults = host.admin()?.deploy(&pair).await?.refused()?;
    let told = faults
        .iter()
        .find(|fault| fault.message.contains("test:handles/vault"))
        .with_context(|| format!("{faults:?}"))?;
    assert!(told.message.contains("resource"), "{told:?}");
    assert_eq!(shape(&host).await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn services_become_live_together_or_not_at_all() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let faults = admin
        .deploy(&[
            hello(),
            provider(guests::PROVIDER_V1),
            Service::new("odd", guests::UNKNOWN_IMPORT),
        ])
        .await?
        .refused()?;
    assert!(
        faults
            .iter()
            .all(|fault| fault.service.as_deref() != Some("hello")),
        "{faults:?}"
    );
    assert_eq!(shape(&host).await?, Vec::<Value>::new());
    host.get("/ping").await?.problem(404)?;

    // In any order, and in a cycle.
    admin
        .deploy_all(&[consumer(), hello(), provider(guests::PROVIDER_V1)])
        .await?;
    host.get("/line/Hi").await?.expect(200)?;
    admin
        .deploy_all(&[
            Service::new("left", guests::CHAIN_LEFT),
            Service::new("right", guests::CHAIN_RIGHT),
        ])
        .await?;
    assert_eq!(shape(&host).await?.len(), 5);
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
