//! Restarts and crashes: no slot has two calls.

use super::*;

/// Killed again and again, whatever it was at: the clock called once a slot at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_host_calls_no_slot_twice() -> Result<()> {
    const ROUNDS: i64 = 5;
    let count = json!({ "every": "1s", "missed": "all" });
    let mut host = serving(&[jobs(&[("count", count)])]).await?;
    for _ in 0..ROUNDS {
        let before = counted(&host, "count").await?;
        count_of(&host, "count", before + 1).await?;
        host = host.crash_and_restart().await?;
    }
    let before = counted(&host, "count").await?;
    count_of(&host, "count", before + 1).await?;
    host.cli(&["schedule", "pause", "jobs", &path("count")])
        .await?
        .expect(0)?;
    let ended = |shown: &Value| shown["under_way"].is_null();
    while !ended(&shown(&host, "count").await?) {
        tokio::task::yield_now().await;
    }
    let all = runs(&host, "count", |_| true).await?;
    slots_ascend(&all)?;
    let calls = counted(&host, "count").await?;
    let number = all[0]["number"].as_i64().context("a number")?;
    // A run that was cut off may not have come to its call.
    ensure!(calls <= number, "{calls} calls of {number} runs");
    ensure!(number <= calls + ROUNDS, "{calls} calls of {number} runs");
    Ok(())
}

#[tokio::test]
async fn a_run_that_a_crash_cut_off_is_told_and_not_made_again() -> Result<()> {
    for missed in ["skip", "once", "all"] {
        let hang = json!({ "every": NEVER, "missed": missed, "deadline": "1h" });
        let host = serving(&[jobs(&[("hang", hang)])]).await?;
        host.cli(&["schedule", "run", "jobs", &path("hang")])
            .await?
            .expect(0)?;
        count_of(&host, "hang", 1).await?;
        let host = host.crash_and_restart().await?;
        let told = runs(&host, "hang", |runs| !runs.is_empty()).await?;
        assert_eq!((told.len(), &told[0]["outcome"]), (1, &json!("cut_off")));
        assert_eq!(counted(&host, "hang").await?, 1);
        let shown = shown(&host, "hang").await?;
        assert_eq!(
            (&shown["under_way"], &shown["last"]),
            (&Value::Null, &told[0])
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_drain_waits_for_the_run_under_way() -> Result<()> {
    let mut host = serving(&[jobs(&[("nap", each(NEVER))])]).await?;
    host.cli(&["schedule", "run", "jobs", &path("nap")])
        .await?
        .expect(0)?;
    host.terminate().await?;
    assert_eq!(host.wait().await?.code(), Some(0));
    let host = host.restart().await?;
    assert_eq!(counted(&host, "nap").await?, 1);
    let told = runs(&host, "nap", |_| true).await?;
    assert_eq!((told.len(), &told[0]["outcome"]), (1, &json!("succeeded")));
    Ok(())
}

#[tokio::test]
async fn what_is_undeployed_leaves_nothing_and_begins_anew() -> Result<()> {
    let host = serving(&[jobs(&[("count", each("1s"))])]).await?;
    let admin = host.admin()?;
    runs(&host, "count", |runs| runs.len() >= 2).await?;
    host.cli(&["schedule", "pause", "jobs", &path("count")])
        .await?
        .expect(0)?;
    host.cli(&["undeploy", "jobs", "--purge"])
        .await?
        .expect(0)?;
    assert_eq!(
        admin.get("/v1/schedules").await?.expect(200)?.json()?,
        json!([])
    );
    assert!(!admin.metrics().await?.contains("test:jobs/work.count"));
    let host = host.crash_and_restart().await?;
    host.admin()?
        .deploy_one(&jobs(&[("count", each("1s"))]))
        .await?;
    let anew = runs(&host, "count", |runs| !runs.is_empty()).await?;
    assert_eq!(anew.last().context("a run")?["number"], 1);
    Ok(())
}
