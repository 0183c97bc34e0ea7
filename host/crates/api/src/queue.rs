//! Queues: what they hold, and what is done to it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A queue, as `GET /v1/queues` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueState {
    /// Its name: that of the interface, without version.
    pub queue: String,
    /// Whether a live service binds it. Another one only keeps what it holds.
    pub bound: bool,
    /// Whether an operator wants no deliveries.
    pub paused: bool,
    /// Calls that somebody still needs.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Services that get its calls, those too that are gone and have not been purged.
    pub subscribers: Vec<QueueSubscriber>,
}

/// What a queue holds for a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueSubscriber {
    /// The service.
    pub service: String,
    /// Calls that are due.
    pub waiting: u64,
    /// Calls that are being delivered.
    pub in_flight: u64,
    /// Calls whose delay is not over.
    pub delayed: u64,
    /// Calls that failed and wait to be delivered again.
    pub retrying: u64,
    /// Calls that were given up.
    pub dead: u64,
    /// Keys that stand still behind a call that was given up.
    pub paused_keys: u64,
    /// How long the oldest is there that is not done, in milliseconds.
    pub oldest_ms: Option<u64>,
}

/// A call in a queue, as `GET /v1/queues/{queue}/messages` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueMessage {
    /// Its number in the queue.
    pub id: u64,
    /// The service that it waits for; null while nobody has subscribed.
    pub subscriber: Option<String>,
    /// `waiting`, `in-flight`, `delayed`, `retrying`, `dead` or `paused`.
    pub state: String,
    /// What orders it.
    pub key: Option<String>,
    /// The function.
    pub function: String,
    /// Its arguments by the names of the parameters.
    pub arguments: serde_json::Value,
    /// Where in which trace it was made, as a `traceparent` header.
    pub trace: Option<String>,
    /// Deliveries that failed.
    pub attempts: u32,
    /// How the last of them failed.
    pub error: Option<String>,
    /// When it was made, as RFC 3339, UTC.
    pub enqueued: String,
    /// When it is due, or was, as RFC 3339, UTC.
    pub due: String,
}

/// Query of `GET /v1/queues/{queue}/messages`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct QueueLook {
    /// Only calls for this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<String>,
    /// Only calls in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only calls with a greater number: the last of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many at most, up to 1000 [default: 100].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Body of `POST /v1/queues/{queue}`: a call that is delivered as one of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueCall {
    /// The function.
    pub function: String,
    /// Its arguments by the names of the parameters.
    #[serde(default)]
    pub arguments: serde_json::Map<String, serde_json::Value>,
    /// Names the call: a second one with it is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe: Option<String>,
    /// How long it is kept before it is delivered, such as `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
}

/// Answer to `POST /v1/queues/{queue}`: the call is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueReceipt {
    /// Its number in the queue.
    pub id: u64,
    /// Whether it was there already.
    pub duplicate: bool,
}

/// Body of `POST /v1/queues/{queue}/redrive`: which calls that were given up are delivered
/// again, with all their attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueueRedrive {
    /// Only those of this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<String>,
    /// Only those with these numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<u64>>,
    /// How many at most of each service, the oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
}

/// Body of `POST /v1/queues/{queue}/purge`: which calls go for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuePurge {
    /// Only those of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<String>,
    /// Which of them.
    pub what: QueuePart,
}

/// A part of what a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueuePart {
    /// What is neither being delivered nor given up.
    Waiting,
    /// What was given up.
    Dead,
    /// Everything.
    All,
}

/// How many calls something was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueCount {
    /// Calls, counted once for each service that they wait for.
    pub calls: u64,
}

/// Body of `PUT /v1/queues/{queue}/paused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuePause {
    /// Whether nothing is delivered; it stays so over deployments and restarts.
    pub paused: bool,
}
