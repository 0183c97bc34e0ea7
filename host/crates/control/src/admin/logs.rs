//! The log over the wire, as server-sent events.

use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use super::handlers::Asked;
use super::problem::Refusal;
use super::state::Admin;
use stoa_api::Problem;
use stoa_telemetry::logs::{Level, LogFilter, Tailed};

/// Which records are asked for.
#[derive(Deserialize, IntoParams)]
pub(super) struct Wanted {
    /// The lowest level: `trace`, `debug`, `info`, `warn`, `error`, `critical`.
    level: Option<String>,
    /// Whether to go on with records that are still to come.
    #[serde(default)]
    follow: bool,
}

/// The log of a service.
#[utoipa::path(get, path = "/v1/services/{service}/logs", tag = "logs", params(("service" = String, Path), Wanted),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 404, body = Problem)))]
pub(super) async fn service(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    // One that is gone may have left something, one that is to come will.
    let all = LogFilter {
        service: Some(service.clone()),
        min_level: Level::Trace,
    };
    if !wanted.follow && admin.telemetry.logs.subscribe(all).0.is_empty() {
        admin.deployments.check_name(&service)?;
    }
    events(admin, Some(service), &wanted)
}

/// The log of the host and of all services.
#[utoipa::path(get, path = "/v1/logs", tag = "logs", params(Wanted),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(super) async fn all(
    State(admin): State<Admin>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    events(admin, None, &wanted)
}

fn events(
    admin: Admin,
    service: Option<String>,
    wanted: &Wanted,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, Refusal> {
    let min_level = match &wanted.level {
        Some(level) => level
            .parse::<Level>()
            .map_err(|error| Refusal::Input(error.to_string()))?,
        None => Level::Trace,
    };
    let (recent, tail) = admin
        .telemetry
        .logs
        .subscribe(LogFilter { service, min_level });
    let recent = stream::iter(recent.into_iter().map(Tailed::Record));
    let tail = if wanted.follow {
        tail.boxed()
    } else {
        stream::empty().boxed()
    };
    let records = recent.chain(tail).map(|tailed| {
        Ok(match tailed {
            Tailed::Record(line) => Event::default().data(&*line),
            Tailed::Missed(count) => Event::default().event("missed").data(count.to_string()),
        })
    });
    let ended = async move { admin.drain.begun().await };
    Ok(Sse::new(records.take_until(Box::pin(ended))).keep_alive(KeepAlive::default()))
}
