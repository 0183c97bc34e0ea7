//! `/v1/queues`: what queues hold, and what operators do to it.

use std::time::{Duration, Instant, SystemTime};

use axum::Json;
use axum::extract::{Path, State};

use super::handlers::{Asked, Input};
use super::problem::Refusal;
use super::state::Admin;
use stoa_api::{
    Problem, QueueCall, QueueCount, QueueLook, QueueMessage, QueuePart, QueuePause, QueuePurge,
    QueueReceipt, QueueRedrive, QueueState, QueueSubscriber,
};
use stoa_call::CallContext;
use stoa_mesh::queue::{NewCall, QueueError, QueueView, StoredCall};
use stoa_settings::Queue;
use stoa_settings::config::values;
use stoa_store::log::{MAX_BODY, Peek, Peeked, Purge, Redrive, Standing, SubscriberStats};

/// Calls that one look shows, unless it says otherwise, and at most.
const PAGE: (usize, usize) = (100, 1000);

/// How long an operator waits for a call to be kept.
const PATIENCE: Duration = Duration::from_secs(30);

const STANDINGS: [(&str, Standing); 6] = [
    ("waiting", Standing::Waiting),
    ("in-flight", Standing::InFlight),
    ("delayed", Standing::Delayed),
    ("retrying", Standing::Retrying),
    ("dead", Standing::Dead),
    ("paused", Standing::Paused),
];

/// All queues: those that a live service binds, and those that hold something.
#[utoipa::path(get, path = "/v1/queues", tag = "queues", responses((status = 200, body = Vec<QueueState>)))]
pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<Vec<QueueState>>, Refusal> {
    let queues = admin.deployments.queues().list().await?;
    Ok(Json(queues.into_iter().map(state).collect()))
}

/// One queue. Its name holds a slash, written `%2F`.
#[utoipa::path(get, path = "/v1/queues/{queue}", tag = "queues", params(("queue" = String, Path)),
    responses((status = 200, body = QueueState), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(admin): State<Admin>,
    Path(queue): Path<String>,
) -> Result<Json<QueueState>, Refusal> {
    let found = admin.deployments.queues().show(&queue).await?;
    Ok(Json(state(found)))
}

