//! New revisions that the host takes back, and canaries that it walks.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use stoa_tests::client::PATIENCE;
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::time::{Duration, Instant, interval};

use crate::{guests, host, serving};

/// The same component: its route goes to a function that works, or to one that traps.
fn answering(function: &str) -> Service {
    Service::new("shop", guests::MISBEHAVE)
        .call("GET /it", &format!("test:misbehave/faults.{function}"))
        .set("retry.retries", json!(0))
        .set("rollout", json!({ "auto_rollback": true, "min_calls": 20 }))
}

/// Asks the service until its traffic is as wanted; what came back.
async fn until_live(host: &HostProcess, wanted: &[(u64, u64)]) -> Result<Vec<u16>> {
    let (begun, mut turns) = (Instant::now(), interval(Duration::from_millis(10)));
    let wanted = wanted.iter().copied().collect();
    let mut statuses = Vec::new();
    loop {
        let live = host.admin()?.live("shop").await?;
        if live == wanted {
            return Ok(statuses);
        }
        if begun.elapsed() > PATIENCE {
            bail!("expected {wanted:?}, found {live:?}");
        }
        statuses.push(host.get("/it").await?.status.as_u16());
        turns.tick().await;
    }
}

async fn note(host: &HostProcess, at: usize) -> Result<String> {
    let path = "/v1/services/shop/revisions";
    let revisions = host.admin()?.get(path).await?.expect(200)?.json()?;
    let note = revisions[at]["note"].as_str();
    Ok(note.with_context(|| revisions.to_string())?.to_owned())
}

async fn detail(host: &HostProcess) -> Result<Value> {
    host.admin()?
        .get("/v1/services/shop")
        .await?
        .expect(200)?
        .json()
}

#[tokio::test]
async fn a_swap_to_a_bad_revision_is_taken_back() -> Result<()> {
    let host = serving(&[answering("well")]).await?;
    for _ in 0..50 {
        host.get("/it").await?.expect(200)?;
    }
    // Without its breaker, so that the comparison decides.
    let bad = answering("trap").set("breaker.enabled", json!(false));
    host.admin()?.deploy_one(&bad).await?;
    assert_eq!(detail(&host).await?["rollout"]["against"], 1);
    until_live(&host, &[(1, 100)]).await?;
    host.get("/it").await?.expect(200)?;
    let note = note(&host, 0).await?;
    assert!(note.contains("calls failed, 0 of 50 before"), "{note}");
    let metrics = host.admin()?.metrics().await?;
    let line = "stoa_deploy_swaps_total{result=\"auto_rollback\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    let shown = host.cli(&["revisions", "shop"]).await?;
    assert!(
        shown.expect(0)?.contains("rolled back by the host"),
        "{shown:?}"
    );
    assert!(detail(&host).await?["rollout"].is_null());
    Ok(())
}

#[tokio::test]
async fn a_revision_that_was_taken_back_is_nothing_to_go_back_to() -> Result<()> {
    let host = serving(&[answering("well")]).await?;
    let admin = host.admin()?;
    admin.deploy_one(&answering("calls")).await?;
    admin.deploy_one(&answering("trap")).await?;
    until_live(&host, &[(2, 100)]).await?;
    admin.traffic("shop", &json!({ "rollback": {} })).await?;
    assert_eq!(admin.live("shop").await?, [(1, 100)].into());
    Ok(())
}

#[tokio::test]
async fn a_bad_canary_is_taken_back_by_its_breaker() -> Result<()> {
    let host = serving(&[answering("well")]).await?;
    let bad = answering("trap").stages(&[50, 100], "1h");
    host.admin()?.deploy_one(&bad).await?;
    assert_eq!(host.admin()?.live("shop").await?, [(1, 50), (2, 50)].into());
    until_live(&host, &[(1, 100)]).await?;
    let note = note(&host, 0).await?;
    assert!(note.contains("its breaker for gateway opened"), "{note}");
    Ok(())
}

