//! Calls that are made later: kept on disk, delivered at least once, in order per key.

mod outside;
mod refused;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stoa_tests::client::Answer;
use stoa_tests::process::HostProcess;
use stoa_tests::service::Service;

use crate::{answered, guests, serving};

const QUEUE: &str = "test:queue/events";
const PATH: &str = "/v1/queues/test%3Aqueue%2Fevents";

/// Tells of events; `settings` are those of the queue.
fn source(settings: Value) -> Service {
    Service::new("source", guests::QUEUE_SOURCE)
        .call("POST /happen", "test:queue/source.happen")
        .call("POST /note", "test:queue/source.note")
        .set("queues", json!({ QUEUE: settings }))
}

/// Hears of events.
fn sink(name: &str) -> Service {
    let heard = format!("GET /{name}/heard/{{key}}");
    let spoil = format!("POST /{name}/spoil");
    Service::new(name, guests::QUEUE_SINK)
        .call(&heard, "test:queue/sink.heard")
        .call(&spoil, "test:queue/sink.spoil")
}

/// A queue ordered by its key, whose failed deliveries come again soon.
fn ordered() -> Value {
    json!({ "key": "key", "backoff": "10ms", "backoff_max": "50ms" })
}

async fn happen(host: &HostProcess, key: &str, number: u32) -> Result<Answer> {
    host.post("/happen", &json!({ "key": key, "number": number }))
        .await
}

async fn spoil(host: &HostProcess, key: &str, how: &str, times: u32) -> Result<()> {
    let body = json!({ "key": key, "how": how, "times": times });
    host.post("/sink/spoil", &body).await?.expect(204)?;
    Ok(())
}

/// Waits until a sink has heard these numbers of a key.
async fn heard(host: &HostProcess, path: &str, numbers: &[u32]) -> Result<()> {
    let wanted = json!(numbers);
    let is_wanted = |answer: &Answer| answer.json().is_ok_and(|found| found == wanted);
    answered(async || host.get(path).await, is_wanted).await?;
    Ok(())
}

/// What a queue holds for a subscriber, once that is as wanted.
async fn held(
    host: &HostProcess,
    subscriber: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let admin = host.admin()?;
    let of = |answer: &Answer| {
        let queue = answer.json().unwrap_or_default();
        let mut all = queue["subscribers"].as_array().cloned().unwrap_or_default();
        all.retain(|one| one["service"] == subscriber);
        all.pop().unwrap_or_default()
    };
    let answer = answered(async || admin.get(PATH).await, |answer| wanted(&of(answer))).await?;
    Ok(of(&answer))
}

#[tokio::test]
async fn each_service_that_exports_the_interface_gets_each_call() -> Result<()> {
    let host = serving(&[source(ordered()), sink("sink"), sink("other")]).await?;
    for number in 0..20 {
        happen(&host, "a", number).await?.expect(204)?;
    }
    let numbers: Vec<u32> = (0..20).collect();
    heard(&host, "/sink/heard/a", &numbers).await?;
    heard(&host, "/other/heard/a", &numbers).await?;
    // A function without a result is kept, too.
    host.post("/note", &json!("seven")).await?.expect(204)?;
    heard(&host, "/sink/heard/note", &[5]).await?;
    let metrics = host.admin()?.metrics().await?;
    let labels = format!("{{queue=\"{QUEUE}\",subscriber=\"other\"}}");
    ensure!(
        metrics.contains(&format!("stoa_queue_delivered_total{labels} 2")),
        "{metrics}"
    );
    ensure!(
        metrics.contains(&format!("stoa_queue_depth{labels}")),
        "{metrics}"
    );
    Ok(())
}

