//! Functions that the clock calls.

mod crashes;
mod operator;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use stoa_tests::client::PATIENCE;
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;
use tokio::time::timeout;

use crate::{guests, host, serving};

/// Longer than any test: an interval whose slot does not come.
const NEVER: &str = "8760h";

/// A service whose `functions` are each called by the clock: name and settings.
fn jobs(functions: &[(&str, Value)]) -> Service {
    let schedules = functions
        .iter()
        .map(|(name, settings)| (path(name), settings.clone()));
    Service::new("jobs", guests::JOBS)
        .call("GET /counted/{name}", &path("counted"))
        .set("schedules", schedules.collect())
}

fn path(function: &str) -> String {
    format!("test:jobs/work.{function}")
}

fn each(time: &str) -> Value {
    json!({ "every": time })
}

/// How often something was counted.
async fn counted(host: &HostProcess, name: &str) -> Result<i64> {
    let counted = host.get(&format!("/counted/{name}")).await?.expect(200)?;
    counted.json()?.as_i64().context("expected a number")
}

/// A schedule, as the API shows it.
async fn shown(host: &HostProcess, function: &str) -> Result<Value> {
    let place = format!("/v1/schedules/jobs/test:jobs%2Fwork.{function}");
    host.admin()?.get(&place).await?.expect(200)?.json()
}

