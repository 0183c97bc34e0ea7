//! Components and compiled code that no revision needs: they go after a while.
//!
//! Removing has a turn of the state. What a deployment under way needs is pinned.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::Deployments;

impl Deployments {
    /// How often that should be, at least as often as `usual`.
    pub fn sweeps_every(&self, usual: Duration) -> Duration {
        usual.min(self.parts.keep.uploads)
    }

    /// Removes what no revision needs any more; to be called now and then.
    pub async fn sweep_components(&self) {
        let state = self.turn().await;
        if self.unread.load(Ordering::Relaxed) {
            return;
        }
        let services = state.services.values();
        let revisions = services.flat_map(|deployed| &deployed.record.revisions);
        let used: HashSet<String> = revisions
            .map(|revision| revision.component.clone())
            .collect();
        let before = SystemTime::now()
            .checked_sub(self.parts.keep.uploads)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let swept = match self.parts.components.sweep(&used, before) {
            Ok(swept) => swept,
            Err(error) => {
                tracing::warn!("old components could not be removed: {error}");
                return;
            }
        };
        let compiled = self.parts.runtime.sweep(&swept.kept, before);
        let metrics = &self.parts.telemetry.metrics;
        metrics.disk("components", swept.bytes);
        metrics.disk("compiled", compiled);
        if swept.removed > 0 {
            tracing::info!(
                components = swept.removed,
                "removed: no revision needs them any more"
            );
        }
    }
}