/// What fails comes again, and holds back its own key alone.
#[tokio::test]
async fn a_failed_delivery_comes_again_in_its_order() -> Result<()> {
    let host = serving(&[source(ordered()), sink("sink")]).await?;
    spoil(&host, "bad", "fail", 3).await?;
    spoil(&host, "worse", "trap", 2).await?;
    for number in 1..=5 {
        for key in ["bad", "good", "worse"] {
            happen(&host, key, number).await?.expect(204)?;
        }
    }
    for key in ["good", "bad", "worse"] {
        heard(&host, &format!("/sink/heard/{key}"), &[1, 2, 3, 4, 5]).await?;
    }
    let metrics = host.admin()?.metrics().await?;
    let retried = format!("stoa_queue_retried_total{{queue=\"{QUEUE}\",subscriber=\"sink\"}} 5");
    ensure!(metrics.contains(&retried), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn what_is_never_done_is_a_dead_letter_until_it_is_redriven() -> Result<()> {
    let mut settings = ordered();
    settings["max_attempts"] = json!(2);
    let host = serving(&[source(settings), sink("sink")]).await?;
    spoil(&host, "a", "fail", 2).await?;
    for number in 1..=3 {
        happen(&host, "a", number).await?.expect(204)?;
    }
    // Those behind it go on.
    heard(&host, "/sink/heard/a", &[2, 3]).await?;
    held(&host, "sink", |held| held["dead"] == 1).await?;
    let admin = host.admin()?;
    let dead = format!("{PATH}/messages?state=dead");
    let dead = admin.get(&dead).await?.expect(200)?.json()?;
    let dead = &dead[0];
    ensure!(
        dead["function"] == "happened" && dead["key"] == "a",
        "{dead}"
    );
    ensure!(
        dead["arguments"] == json!({ "key": "a", "number": 1 }),
        "{dead}"
    );
    ensure!(dead["attempts"] == 2, "{dead}");
    ensure!(dead["error"] == "unavailable: told to fail", "{dead}");
    ensure!(
        dead["trace"]
            .as_str()
            .is_some_and(|trace| trace.starts_with("00-")),
        "{dead}"
    );
    let ran = host.cli(&["queue", "redrive", QUEUE]).await?;
    ensure!(
        ran.stdout.contains("1 call is delivered again"),
        "{}",
        ran.stdout
    );
    heard(&host, "/sink/heard/a", &[2, 3, 1]).await?;
    held(&host, "sink", |held| held["dead"] == 0).await?;
    Ok(())
}

#[tokio::test]
async fn a_key_can_stand_still_instead() -> Result<()> {
    let mut settings = ordered();
    settings["max_attempts"] = json!(1);
    settings["on_exhausted"] = json!("pause-key");
    let host = serving(&[source(settings), sink("sink")]).await?;
    spoil(&host, "a", "trap", 1).await?;
    for number in 1..=2 {
        happen(&host, "a", number).await?.expect(204)?;
        happen(&host, "b", number).await?.expect(204)?;
    }
    heard(&host, "/sink/heard/b", &[1, 2]).await?;
    let stands = held(&host, "sink", |held| held["paused_keys"] == 1).await?;
    ensure!(stands["waiting"] == 1, "{stands}");
    heard(&host, "/sink/heard/a", &[]).await?;
    host.cli(&["queue", "redrive", QUEUE, "--subscriber", "sink"])
        .await?;
    heard(&host, "/sink/heard/a", &[1, 2]).await
}

/// Nobody need be there when a call is made; who comes first gets what was kept.
#[tokio::test]
async fn calls_wait_for_their_first_subscriber_and_for_one_that_is_gone() -> Result<()> {
    let host = serving(&[source(ordered())]).await?;
    happen(&host, "a", 1).await?.expect(204)?;
    let admin = host.admin()?;
    admin.deploy_one(&sink("sink")).await?;
    heard(&host, "/sink/heard/a", &[1]).await?;
    let gone = admin.send(
        http::Method::DELETE,
        "/v1/services/sink",
        stoa_tests::client::empty(),
    );
    gone.await?.expect(204)?;
    happen(&host, "a", 2).await?.expect(204)?;
    held(&host, "sink", |held| held["waiting"] == 1).await?;
    admin.deploy_one(&sink("sink")).await?;
    heard(&host, "/sink/heard/a", &[1, 2]).await?;
    // Who comes later gets what comes from then on.
    admin.deploy_one(&sink("other")).await?;
    happen(&host, "a", 3).await?.expect(204)?;
    heard(&host, "/other/heard/a", &[3]).await?;
    heard(&host, "/sink/heard/a", &[1, 2, 3]).await
}

#[tokio::test]
async fn a_full_queue_says_so_and_loses_nothing() -> Result<()> {
    let mut settings = ordered();
    settings["max_length"] = json!(3);
    let host = serving(&[source(settings), sink("sink")]).await?;
    host.cli(&["queue", "pause", QUEUE]).await?;
    for number in 1..=3 {
        happen(&host, "a", number).await?.expect(204)?;
    }
    let refused = happen(&host, "a", 4).await?;
    let problem = refused.problem(503)?;
    ensure!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| text.contains("3 messages")),
        "{problem}"
    );
    let listed = host.cli(&["queue", "ls"]).await?.stdout;
    ensure!(listed.contains("paused"), "{listed}");
    // It stays paused over a restart.
    let host = host.restart().await?;
    held(&host, "sink", |held| held["waiting"] == 3).await?;
    host.cli(&["queue", "resume", QUEUE]).await?;
    heard(&host, "/sink/heard/a", &[1, 2, 3]).await?;
    happen(&host, "a", 4).await?.expect(204)?;
    heard(&host, "/sink/heard/a", &[1, 2, 3, 4]).await
}

