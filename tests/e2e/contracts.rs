//! Contracts are checked when a revision is deployed: imports, routes, dependents.

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::{Value, json};
use stoa_tests::admin::Fault;
use stoa_tests::service::Service;

use crate::deploy::shape;
use crate::{guests, hello, host, serving};

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
        &[
            "provider",
            "consumer",
            "test:versioned/answers",
            "deploy together with it a consumer that is built against the new WIT of provider",
        ],
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
async fn who_needs_more_than_there_is_learns_what_to_do() -> Result<()> {
    let host = serving(&[provider(guests::PROVIDER_V1)]).await?;
    let newer = wat::parse_str(
        r#"(component (import "test:versioned/answers@1.9.0" (instance (export "later" (func)))))"#,
    )?;
    fault(
        &host
            .admin()?
            .refused(&Service::of_bytes("early", newer))
            .await?,
        "incompatible_import",
        &[
            "early imports test:versioned/answers@1.9.0 and provider exports test:versioned/answers@1.",
            "function later is not exported",
            "deploy the provider that exports it first or together with early",
            "build early against the WIT of the provider that is there",
        ],
    )?;
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
