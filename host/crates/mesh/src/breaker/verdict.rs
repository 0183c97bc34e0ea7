//! When what was counted opens a breaker.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{Breaker, Reason};
use crate::record::Counts;

impl Breaker {
    /// Whether what was counted is enough to open, and why.
    pub(super) fn verdict(&self, now: Instant) -> Option<Reason> {
        let settings = &self.settings;
        let row = self.consecutive.load(Ordering::Relaxed);
        if row >= settings.consecutive {
            return Some(Reason::Consecutive { failures: row });
        }
        let Counts {
            calls,
            failed,
            slow,
        } = self.within(now);
        if calls < u64::from(settings.min_calls) {
            return None;
        }
        let share = |part: u64| {
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            let share = part as f64 / calls as f64;
            share
        };
        if share(calls - failed) < settings.success_rate {
            return Some(Reason::SuccessRate { failed, calls });
        }
        (self.times_calls() && share(slow) >= settings.slow_rate)
            .then_some(Reason::SlowCalls { slow, calls })
    }
}
