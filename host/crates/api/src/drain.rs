//! Drains: of one service, and of the host.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a service is drained, and how far: `/v1/services/{service}/drain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrainState {
    /// Whether it takes no new calls.
    pub drained: bool,
    /// Calls that are under way, or wait to be.
    pub under_way: u64,
}

/// Answer to `POST /v1/drain`: the host has begun to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostDrain {
    /// How long calls under way may go on, in milliseconds.
    pub limit_ms: u64,
}
