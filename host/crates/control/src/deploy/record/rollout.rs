//! What is kept of a rollout, and the times of its stages.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use stoa_mesh::record::Numbers;

/// A rollout, on disk. Times are in milliseconds since 1970: they outlive the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RolloutRecord {
    /// The new revision.
    pub(crate) revision: u64,
    /// What it is compared with, and what comes back if it is worse.
    pub(crate) against: u64,
    /// What the old revision could be taken back to.
    #[serde(default)]
    pub(crate) previous: Option<u64>,
    /// What the old revision did before the swap, where it has no traffic since.
    pub(crate) baseline: Option<Numbers>,
    /// Shares to come, in per cent.
    pub(crate) stages: Vec<u8>,
    /// How long each stage lasts.
    pub(crate) every_ms: u64,
    /// When the next stage comes.
    pub(crate) next_ms: u64,
    /// When the watch ends.
    pub(crate) until_ms: u64,
}

impl RolloutRecord {
    /// Begins the stage or the watch under way anew, after a restart.
    pub(crate) fn restart(&mut self, watch: Duration) {
        self.begin(now_ms(), watch);
    }

    pub(crate) fn begin(&mut self, now: u64, watch: Duration) {
        self.next_ms = now + self.every_ms;
        self.until_ms = now + self.every_ms * self.stages.len() as u64 + millis(watch);
    }

    /// Goes on to the next stage, which lasts as long as any: what comes late moves
    /// all that follows.
    pub(crate) fn advance(&mut self, now: u64) {
        let late = now.saturating_sub(self.next_ms);
        self.stages.remove(0);
        self.next_ms += late + self.every_ms;
        self.until_ms += late;
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    millis(since.unwrap_or_default())
}

/// A time in milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