/// Its runs, the latest first, once there are as wanted.
async fn runs(
    host: &HostProcess,
    function: &str,
    wanted: impl Fn(&[Value]) -> bool,
) -> Result<Vec<Value>> {
    let seen = async {
        loop {
            let shown = shown(host, function).await?;
            let runs = shown["runs"].as_array().context("no runs")?;
            if wanted(runs) {
                return anyhow::Ok(runs.clone());
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, seen)
        .await
        .context("its runs are not as wanted")?
}

/// Waits until something was counted so often.
async fn count_of(host: &HostProcess, name: &str, least: i64) -> Result<()> {
    let seen = async {
        while counted(host, name).await? < least {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, seen)
        .await
        .with_context(|| format!("{name} is not counted {least} times"))?
}

/// No slot is there twice, and those of later runs are later.
fn slots_ascend(runs: &[Value]) -> Result<()> {
    let slots = runs.iter().filter_map(|run| run["slot"].as_str());
    let slots: Vec<_> = slots.collect();
    ensure!(slots.is_sorted_by(|late, early| late > early), "{slots:?}");
    Ok(())
}

#[tokio::test]
async fn functions_are_called_by_the_clock_and_what_they_come_to_is_told() -> Result<()> {
    let host = serving(&[jobs(&[
        ("count", each("1s")),
        ("fail", each("1s")),
        (
            "crash",
            json!({ "cron": "* * * * * *", "timezone": "Europe/Athens" }),
        ),
        ("maybe", each("1s")),
        ("hang", json!({ "every": "1s", "deadline": "100ms" })),
    ])])
    .await?;
    count_of(&host, "count", 3).await?;
    count_of(&host, "none", 1).await?;
    assert_eq!(counted(&host, "some").await?, 0);
    let count = runs(&host, "count", |runs| runs.len() >= 3).await?;
    slots_ascend(&count)?;
    for (function, outcome, error) in [
        ("count", "succeeded", ""),
        ("fail", "error", "nothing is in stock"),
        ("crash", "trap", "trapped"),
        ("hang", "deadline", "deadline"),
    ] {
        let runs = runs(&host, function, |runs| !runs.is_empty()).await?;
        let first = runs.last().context("a run")?;
        assert_eq!(first["outcome"], outcome, "{first}");
        let told = first["error"].as_str().unwrap_or_default();
        assert!(told.contains(error), "{first}");
        assert_eq!(first["trace_id"].as_str().map(str::len), Some(32));
    }
    let metrics = host.admin()?.metrics().await?;
    let labels = "{service=\"jobs\",schedule=\"test:jobs/work.count\"";
    for told in [
        format!("stoa_schedule_runs_total{labels},outcome=\"succeeded\"}} "),
        format!("stoa_schedule_run_seconds_count{labels}}} "),
        format!("stoa_schedule_next_timestamp_seconds{labels}}} "),
    ] {
        assert!(metrics.contains(&told), "no {told}");
    }
    let breakers = host.admin()?.get("/v1/services/jobs/breaker").await?;
    let breakers = breakers.expect(200)?.text();
    assert!(breakers.contains("\"link\":\"schedule\""), "{breakers}");
    Ok(())
}

#[tokio::test]
async fn what_a_clock_can_not_call_is_refused_when_it_is_deployed() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    for (function, settings, code, told) in [
        (
            "cuont",
            each("1s"),
            "schedule_target",
            "did you mean test:jobs/work.count?",
        ),
        ("want", each("1s"), "schedule_target", "takes text: string"),
        (
            "count",
            each("1ms"),
            "settings",
            "expected a time of 1s at least",
        ),
        (
            "count",
            json!({ "cron": "61 * * * *" }),
            "settings",
            "expected a cron line",
        ),
        (
            "count",
            json!({ "cron": "0 3 * * *", "timezone": "Mars/Olympus" }),
            "settings",
            "expected a time zone",
        ),
        ("count", json!({}), "settings", "neither `every` nor `cron`"),
    ] {
        let faults = admin.refused(&jobs(&[(function, settings)])).await?;
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(
            (&*faults[0].code, faults[0].service.as_deref()),
            (code, Some("jobs"))
        );
        let message = &faults[0].message;
        assert!(
            message.contains(told) && message.contains("jobs"),
            "{message}"
        );
    }
    assert!(admin.get("/v1/schedules").await?.expect(200)?.json()? == json!([]));
    Ok(())
}

#[tokio::test]
async fn a_swap_has_the_next_call_go_to_what_is_live_by_then() -> Result<()> {
    let count = || jobs(&[("count", each("1s"))]);
    let host = serving(&[count().set("config.name", json!("one"))]).await?;
    let admin = host.admin()?;
    count_of(&host, "one", 1).await?;
    admin
        .deploy_one(&count().set("config.name", json!("two")))
        .await?;
    let at_the_swap = counted(&host, "one").await?;
    count_of(&host, "two", 2).await?;
    // One call at most was on its way.
    assert!(counted(&host, "one").await? <= at_the_swap + 1);
    admin.traffic("jobs", &json!({ "rollback": {} })).await?;
    count_of(&host, "one", at_the_swap + 2).await?;
    let all = runs(&host, "count", |runs| runs.len() >= 4).await?;
    slots_ascend(&all)?;
    // A revision that asks for none has none.
    admin.deploy_one(&jobs(&[])).await?;
    admin
        .get("/v1/schedules/jobs/test:jobs%2Fwork.count")
        .await?
        .problem(404)?;
    Ok(())
}

#[tokio::test]
async fn the_hosts_refusals_are_told_as_what_they_are() -> Result<()> {
    let host = serving(&[jobs(&[("count", each("1s"))])]).await?;
    let admin = host.admin()?;
    let refused = |reason: &'static str| {
        move |runs: &[Value]| {
            runs.iter().any(|run| {
                run["outcome"] == "refused"
                    && run["error"]
                        .as_str()
                        .is_some_and(|told| told.contains(reason))
            })
        }
    };
    admin
        .json(
            http::Method::PUT,
            "/v1/services/jobs/breaker",
            &json!({ "state": "open", "link": "schedule" }),
        )
        .await?
        .expect(200)?;
    runs(&host, "count", refused("held so by an operator")).await?;
    host.get("/counted/count").await?.expect(200)?;
    admin
        .send(
            http::Method::POST,
            "/v1/services/jobs/drain",
            stoa_tests::client::empty(),
        )
        .await?
        .expect(200)?;
    runs(&host, "count", refused("is drained")).await?;
    Ok(())
}
