//! Services that call each other.

use anyhow::Result;
use futures::future::try_join_all;
use serde_json::json;
use stoa_tests::service::Service;

use crate::{guests, hello, host, serving};

fn chain() -> [Service; 2] {
    [
        Service::new("left", guests::CHAIN_LEFT).call("GET /bounce/{n}", "test:chain/left.bounce"),
        Service::new("right", guests::CHAIN_RIGHT),
    ]
}

#[tokio::test]
async fn a_call_goes_through_a_link() -> Result<()> {
    let provider = Service::new("provider", guests::PROVIDER_V1);
    let consumer = Service::new("consumer", guests::CONSUMER)
        .call("GET /line/{question}", "test:versioned/report.line");
    let host = serving(&[consumer, provider]).await?;
    assert_eq!(
        host.get("/line/Really").await?.expect(200)?.json()?,
        json!("consumer of v1: Really? Yes.")
    );
    let shown = host
        .admin()?
        .get("/v1/services/consumer")
        .await?
        .expect(200)?
        .json()?;
    let by = shown["imports"].as_object().and_then(|imports| {
        imports
            .iter()
            .find(|(name, _)| name.starts_with("test:versioned/answers"))
    });
    assert_eq!(by.map(|(_, by)| by), Some(&json!("provider")), "{shown}");
    Ok(())
}

#[tokio::test]
async fn two_services_may_call_each_other() -> Result<()> {
    let host = serving(&chain()).await?;
    for n in [0, 1, 2, 7] {
        assert_eq!(
            host.get(&format!("/bounce/{n}"))
                .await?
                .expect(200)?
                .json()?,
            json!(n)
        );
    }
    let all = try_join_all((0..32).map(|_| host.get("/bounce/6"))).await?;
    assert!(all.iter().all(|answer| answer.status == 200));
    Ok(())
}

/// A calls B calls A … for ever: an error, soon, and no instance stays taken.
#[tokio::test]
async fn endless_recursion_ends_in_an_error() -> Result<()> {
    let [left, right] = chain();
    let host = serving(&[left.set("limits.deadline", json!("5s")), right, hello()]).await?;
    for _ in 0..3 {
        let answer = host.get("/bounce/4000000000").await?;
        assert!(answer.status.is_server_error(), "{}", answer.status);
        answer.problem(answer.status.as_u16())?;
    }
    host.get("/ping").await?.expect(200)?;
    assert_eq!(host.get("/bounce/3").await?.expect(200)?.json()?, json!(3));
    Ok(())
}

/// One instance each, and each call needs several of both: an error in time,
/// not a deadlock.
#[tokio::test]
async fn small_pools_can_not_deadlock() -> Result<()> {
    let [left, right] = chain().map(|service| {
        service
            .set("pool.max", json!(1))
            .set("limits.deadline", json!("2s"))
            .set("pool.queue_deadline", json!("500ms"))
    });
    let host = serving(&[left, right]).await?;
    assert_eq!(host.get("/bounce/1").await?.expect(200)?.json()?, json!(1));
    let all = try_join_all((0..8).map(|_| host.get("/bounce/5"))).await?;
    assert!(
        all.iter().all(|answer| answer.status.is_server_error()),
        "{:?}",
        all.iter().map(|answer| answer.status).collect::<Vec<_>>()
    );
    assert_eq!(
        host.get("/bounce/1").await?.expect(200)?.json()?,
        json!(1),
        "nothing stays taken"
    );
    Ok(())
}

#[tokio::test]
async fn a_choice_between_two_providers_is_the_operators() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    admin
        .deploy_all(&[
            Service::new("first", guests::PROVIDER_V1),
            Service::new("second", guests::PROVIDER_V2),
        ])
        .await?;
    let consumer = || {
        Service::new("consumer", guests::CONSUMER)
            .call("GET /line/{question}", "test:versioned/report.line")
    };
    let faults = admin.refused(&consumer()).await?;
    assert!(
        faults
            .iter()
            .any(|fault| fault.message.contains("first") && fault.message.contains("second")),
        "{faults:?}"
    );
    for (provider, version) in [("second", "v2"), ("first", "v1")] {
        admin
            .deploy_one(&consumer().set("links", json!({ "test:versioned/answers": provider })))
            .await?;
        let line = host.get("/line/Who").await?.expect(200)?.json()?;
        assert!(
            line.as_str()
                .is_some_and(|line| line.starts_with(&format!("consumer of {version}"))),
            "{line}"
        );
    }
    let faults = admin
        .refused(&consumer().set("links", json!({ "test:versioned/answers": "nobody" })))
        .await?;
    assert!(
        faults.iter().any(|fault| fault.message.contains("nobody")),
        "{faults:?}"
    );
    let typo = json!({ "test:versioned/answers": "first", "test:versioned/answer": "first" });
    let faults = admin.refused(&consumer().set("links", typo)).await?;
    let codes: Vec<_> = faults.iter().map(|fault| &*fault.code).collect();
    assert_eq!(codes, ["unknown_link"], "{faults:?}");
    let told = &faults[0].message;
    assert!(
        told.ends_with("did you mean \"test:versioned/answers\"?"),
        "{told}"
    );
    Ok(())
}