/// Keeps a call, which is delivered as one that a service makes. Answered once it is on disk.
#[utoipa::path(post, path = "/v1/queues/{queue}", tag = "queues", params(("queue" = String, Path)), request_body = QueueCall,
    responses((status = 200, body = QueueReceipt), (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn enqueue(
    State(admin): State<Admin>,
    Path(queue): Path<String>,
    Input(call): Input<QueueCall>,
) -> Result<Json<QueueReceipt>, Refusal> {
    let delay = call.delay.as_deref().map(delay).transpose();
    let delay = delay.map_err(Refusal::Input)?;
    let arguments = serde_json::Value::Object(call.arguments).to_string();
    let new = NewCall {
        function: &call.function,
        arguments: arguments.as_bytes(),
        dedupe: call.dedupe,
        delay,
    };
    let context = CallContext::new(Instant::now() + PATIENCE);
    let queues = admin.deployments.queues();
    let kept = queues.enqueue(&queue, new, &context).await?;
    Ok(Json(QueueReceipt {
        id: kept.id,
        duplicate: kept.duplicate,
    }))
}

/// The calls that a queue holds, in the order of their arrival.
#[utoipa::path(get, path = "/v1/queues/{queue}/messages", tag = "queues", params(("queue" = String, Path), QueueLook),
    responses((status = 200, body = Vec<QueueMessage>), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn messages(
    State(admin): State<Admin>,
    Path(queue): Path<String>,
    Asked(look): Asked<QueueLook>,
) -> Result<Json<Vec<QueueMessage>>, Refusal> {
    let standing = look.state.as_deref().map(standing).transpose();
    let peek = Peek {
        subscriber: look.subscriber.as_deref(),
        standing: standing.map_err(Refusal::Input)?,
        after: look.after.unwrap_or_default(),
        most: look.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1),
        body: MAX_BODY,
    };
    let found = admin.deployments.queues().peek(&queue, peek).await?;
    Ok(Json(found.into_iter().map(message).collect()))
}

/// Has calls that were given up delivered again.
#[utoipa::path(post, path = "/v1/queues/{queue}/redrive", tag = "queues", params(("queue" = String, Path)), request_body = QueueRedrive,
    responses((status = 200, body = QueueCount), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn redrive(
    State(admin): State<Admin>,
    Path(queue): Path<String>,
    Input(request): Input<QueueRedrive>,
) -> Result<Json<QueueCount>, Refusal> {
    let which = request.ids.map_or(Redrive::All, Redrive::Ids);
    let most = request.most.unwrap_or(usize::MAX);
    let subscriber = request.subscriber.as_deref();
    let queues = admin.deployments.queues();
    let calls = queues.redrive(&queue, subscriber, &which, most).await?;
    tracing::info!(queue, calls, "calls that were given up are delivered again");
    Ok(Json(QueueCount { calls }))
}

/// Drops calls for good.
#[utoipa::path(post, path = "/v1/queues/{queue}/purge", tag = "queues", params(("queue" = String, Path)), request_body = QueuePurge,
    responses((status = 200, body = QueueCount), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn purge(
    State(admin): State<Admin>,
    Path(queue): Path<String>,
    Input(request): Input<QueuePurge>,
) -> Result<Json<QueueCount>, Refusal> {
    let what = match request.what {
        QueuePart::Waiting => Purge::Waiting,
        QueuePart::Dead => Purge::Dead,
        QueuePart::All => Purge::All,
    };
    let subscriber = request.subscriber.as_deref();
    let queues = admin.deployments.queues();
    let calls = queues.purge(&queue, subscriber, what).await?;
    tracing::warn!(queue, calls, "calls were purged");
    Ok(Json(QueueCount { calls }))
}

/// Has a queue deliver nothing, or deliver again. It keeps calls all the same.
#[utoipa::path(put, path = "/v1/queues/{queue}/paused", tag = "queues", params(("queue" = String, Path)), request_body = QueuePause,
    responses((status = 200, body = QueueState), (status = 404, body = Problem)))]
pub(super) async fn pause(
    State(admin): State<Admin>,
    Path(queue): Path<String>,
    Input(request): Input<QueuePause>,
) -> Result<Json<QueueState>, Refusal> {
    let queues = admin.deployments.queues();
    queues.pause(&queue, request.paused).await?;
    Ok(Json(state(queues.show(&queue).await?)))
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

fn delay(text: &str) -> Result<Duration, String> {
    let delay = values::duration(text).map_err(|fault| format!("`delay`: {fault}"))?;
    if delay > Queue::LONGEST_DELAY {
        return Err(format!("`delay`: expected 30 days at most, found {text:?}"));
    }
    Ok(delay)
}

fn standing(text: &str) -> Result<Standing, String> {
    values::word(text, &STANDINGS).map_err(|fault| format!("`state`: {fault}"))
}

fn state(view: QueueView) -> QueueState {
    QueueState {
        queue: view.name,
        bound: view.bound,
        paused: view.paused,
        messages: view.stats.messages,
        bytes: view.stats.bytes,
        subscribers: view.stats.subscribers.into_iter().map(subscriber).collect(),
    }
}

fn subscriber(stats: SubscriberStats) -> QueueSubscriber {
    let age = |oldest: SystemTime| SystemTime::now().duration_since(oldest);
    let age = stats.oldest.map(|oldest| age(oldest).unwrap_or_default());
    QueueSubscriber {
        service: stats.name,
        waiting: stats.waiting,
        in_flight: stats.in_flight,
        delayed: stats.delayed,
        retrying: stats.retrying,
        dead: stats.dead,
        paused_keys: stats.paused_keys,
        oldest_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
    }
}

fn message(peeked: Peeked) -> QueueMessage {
    let stored = StoredCall::read(&peeked.body);
    let (function, arguments, trace) = match &stored {
        Ok(call) => (
            call.function.to_string(),
            serde_json::from_str(call.arguments.get()).unwrap_or_default(),
            call.trace.as_deref().map(str::to_owned),
        ),
        Err(_) => Default::default(),
    };
    let mut names = STANDINGS.iter();
    let state = names.find(|(_, standing)| *standing == peeked.standing);
    let told = |time| humantime::format_rfc3339_millis(time).to_string();
    QueueMessage {
        id: peeked.id,
        subscriber: peeked.subscriber,
        state: state.map(|(name, _)| *name).unwrap_or_default().to_owned(),
        key: peeked.key,
        function,
        arguments,
        trace,
        attempts: peeked.attempts,
        error: peeked.last_error,
        enqueued: told(peeked.enqueued),
        due: told(peeked.due),
    }
}