/// A stage does not pass while what failed is too little to be judged.
#[tokio::test]
async fn a_canary_that_fails_gets_no_more_traffic_before_it_is_judged() -> Result<()> {
    let host = serving(&[answering("well")]).await?;
    let bad = answering("trap").set("breaker.enabled", json!(false));
    host.admin()?
        .deploy_one(&bad.stages(&[50, 100], "1s"))
        .await?;
    // Before its stage is over, however slow the machine is.
    while host.get("/it").await?.status == 200 {}
    let mut calls = interval(Duration::from_millis(100));
    let begun = Instant::now();
    loop {
        let live = host.admin()?.live("shop").await?;
        if live == [(1, 100)].into() {
            break;
        }
        assert_eq!(live, [(1, 50), (2, 50)].into());
        assert!(begun.elapsed() < PATIENCE, "{live:?}");
        calls.tick().await;
        host.get("/it").await?;
    }
    let note = note(&host, 0).await?;
    assert!(note.contains("calls failed"), "{note}");
    Ok(())
}

#[tokio::test]
async fn who_waits_for_a_rollout_learns_how_it_ends() -> Result<()> {
    let host = serving(&[answering("well")]).await?;
    let folder = tempfile::tempdir()?;
    let manifest = |function: &str| {
        format!(
            "[service.shop]\ncomponent = {:?}\n[service.shop.routes]\n\
             \"GET /it\" = {{ call = \"test:misbehave/faults.{function}\", access = \"public\" }}\n\
             [service.shop.rollout]\nauto_rollback = true\nwatch = \"1s\"\n",
            guests::MISBEHAVE
        )
    };
    let file = folder.path().join("stoa.toml");
    let directory = folder.path().to_str().context("a path of text")?;
    let canary = [
        "deploy", directory, "--canary", "50%,100%", "--every", "1s", "--wait",
    ];

    std::fs::write(&file, manifest("calls"))?;
    let good = host.cli(&canary).await?;
    let said = good.expect(0)?;
    assert!(
        said.contains("50% of the traffic goes to revision 2"),
        "{said}"
    );
    assert!(said.contains("the rollout of revision 2 is over"), "{said}");
    assert_eq!(host.admin()?.live("shop").await?, [(2, 100)].into());

    std::fs::write(&file, manifest("trap"))?;
    let asking = async {
        let mut calls = interval(Duration::from_millis(20));
        loop {
            calls.tick().await;
            host.get("/it").await?;
        }
    };
    let bad = tokio::select! {
        bad = host.cli(&canary) => bad?,
        broken = asking => { let broken: Result<()> = broken; bail!("{broken:?}") }
    };
    bad.expect(1)?;
    let said = &bad.stderr;
    assert!(
        said.contains("revision 3 has no traffic any more: rolled back by the host"),
        "{said}"
    );
    assert_eq!(host.admin()?.live("shop").await?, [(2, 100)].into());
    Ok(())
}

#[tokio::test]
async fn a_good_canary_is_walked_to_all_traffic_across_a_restart() -> Result<()> {
    let host = serving(&[answering("well")]).await?;
    let good = answering("calls").stages(&[5, 40, 100], "2s");
    host.admin()?.deploy_one(&good).await?;
    assert_eq!(host.admin()?.live("shop").await?, [(1, 95), (2, 5)].into());
    let host = host.crash_and_restart().await?;
    let first = until_live(&host, &[(1, 60), (2, 40)]).await?;
    let second = until_live(&host, &[(2, 100)]).await?;
    assert!(first.iter().chain(&second).all(|status| *status == 200));
    // All stages are done; it is watched on.
    assert_eq!(detail(&host).await?["rollout"]["stages"], json!([]));
    Ok(())
}

#[tokio::test]
async fn an_operator_ends_a_walk() -> Result<()> {
    let host = serving(&[answering("well")]).await?;
    let admin = host.admin()?;
    for (change, live) in [(json!("promote"), 2), (json!({ "rollback": {} }), 2)] {
        let canary = answering("calls").stages(&[5, 100], "1h");
        admin.deploy_one(&canary).await?;
        let shown = host.cli(&["show", "shop"]).await?;
        assert!(
            shown.expect(0)?.contains("100% of the traffic in"),
            "{shown:?}"
        );
        admin.traffic("shop", &change).await?;
        assert_eq!(admin.live("shop").await?, [(live, 100)].into());
        assert!(detail(&host).await?["rollout"].is_null());
    }
    Ok(())
}

#[tokio::test]
async fn stages_that_make_no_sense_are_refused() -> Result<()> {
    let host = host().await?;
    for shares in [&[][..], &[0, 100], &[50, 20, 100], &[5, 50], &[5, 101]] {
        let faults = host
            .admin()?
            .refused(&answering("well").stages(shares, "1s"))
            .await?;
        assert_eq!(faults[0].code, "canary", "{faults:?}");
    }
    Ok(())
}
