//! The registry as its watchers see it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use stoa_tests::admin::Admin;
use stoa_tests::client::{Client, PATIENCE, empty};
use stoa_tests::service::Service;
use tokio::time::timeout;

use crate::{guests, hello, host, serving};

/// A watch under way.
pub struct Watch {
    body: Incoming,
    received: Vec<u8>,
}

impl Watch {
    pub async fn begin(admin: &Admin, query: &str) -> Result<Self> {
        let request = Request::get(format!("/v1/discovery?{query}"))
            .header("authorization", format!("Bearer {}", admin.token))
            .body(empty())?;
        let response = Client::http1(admin.address).stream(request).await?;
        anyhow::ensure!(response.status().is_success(), "{}", response.status());
        Ok(Self {
            body: response.into_body(),
            received: Vec::new(),
        })
    }

    /// The next line; none at the watch's end.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            let frame = timeout(PATIENCE, self.body.frame())
                .await
                .context("the watch is silent")?;
            match frame {
                Some(frame) => self.received.extend(frame?.into_data().unwrap_or_default()),
                None => return Ok(None),
            }
        }
    }

    /// The states that a member goes through, up to this one or its end (`gone`).
    pub async fn states(&mut self, id: &str, last: &str) -> Result<Vec<String>> {
        let mut states = Vec::new();
        while let Some(event) = self.next().await? {
            let state = match event["type"].as_str() {
                Some("put") if event["member"]["id"] == id => event["member"]["state"].clone(),
                Some("delete") if event["id"] == id => json!("gone"),
                _ => continue,
            };
            states.push(state.as_str().context("a state is text")?.to_owned());
            if state == last {
                return Ok(states);
            }
        }
        bail!("the watch ended after {states:?}")
    }
}

/// Reads server-sent events up to one of this type, and says the ids on the way.
async fn events_up_to(body: &mut Incoming, event: &str) -> Result<Vec<u64>> {
    let mut received = String::new();
    let mut ids = Vec::new();
    loop {
        while let Some((one, rest)) = received.split_once("\n\n") {
            let field = |name: &str| one.lines().find_map(|line| line.strip_prefix(name));
            let id = field("id: ").context(one.to_owned())?;
            ids.push(id.parse()?);
            let data: Value = serde_json::from_str(field("data: ").context(one.to_owned())?)?;
            assert_eq!(
                Some(&data["type"]),
                field("event: ").map(Value::from).as_ref()
            );
            if data["type"] == event {
                return Ok(ids);
            }
            received = rest.to_owned();
        }
        let frame = timeout(PATIENCE, body.frame()).await.context("silence")?;
        let frame = frame.context("the stream ends")??;
        let data = frame.into_data().unwrap_or_default();
        received.push_str(std::str::from_utf8(&data)?);
    }
}

