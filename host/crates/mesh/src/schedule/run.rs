//! One run of a schedule: written down, called, written down.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::call::Ended;
use super::entry::{Entry, Occasion};
use super::kept::{Begun, Run};
use super::{ScheduleName, Schedules};
use stoa_api::RunOutcome;
use stoa_call::TraceContext;
use stoa_http::shutdown::Drain;
use stoa_settings::Schedule;
use stoa_store::{Change, StoreError};

/// A run that is about to begin.
pub(super) struct Starting {
    pub(super) name: Arc<ScheduleName>,
    pub(super) schedule: Schedule,
    /// Tells it from all others since the host began.
    pub(super) ticket: u64,
    pub(super) begun: Begun,
    pub(super) trace: TraceContext,
}

impl Schedules {
    /// Makes the call of a run, once it is on disk that it is made. The drain waits for
    /// its end.
    pub(super) async fn run(self: Arc<Self>, starting: Starting, _held: Drain) {
        let written = self.write(&starting, |name, entry| {
            entry.kept.written(name).into_iter().collect()
        });
        let written = written.await;
        let began = Instant::now();
        let ended = match written {
            Ok(true) => {
                let Starting {
                    name,
                    schedule,
                    trace,
                    ..
                } = &starting;
                self.parts.caller.call(name, schedule, *trace).await
            }
            // It was undeployed in this very moment.
            Ok(false) => return,
            Err(error) => Ended::refused(format!("its slot could not be written down: {error}")),
        };
        tell(&starting, &ended);
        let took = began.elapsed();
        let run = Run {
            error: ended.error,
            ..starting.begun.clone().ended(ended.outcome, took)
        };
        self.end(&starting, run, took).await;
    }

    async fn end(&self, starting: &Starting, run: Run, took: Duration) {
        let outcome = run.outcome;
        let written = self.write(starting, move |name, entry| {
            if let Some(active) = &entry.active {
                active.metrics.ended(outcome, took);
            }
            entry.kept.end(run);
            let changes = [entry.kept.written(name), entry.kept.last_written(name)];
            changes.into_iter().flatten().collect()
        });
        if let Err(error) = written.await {
            tracing::error!(
                service.name = starting.name.service,
                "what the run of {} came to is not written down: {error}",
                starting.name.function
            );
        }
        let mut all = self.lock();
        if let Some(entry) = all.entries.get_mut(&starting.name)
            && entry.running == Some(starting.ticket)
        {
            entry.running = None;
            all.look_at(&starting.name, Occasion::Able);
            drop(all);
            self.changed.notify_one();
        }
    }

    /// Writes down what `change` makes of the entry, unless that is another's by now.
    async fn write(
        &self,
        starting: &Starting,
        change: impl FnOnce(&ScheduleName, &mut Entry) -> Vec<Change>,
    ) -> Result<bool, StoreError> {
        let _nobody_removes = self.writing.read().await;
        let changes = {
            let mut all = self.lock();
            match all.entries.get_mut(&starting.name) {
                Some(entry) if entry.running == Some(starting.ticket) => {
                    change(&starting.name, entry)
                }
                _ => return Ok(false),
            }
        };
        self.parts.records.apply(changes).await?;
        Ok(true)
    }
}

/// Tells the operator of what did not go well.
fn tell(starting: &Starting, ended: &Ended) {
    if ended.outcome == RunOutcome::Succeeded {
        return;
    }
    tracing::warn!(
        service.name = starting.name.service,
        function = %starting.name.function,
        trace.id = starting.begun.trace_id,
        "a scheduled call came to {}: {}",
        ended.outcome.name(),
        ended.error.as_deref().unwrap_or("it gives no reason")
    );
}
