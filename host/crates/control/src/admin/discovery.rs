//! The registry over the wire: a snapshot, or a watch of its changes, as NDJSON or as
//! server-sent events.
//!
//! A watch is read at its reader's pace. It holds a number, not a queue: a reader
//! that falls behind what is remembered is told so, and the watch ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use super::handlers::Asked;
use super::problem::Refusal;
use super::state::Admin;
use crate::deploy::Deployments;
use stoa_api::{Directory, Problem, WatchEvent};
use stoa_mesh::discovery::Next;

/// How long a watch is silent at most: less than proxies take for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Changes that are written at once.
const BATCH: usize = 256;

/// What is asked for.
#[derive(Deserialize, IntoParams)]
pub(super) struct Wanted {
    /// With it, changes follow the snapshot: `?watch`.
    watch: Option<String>,
    /// With a watch: begin after this revision, without a snapshot.
    from: Option<u64>,
}

/// What is registered. With `watch`, a snapshot and then each change in order, a
/// line each; with `from` too, each change after that revision. 410 when these
/// are forgotten: take a new snapshot.
#[utoipa::path(get, path = "/v1/discovery", tag = "discovery", params(Wanted),
    responses((status = 200, body = Directory), (status = 200, body = WatchEvent, content_type = "application/x-ndjson"),
        (status = 410, body = Problem)))]
pub(super) async fn discovery(
    State(admin): State<Admin>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refusal> {
    let discovery = admin.deployments.discovery();
    if wanted.watch.is_none_or(|watch| watch == "false") {
        return Ok(Json(discovery.snapshot()).into_response());
    }
    let from = wanted.from;
    if from.is_some_and(|from| discovery.after(from, 1) == Next::Compacted) {
        return Err(Refusal::Compacted(discovery.revision()));
    }
    let lines = watch(&admin, from).map(|events| lines(&events));
    Ok((
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response())
}

/// A snapshot and then each change in order, as server-sent events with the change's
/// number as their id. `Last-Event-ID` resumes after that change, or begins anew when
/// what followed it is forgotten.
#[utoipa::path(get, path = "/v1/events", tag = "discovery",
    params(("last-event-id" = Option<u64>, Header)),
    responses((status = 200, body = WatchEvent, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(admin): State<Admin>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, axum::Error>>> {
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()?.parse().ok());
    let discovery = admin.deployments.discovery();
    let resumed = last.filter(|from| discovery.after(*from, 1) != Next::Compacted);
    let events = watch(&admin, resumed).flat_map(stream::iter);
    let events = events.map(|event| {
        let told = Event::default().event(event.name());
        let told = match &event {
            // Its reader resumes after what it knows, and gets a new snapshot then.
            WatchEvent::Compacted { .. } => told,
            other => told.id(other.revision().to_string()),
        };
        told.json_data(&event)
    });
    Sse::new(events)
}

/// Changes after a revision as they come, or all that is there and then each change,
/// until the host drains.
fn watch(admin: &Admin, from: Option<u64>) -> impl Stream<Item = Vec<WatchEvent>> + use<> {
    let (first, revision) = match from {
        Some(from) => (None, from),
        None => {
            let snapshot = admin.deployments.discovery().snapshot();
            let revision = snapshot.revision;
            (Some(vec![WatchEvent::Snapshot(snapshot)]), revision)
        }
    };
    let changes = changes(admin.deployments.clone(), revision);
    let drain = admin.drain.clone();
    let ended = async move { drain.begun().await };
    let events = stream::iter(first).chain(changes);
    events.take_until(Box::pin(ended))
}

/// All changes after a revision, as they come.
fn changes(deployments: Arc<Deployments>, from: u64) -> impl Stream<Item = Vec<WatchEvent>> {
    stream::unfold(Some(from), move |from| {
        let deployments = deployments.clone();
        async move {
            let events = next(&deployments, from?).await;
            let next = match events.last() {
                Some(WatchEvent::Put { revision, .. } | WatchEvent::Delete { revision, .. }) => {
                    Some(*revision)
                }
                Some(WatchEvent::Heartbeat { .. }) => from,
                _ => None,
            };
            Some((events, next))
        }
    })
}

async fn next(deployments: &Deployments, from: u64) -> Vec<WatchEvent> {
    let discovery = deployments.discovery();
    let mut told = discovery.subscribe();
    loop {
        // What is told from here on is not yet seen.
        told.mark_unchanged();
        match discovery.after(from, BATCH) {
            Next::Changes(changes) => return changes,
            Next::Compacted => {
                let revision = discovery.revision();
                return vec![WatchEvent::Compacted { revision }];
            }
            Next::Nothing => {}
        }
        if !matches!(
            tokio::time::timeout(HEARTBEAT, told.changed()).await,
            Ok(Ok(()))
        ) {
            return vec![WatchEvent::Heartbeat { revision: from }];
        }
    }
}

fn lines(events: &[WatchEvent]) -> Result<Bytes, serde_json::Error> {
    let mut lines = Vec::new();
    for event in events {
        serde_json::to_writer(&mut lines, event)?;
        lines.push(b'\n');
    }
    Ok(lines.into())
}
