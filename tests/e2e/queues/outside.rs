//! Calls that no component makes: of a route, of an operator's program.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::*;

/// A request of a client's can be kept in the place of being answered.
#[tokio::test]
async fn a_route_keeps_its_calls() -> Result<()> {
    let kept = json!({ "target": { "queue": "test:queue/events.happened" }, "access": "public" });
    let sink = sink("sink")
        .route("POST /events", kept)
        .set("queues", json!({ QUEUE: ordered() }));
    let host = serving(&[sink]).await?;
    for number in 1..=3 {
        let answer = host
            .post("/events", &json!({ "key": "a", "number": number }))
            .await?;
        answer.expect(202)?;
    }
    heard(&host, "/sink/heard/a", &[1, 2, 3]).await?;
    host.post("/events", &json!({ "key": "a" }))
        .await?
        .problem(422)?;
    let document = host
        .admin()?
        .get("/v1/app/openapi.json")
        .await?
        .expect(200)?
        .json()?;
    let responses = &document["paths"]["/events"]["post"]["responses"];
    ensure!(responses["202"].is_object(), "{responses}");
    Ok(())
}

/// However late it comes, and however often.
#[tokio::test]
async fn a_delivery_says_when_its_call_was_kept() -> Result<()> {
    let sink = sink("sink")
        .call("GET /kept/{key}", "test:queue/sink.kept")
        .call("POST /direct", "test:queue/events.happened");
    let host = serving(&[source(ordered()), sink]).await?;
    host.cli(&["queue", "pause", QUEUE]).await?.expect(0)?;
    spoil(&host, "a", "fail", 2).await?;
    let before = SystemTime::now();
    happen(&host, "a", 1).await?.expect(204)?;
    let after = SystemTime::now();
    let host = host.crash_and_restart().await?;
    host.cli(&["queue", "resume", QUEUE]).await?.expect(0)?;
    heard(&host, "/sink/heard/a", &[1]).await?;
    let kept = host.get("/kept/a").await?.expect(200)?.json()?;
    let kept = kept.as_u64().context("a number of milliseconds")?;
    let kept = UNIX_EPOCH + Duration::from_millis(kept);
    let rounded = Duration::from_millis(1);
    ensure!(
        before <= kept + rounded && kept <= after,
        "{before:?} {kept:?} {after:?}"
    );
    // Who waits for a call knows when it was made.
    let direct = json!({ "key": "b", "number": 1 });
    host.post("/direct", &direct).await?.expect(204)?;
    host.get("/kept/b").await?.expect(204)?;
    Ok(())
}

#[tokio::test]
async fn a_call_can_come_from_outside_once() -> Result<()> {
    let host = serving(&[source(ordered()), sink("sink")]).await?;
    let admin = host.admin()?;
    let call = json!({ "function": "happened", "arguments": { "key": "a", "number": 7 }, "dedupe": "evt_1" });
    let first = admin
        .json(http::Method::POST, PATH, &call)
        .await?
        .expect(200)?
        .json()?;
    let again = admin
        .json(http::Method::POST, PATH, &call)
        .await?
        .expect(200)?
        .json()?;
    ensure!(
        first["duplicate"] == false && again["duplicate"] == true,
        "{again}"
    );
    ensure!(first["id"] == again["id"], "{again}");
    heard(&host, "/sink/heard/a", &[7]).await?;
    let wrong = json!({ "function": "happened", "arguments": { "key": "a", "number": -1 } });
    let refused = admin.json(http::Method::POST, PATH, &wrong).await?;
    ensure!(
        refused.problem(422)?["detail"]
            .as_str()
            .is_some_and(|text| text.contains("number")),
        "{}",
        refused.text()
    );
    let unknown = json!({ "function": "happend", "arguments": {} });
    admin
        .json(http::Method::POST, PATH, &unknown)
        .await?
        .problem(422)?;
    let nowhere = admin
        .json(http::Method::POST, "/v1/queues/test%3Aqueue%2Fevent", &call)
        .await?;
    ensure!(
        nowhere.problem(404)?["detail"]
            .as_str()
            .is_some_and(|text| text.contains(QUEUE)),
        "{}",
        nowhere.text()
    );
    Ok(())
}