/// What was acknowledged is delivered after a crash, and in its order.
#[tokio::test]
async fn nothing_is_lost_when_the_host_dies() -> Result<()> {
    let mut host = serving(&[source(ordered()), sink("sink")]).await?;
    let mut told = Vec::new();
    for round in 0..3 {
        for number in 0..10 {
            let number = round * 10 + number;
            happen(&host, "a", number).await?.expect(204)?;
            told.push(number);
        }
        host = host.crash_and_restart().await?;
    }
    let mut found = Vec::new();
    let all = |answer: &Answer| {
        let numbers: Vec<u32> = answer
            .json()
            .ok()
            .and_then(|json| serde_json::from_value(json).ok())
            .unwrap_or_default();
        told.iter().all(|number| numbers.contains(number))
    };
    let answer = answered(async || host.get("/sink/heard/a").await, all).await?;
    for number in serde_json::from_value::<Vec<u32>>(answer.json()?)? {
        // A delivery that was cut off comes again.
        if found.last() != Some(&number) {
            found.push(number);
        }
    }
    ensure!(found == told, "{found:?}");
    Ok(())
}

/// A swap in the middle of deliveries costs none, and is no failure.
#[tokio::test]
async fn a_swap_in_the_middle_loses_no_delivery() -> Result<()> {
    let mut settings = ordered();
    settings["max_attempts"] = json!(1);
    let host = serving(&[source(settings), sink("sink")]).await?;
    spoil(&host, "a", "slow", 2).await?;
    for number in 1..=4 {
        happen(&host, "a", number).await?.expect(204)?;
    }
    held(&host, "sink", |held| held["in_flight"] == 1).await?;
    host.admin()?.deploy_one(&sink("sink")).await?;
    heard(&host, "/sink/heard/a", &[1, 2, 3, 4]).await?;
    held(&host, "sink", |held| held["dead"] == 0).await?;
    Ok(())
}

/// An operator's drain and an open breaker are no failures of a call.
#[tokio::test]
async fn what_the_host_refuses_is_no_attempt() -> Result<()> {
    let mut settings = ordered();
    settings["max_attempts"] = json!(1);
    let host = serving(&[source(settings), sink("sink")]).await?;
    for (number, hold, free) in [
        (
            1,
            ["drain", "sink"].as_slice(),
            ["drain", "sink", "--undo"].as_slice(),
        ),
        (
            2,
            &["breaker", "sink", "open"],
            &["breaker", "sink", "auto"],
        ),
    ] {
        host.cli(hold).await?.expect(0)?;
        happen(&host, "a", number).await?.expect(204)?;
        // It was refused, and is to come again.
        let waits = |held: &Value| held["retrying"] == 1 || held["delayed"] == 1;
        held(&host, "sink", waits).await?;
        host.cli(free).await?.expect(0)?;
    }
    heard(&host, "/sink/heard/a", &[1, 2]).await?;
    held(&host, "sink", |held| held["dead"] == 0).await?;
    Ok(())
}

/// What was kept is delivered to its end, whoever kept it.
#[tokio::test]
async fn a_queue_that_nobody_binds_any_more_is_emptied() -> Result<()> {
    let host = serving(&[source(ordered()), sink("sink")]).await?;
    host.cli(&["queue", "pause", QUEUE]).await?.expect(0)?;
    for number in 1..=2 {
        happen(&host, "a", number).await?.expect(204)?;
    }
    undeploy(&host, "source").await?;
    let host = host.restart().await?;
    host.cli(&["queue", "resume", QUEUE]).await?.expect(0)?;
    heard(&host, "/sink/heard/a", &[1, 2]).await
}

/// Nothing is kept for a service that is gone, once an operator says so.
#[tokio::test]
async fn who_is_gone_can_be_forgotten() -> Result<()> {
    let host = serving(&[source(ordered()), sink("sink"), sink("other")]).await?;
    undeploy(&host, "other").await?;
    happen(&host, "a", 1).await?.expect(204)?;
    held(&host, "other", |held| held["waiting"] == 1).await?;
    let purge = ["queue", "purge", QUEUE, "all", "--subscriber", "other"];
    let purged = host.cli(&purge).await?;
    let told = purged.expect(0)?;
    ensure!(told.contains("1 call is purged"), "{told}");
    happen(&host, "a", 2).await?.expect(204)?;
    heard(&host, "/sink/heard/a", &[1, 2]).await?;
    let queue = host.admin()?.get(PATH).await?.expect(200)?.json()?;
    ensure!(
        queue["subscribers"].as_array().map(Vec::len) == Some(1),
        "{queue}"
    );
    Ok(())
}

async fn undeploy(host: &HostProcess, service: &str) -> Result<()> {
    let path = format!("/v1/services/{service}");
    let empty = stoa_tests::client::empty();
    let gone = host
        .admin()?
        .send(http::Method::DELETE, &path, empty)
        .await?;
    gone.expect(204).map(drop)
}
