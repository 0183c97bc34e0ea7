//! What an operator sees and does.

use super::*;

const COUNT: &str = "test:jobs/work.count";

fn json_of(stdout: &str) -> Result<Value> {
    serde_json::from_str(stdout).with_context(|| stdout.to_owned())
}

#[tokio::test]
async fn a_run_is_made_when_an_operator_asks() -> Result<()> {
    let host = serving(&[jobs(&[
        ("count", each(NEVER)),
        ("fail", each(NEVER)),
        ("hang", json!({ "every": NEVER, "deadline": "1h" })),
    ])])
    .await?;
    let next = shown(&host, "count").await?["next"].clone();
    let told = host
        .cli(&["schedule", "run", "jobs", COUNT, "--wait"])
        .await?;
    assert!(told.expect(0)?.contains("succeeded in"), "{told:?}");
    assert_eq!(counted(&host, "count").await?, 1);
    let shown = shown(&host, "count").await?;
    assert_eq!(shown["next"], next, "slots stay where they are");
    assert_eq!(shown["runs"][0]["slot"], Value::Null);
    let failed = host
        .cli(&["schedule", "run", "jobs", &path("fail"), "--wait"])
        .await?;
    failed.expect(1)?;
    assert!(failed.stderr.contains("nothing is in stock"), "{failed:?}");

    host.cli(&["schedule", "run", "jobs", &path("hang")])
        .await?
        .expect(0)?;
    let again = host
        .cli(&["schedule", "run", "jobs", &path("hang")])
        .await?;
    again.expect(1)?;
    assert!(again.stderr.contains("under way"), "{again:?}");
    let place = "/v1/schedules/jobs/test:jobs%2Fwork.hang/run";
    let empty = stoa_tests::client::empty();
    let again = host.admin()?.send(http::Method::POST, place, empty).await?;
    assert_eq!(again.problem(409)?["code"], "under_way");
    Ok(())
}

#[tokio::test]
async fn a_schedule_may_take_longer_than_other_calls_of_its_service() -> Result<()> {
    let nap = json!({ "every": NEVER, "deadline": "50s" });
    let service = jobs(&[("nap", nap)]).set("limits.deadline", json!("200ms"));
    let host = serving(&[service]).await?;
    host.cli(&["schedule", "run", "jobs", &path("nap"), "--wait"])
        .await?
        .expect(0)?;
    Ok(())
}

#[tokio::test]
async fn a_pause_is_kept_over_deployments_and_restarts() -> Result<()> {
    let service = || jobs(&[("count", each("1s"))]);
    let host = serving(&[service()]).await?;
    count_of(&host, "count", 1).await?;
    host.cli(&["schedule", "pause", "jobs", COUNT])
        .await?
        .expect(0)?;
    let host = host.crash_and_restart().await?;
    host.admin()?.deploy_one(&service()).await?;
    let paused = shown(&host, "count").await?;
    assert_eq!(
        (&paused["paused"], &paused["next"]),
        (&json!(true), &Value::Null)
    );
    let before = counted(&host, "count").await?;
    // What an operator asks for is called nevertheless, and nothing else was before.
    host.cli(&["schedule", "run", "jobs", COUNT, "--wait"])
        .await?
        .expect(0)?;
    assert_eq!(counted(&host, "count").await?, before + 1);
    let resumed = host
        .cli(&["schedule", "resume", "jobs", COUNT, "-o", "json"])
        .await?;
    assert_eq!(json_of(resumed.expect(0)?)?["paused"], false);
    count_of(&host, "count", before + 2).await
}

#[tokio::test]
async fn schedules_are_listed_and_shown() -> Result<()> {
    let daily = json!({ "cron": "0 3 * * *", "timezone": "Europe/Athens", "missed": "skip", "jitter": "10s" });
    let host = serving(&[jobs(&[("count", daily), ("fail", each(NEVER))])]).await?;
    let listed = host.cli(&["schedule", "ls", "-o", "json"]).await?;
    let listed = json_of(listed.expect(0)?)?;
    let functions: Vec<_> = listed
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| &one["function"])
        .collect();
    assert_eq!(functions, [COUNT, "test:jobs/work.fail"]);
    assert_eq!(listed[0]["settings"]["timezone"], "Europe/Athens");
    let table = host.cli(&["schedule", "ls"]).await?;
    assert!(
        table.expect(0)?.contains("0 3 * * * (Europe/Athens)"),
        "{table:?}"
    );
    let shown = host.cli(&["schedule", "show", "jobs", COUNT]).await?;
    assert!(
        shown.expect(0)?.contains("missed skip, jitter 10s"),
        "{shown:?}"
    );
    let unknown = host
        .cli(&["schedule", "show", "jobs", "test:jobs/work.cuont"])
        .await?;
    unknown.expect(1)?;
    assert!(
        unknown
            .stderr
            .contains("did you mean \"test:jobs/work.count\"?"),
        "{unknown:?}"
    );
    let unknown = host.cli(&["schedule", "pause", "job", COUNT]).await?;
    unknown.expect(1)?;
    assert!(
        unknown.stderr.contains("did you mean \"jobs\"?"),
        "{unknown:?}"
    );
    Ok(())
}
