//! Hot swap, rollback and canary, under load: no request fails.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::json;
use stoa_tests::client::empty;
use stoa_tests::load::{Load, Plan, Report};
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{guests, host, serving};

/// Requests that must end between two changes: enough that each sees traffic.
const BETWEEN: u64 = 100;

fn provider(file: &str) -> Service {
    Service::new("provider", file).call("GET /version", "test:versioned/answers.version")
}

fn versions() -> [Service; 2] {
    [provider(guests::PROVIDER_V1), provider(guests::PROVIDER_V2)]
}

/// Every request was answered, by one version or the other.
fn answered_by_both(report: Report) -> Result<Report> {
    let report = report.expect_all(200)?;
    let seen: BTreeSet<_> = report.by_body.keys().map(String::as_str).collect();
    assert_eq!(seen, BTreeSet::from(["\"v1\"", "\"v2\""]), "{report:?}");
    Ok(report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_swaps_lose_no_request() -> Result<()> {
    let versions = versions();
    let host = serving(&versions[..1]).await?;
    let admin = host.admin()?;
    let loads = [
        Load::start(&Plan::get(host.http, 24, "/version")),
        Load::start(&Plan::get(host.http, 8, "/version").http2()),
    ];
    for turn in 1..=20 {
        for load in &loads {
            load.more(BETWEEN).await?;
        }
        let revision = admin.deploy_one(&versions[turn % 2]).await?;
        assert_eq!(revision, turn as u64 + 1);
        // What is asked after the swap is answered by the new revision.
        let expected = ["\"v1\"", "\"v2\""][turn % 2];
        assert_eq!(host.get("/version").await?.text(), expected);
    }
    let mut answers = 0;
    for load in loads {
        answers += answered_by_both(load.stop().await?)?.answers;
    }
    assert!(
        answers >= 4000,
        "thousands of requests are what this is about: {answers}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollbacks_lose_no_request() -> Result<()> {
    let versions = versions();
    let host = serving(&versions[..1]).await?;
    let admin = host.admin()?;
    admin.deploy_one(&versions[1]).await?;
    let load = Load::start(&Plan::get(host.http, 16, "/version"));
    for turn in 0..20 {
        load.more(BETWEEN).await?;
        let reply = admin
            .traffic("provider", &json!({ "rollback": { "to": 1 + turn % 2 } }))
            .await?;
        assert_eq!(reply["live"][0]["revision"], 1 + turn % 2, "{reply}");
        assert_eq!(
            host.get("/version").await?.json()?,
            json!(format!("v{}", 1 + turn % 2))
        );
    }
    answered_by_both(load.stop().await?)?;
    // Without a number: the one before.
    admin
        .traffic("provider", &json!({ "rollback": {} }))
        .await?;
    assert_eq!(host.get("/version").await?.json()?, json!("v1"));
    let none = admin
        .json(
            Method::POST,
            "/v1/services/provider/traffic",
            &json!({ "rollback": { "to": 77 } }),
        )
        .await?;
    assert!(none.status.is_client_error(), "{}", none.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_gets_its_share() -> Result<()> {
    let [one, two] = versions();
    let host = serving(&[one]).await?;
    let admin = host.admin()?;
    let load = Load::start(&Plan::get(host.http, 8, "/version"));
    admin.deploy_one(&two.canary(20)).await?;
    assert_eq!(admin.live("provider").await?, [(1, 80), (2, 20)].into());
    let measured = Load::start(&Plan::get(host.http, 8, "/version"));
    measured.more(4000).await?;
    let report = answered_by_both(measured.stop().await?)?;
    let share = report.by_body["\"v2\""] as f64 / report.answers as f64;
    assert!((0.15..0.25).contains(&share), "{share}: {report:?}");

    admin.traffic("provider", &json!("promote")).await?;
    assert_eq!(admin.live("provider").await?, [(2, 100)].into());
    assert_eq!(host.get("/version").await?.json()?, json!("v2"));
    admin
        .traffic("provider", &json!({ "weights": { "1": 50, "2": 50 } }))
        .await?;
    assert_eq!(admin.live("provider").await?, [(1, 50), (2, 50)].into());
    for bad in [
        json!({ "weights": { "1": 50, "2": 60 } }),
        json!({ "weights": {} }),
        json!({ "weights": { "9": 100 } }),
    ] {
        let answer = admin
            .json(http::Method::POST, "/v1/services/provider/traffic", &bad)
            .await?;
        assert!(
            answer.status.is_client_error(),
            "{bad} got {}",
            answer.status
        );
    }
    assert_eq!(admin.live("provider").await?, [(1, 50), (2, 50)].into());
    load.more(BETWEEN).await?;
    answered_by_both(load.stop().await?)?;
    Ok(())
}

/// Raw HTTP is swapped as functions are: 0.2 to 0.3 and back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_are_swapped_without_loss() -> Result<()> {
    let two = Service::new("raw", guests::HELLO_P2).http("/raw");
    let three = Service::new("raw", guests::HELLO_P3).http("/raw");
    let host = serving(std::slice::from_ref(&two)).await?;
    let load = Load::start(&Plan::get(host.http, 16, "/raw"));
    for turn in 0..10 {
        load.more(BETWEEN).await?;
        host.admin()?
            .deploy_one(if turn % 2 == 0 { &three } else { &two })
            .await?;
    }
    load.more(BETWEEN).await?;
    load.stop().await?.expect_all(200)?;
    Ok(())
}

/// A call through a link meets the swap of its provider, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn providers_are_swapped_under_their_consumers() -> Result<()> {
    let [one, two] = versions();
    let consumer =
        Service::new("consumer", guests::CONSUMER).call("GET /line", "test:versioned/report.line");
    let host = serving(&[one.clone(), consumer]).await?;
    let load = Load::start(&Plan::get(host.http, 16, "/line?question=Well"));
    for turn in 0..10 {
        load.more(BETWEEN).await?;
        host.admin()?
            .deploy_one(if turn % 2 == 0 { &two } else { &one })
            .await?;
    }
    load.more(BETWEEN).await?;
    let report = load.stop().await?.expect_all(200)?;
    let seen: Vec<_> = report.by_body.keys().cloned().collect();
    assert_eq!(
        seen,
        [
            "\"consumer of v1: Well? Yes.\"",
            "\"consumer of v2: Well? Certainly.\""
        ]
    );
    Ok(())
}

/// A call that began on the old revision ends on it.
#[tokio::test]
async fn a_call_under_way_ends_on_its_revision() -> Result<()> {
    let slow = Service::new("slow", guests::MISBEHAVE)
        .call("GET /block/{ms}", "test:misbehave/faults.block")
        .call("GET /well", "test:misbehave/faults.well");
    let host = serving(std::slice::from_ref(&slow)).await?;
    let admin = host.admin()?;
    let call = host.get("/block/1500");
    let swap = async {
        // The call is under way when an instance is busy.
        while admin.pool("slow").await?["busy"] != json!(1) {
            tokio::task::yield_now().await;
        }
        admin.deploy_one(&slow).await
    };
    let (answer, revision) = tokio::try_join!(call, swap)?;
    assert_eq!(revision, 2);
    assert_eq!(answer.expect(200)?.json()?, json!("waited 1500 ms"));
    assert_eq!(admin.live("slow").await?, [(2, 100)].into());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_deployments_at_once_are_put_in_order() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let versions = versions();
    let mut deployments = tokio::task::JoinSet::new();
    for turn in 0..10 {
        let (admin, service) = (admin.clone(), versions[turn % 2].clone());
        deployments.spawn(async move { admin.deploy_one(&service).await });
    }
    let mut numbers = BTreeSet::new();
    while let Some(deployed) = deployments.join_next().await {
        assert!(numbers.insert(deployed??), "a number was given twice");
    }
    assert_eq!(numbers, (1..=10).collect());
    // The newest is live, and answers as what was deployed under its number.
    assert_eq!(admin.live("provider").await?, [(10, 100)].into());
    let revisions = admin
        .get("/v1/services/provider/revisions")
        .await?
        .expect(200)?
        .json()?;
    let revisions = revisions
        .as_array()
        .context("expected a list of revisions")?;
    let newest = revisions
        .iter()
        .find(|revision| revision["revision"] == 10)
        .context("no revision 10")?;
    let expected = if newest["component"] == sha256(&versions[0].component) {
        "v1"
    } else {
        "v2"
    };
    assert_eq!(host.get("/version").await?.json()?, json!(expected));
    Ok(())
}

/// Whichever is first, what is listed, what answers and what is on disk agree.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removals_that_race_deployments_leave_a_whole_state() -> Result<()> {
    let versions = versions();
    let mut host = serving(&versions[..1]).await?;
    for round in 0..3 {
        let (admin, remover) = (host.admin()?, host.admin()?);
        for turn in 0..8 {
            let version = &versions[(round + turn) % 2..][..1];
            let removal = remover.send(Method::DELETE, "/v1/services/provider", empty());
            let (deployed, removed) = tokio::join!(admin.deploy(version), removal);
            deployed?.done()?;
            let removed = removed?.status;
            assert!(removed == 204 || removed == 404, "{removed}");
            answers_as_listed(&host).await?;
        }
        let listed = answers_as_listed(&host).await?;
        host = host.crash_and_restart().await?;
        assert_eq!(answers_as_listed(&host).await?, listed);
    }
    Ok(())
}

/// The version that a service of one revision answers with, if it is listed.
async fn answers_as_listed(host: &HostProcess) -> Result<Option<String>> {
    let admin = host.admin()?;
    let services = admin.get("/v1/services").await?.expect(200)?.json()?;
    let routes = admin.get("/v1/routes").await?.expect(200)?.json()?;
    let answer = host.get("/version").await?;
    if services == json!([]) {
        assert_eq!(routes, json!([]));
        answer.expect(404)?;
        return Ok(None);
    }
    let live = &services[0]["live"];
    let component = &live[0]["component"];
    let [one, two] = versions().map(|version| sha256(&version.component));
    assert!(*component == one || *component == two, "{services}");
    let expected = if *component == one { "v1" } else { "v2" };
    assert_eq!(answer.expect(200)?.json()?, json!(expected), "{services}");
    Ok(Some(expected.to_owned()))
}

fn sha256(bytes: &[u8]) -> serde_json::Value {
    use sha2::Digest as _;
    json!(hex::encode(sha2::Sha256::digest(bytes)))
}
