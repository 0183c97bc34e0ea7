//! Rollouts: how a new revision takes over, and how far it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use stoa_settings::duration;

/// A canary in stages, which the host walks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stages {
    /// Shares of the traffic in per cent, ascending; the last is 100.
    pub shares: Vec<u8>,
    /// How long each stage lasts, such as `30s`.
    #[serde(with = "duration")]
    #[schema(value_type = String)]
    pub every: Duration,
}

/// A rollout under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolloutState {
    /// The new revision.
    pub revision: u64,
    /// The one that it is compared with, and that comes back if it is worse.
    pub against: u64,
    /// Shares that are still to come, in per cent.
    pub stages: Vec<u8>,
    /// When the next of them comes, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_ms: Option<u64>,
    /// When the watch ends, in milliseconds from now, once all stages are done.
    pub watch_ms: u64,
    /// Calls of the new revision so far.
    pub calls: u64,
    /// Those of them that failed.
    pub failed: u64,
}
