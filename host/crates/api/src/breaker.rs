//! Breakers, as `/v1/services/{service}/breaker` shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The breaker of a revision on one link, or of an upstream's instance.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BreakerState {
    /// The revision that is guarded; of an upstream, the number of its declaration.
    pub revision: u64,
    /// The upstream's instance that is guarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Where the calls come from: `gateway`, or a service.
    pub link: String,
    /// `closed`, `half-open`, `open` or `ramp`.
    pub state: String,
    /// Whether an operator holds it there.
    pub forced: bool,
    /// Why it is in its state.
    pub reason: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Calls of the window that succeeded.
    pub succeeded: u64,
    /// Calls of the window that failed.
    pub failed: u64,
    /// Calls of the window that were slow, where that is looked at.
    pub slow: u64,
    /// Failures since the last success.
    pub consecutive: u32,
    /// When the next call is let through as a probe, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_probe_ms: Option<u64>,
}

/// Body of `PUT /v1/services/{service}/breaker`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakerRequest {
    /// What to hold it at, or `auto`.
    pub state: BreakerForce,
    /// One link only; `None` is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What an operator wants of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BreakerForce {
    /// No call goes through.
    Open,
    /// Every call goes through.
    Closed,
    /// As the calls' outcomes say.
    Auto,
}