/// Service/id → state.
async fn states(admin: &Admin) -> Result<(u64, BTreeMap<String, String>)> {
    let directory = admin.get("/v1/discovery").await?.expect(200)?.json()?;
    let members = directory["members"].as_array().context("a list")?;
    let states = members.iter().map(|member| {
        let text = |key: &str| member[key].as_str().unwrap_or_default().to_owned();
        (format!("{}/{}", text("service"), text("id")), text("state"))
    });
    let revision = directory["revision"].as_u64().context("a number")?;
    Ok((revision, states.collect()))
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[tokio::test]
async fn a_watcher_sees_each_revision_come_and_go() -> Result<()> {
    let host = host().await?;
    let admin = host.admin()?;
    let mut watch = Watch::begin(&admin, "watch").await?;
    let first = watch.next().await?.context("a snapshot")?;
    assert_eq!(
        (&first["type"], &first["members"]),
        (&json!("snapshot"), &json!([]))
    );
    admin.deploy_one(&hello()).await?;
    assert_eq!(watch.states("1", "UP").await?, ["STARTING", "UP"]);
    admin.deploy_one(&hello()).await?;
    // What was live stays for the way back.
    assert_eq!(
        watch.states("1", "OUT_OF_SERVICE").await?,
        ["DRAINING", "OUT_OF_SERVICE"]
    );
    admin.deploy_one(&hello()).await?;
    assert_eq!(watch.states("1", "gone").await?, ["gone"]);
    watch.states("2", "OUT_OF_SERVICE").await?;
    admin.deploy_one(&hello().canary(10)).await?;
    assert_eq!(watch.states("4", "UP").await?, ["STARTING", "UP"]);
    let (_, now) = states(&admin).await?;
    let expected = map(&[
        ("hello/2", "OUT_OF_SERVICE"),
        ("hello/3", "UP"),
        ("hello/4", "UP"),
    ]);
    assert_eq!(now, expected);
    admin
        .send(Method::DELETE, "/v1/services/hello", empty())
        .await?
        .expect(204)?;
    assert_eq!(watch.states("3", "gone").await?, ["DRAINING", "gone"]);
    Ok(())
}

#[tokio::test]
async fn a_watch_resumes_in_order_and_says_when_it_can_not() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let admin = host.admin()?;
    let (from, _) = states(&admin).await?;
    for _ in 0..3 {
        admin.deploy_one(&hello()).await?;
    }
    let mut watch = Watch::begin(&admin, &format!("watch=true&from={from}")).await?;
    let mut last = from;
    while last < states(&admin).await?.0 {
        let event = watch.next().await?.context("a change")?;
        last += 1;
        assert_eq!(event["revision"], last, "{event}");
    }
    let beyond = format!("/v1/discovery?watch&from={}", last + 1_000_000);
    let refused = admin.get(&beyond).await?.problem(410)?;
    assert_eq!(refused["code"], "compacted");

    // Another life of the host: its numbers are larger, and the old ones forgotten.
    let host = host.crash_and_restart().await?;
    let admin = host.admin()?;
    let (now, members) = states(&admin).await?;
    assert!(now > last, "{now} after {last}");
    assert_eq!(members["hello/4"], "UP");
    let refused = admin
        .get(&format!("/v1/discovery?watch&from={last}"))
        .await?
        .problem(410)?;
    assert!(refused.to_string().contains(&now.to_string()), "{refused}");
    let metrics = admin.metrics().await?;
    assert!(
        metrics.contains(&format!("stoa_registry_revision {now}")),
        "{metrics}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_refused_leaves_no_trace() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let admin = host.admin()?;
    let sick = Service::new("hello", guests::HEALTH).set("config.health", json!("a cold"));
    admin.refused(&sick).await?;
    let (_, now) = states(&admin).await?;
    assert_eq!(now, map(&[("hello/1", "UP")]));
    let listed = host.cli(&["discovery"]).await?;
    assert!(listed.expect(0)?.contains("UP"), "{listed:?}");
    Ok(())
}

#[tokio::test]
async fn events_tell_each_change_and_resume() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let admin = host.admin()?;
    let listen = async |last: Option<u64>| -> Result<Incoming> {
        let mut request =
            Request::get("/v1/events").header("authorization", format!("Bearer {}", admin.token));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = Client::http1(admin.address)
            .stream(request.body(empty())?)
            .await?;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(response.into_body())
    };
    let mut stream = listen(None).await?;
    let ids = events_up_to(&mut stream, "snapshot").await?;
    let [snapshot] = ids[..] else {
        bail!("the snapshot comes first: {ids:?}")
    };
    admin
        .deploy_one(&hello().named("other").set("routes", json!([])))
        .await?;
    let ids = events_up_to(&mut stream, "put").await?;
    assert_eq!(ids, [snapshot + 1]);
    let undeploy = "/v1/services/other";
    let gone = admin.send(Method::DELETE, undeploy, empty()).await?;
    assert!(gone.status.is_success(), "{}", gone.text());
    // All of it again, for who was away.
    let mut again = listen(Some(snapshot)).await?;
    let ids = events_up_to(&mut again, "delete").await?;
    assert_eq!(ids[0], snapshot + 1);
    assert!(ids.is_sorted(), "{ids:?}");
    // Of a registry that this is not.
    let mut anew = listen(Some(u64::MAX)).await?;
    assert_eq!(events_up_to(&mut anew, "snapshot").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_revision_is_down_while_its_breaker_is_open() -> Result<()> {
    let host = serving(&[hello()]).await?;
    let admin = host.admin()?;
    host.get("/ping").await?.expect(200)?;
    let mut watch = Watch::begin(&admin, "watch").await?;
    let force = async |state: &str| {
        let path = "/v1/services/hello/breaker";
        let body = json!({ "state": state });
        admin.json(Method::PUT, path, &body).await?.expect(200)
    };
    force("open").await?;
    assert_eq!(watch.states("1", "DOWN").await?, ["DOWN"]);
    assert_eq!(states(&admin).await?.1, map(&[("hello/1", "DOWN")]));
    force("auto").await?;
    assert_eq!(watch.states("1", "UP").await?, ["UP"]);
    Ok(())
}
