//! How far a deployment is: for its client, step by step, and for the metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use stoa_api::{DeployEvent, Step};
use stoa_telemetry::metrics::Metrics;

/// Where the progress of a deployment goes. Nobody need listen.
#[derive(Clone)]
pub(super) struct Progress {
    events: mpsc::UnboundedSender<DeployEvent>,
    metrics: Arc<Metrics>,
}

impl Progress {
    pub(super) fn new(events: mpsc::UnboundedSender<DeployEvent>, metrics: &Arc<Metrics>) -> Self {
        Self {
            events,
            metrics: metrics.clone(),
        }
    }

    /// Progress that only the metrics see.
    pub(super) fn silent(metrics: &Arc<Metrics>) -> Self {
        Self::new(mpsc::unbounded_channel().0, metrics)
    }

    pub(super) fn send(&self, event: DeployEvent) {
        // The client may have gone; the deployment goes on.
        let _ = self.events.send(event);
    }

    /// Tells the beginning and the end of a step around `work`, which gives its
    /// result and what is worth knowing of it.
    pub(super) fn step<T, E>(
        &self,
        service: &str,
        step: Step,
        work: impl FnOnce() -> Result<(T, Option<String>), E>,
    ) -> Result<T, E> {
        self.started(service, step);
        let began = Instant::now();
        let (result, note) = work()?;
        self.finished(service, step, began.elapsed(), note);
        Ok(result)
    }

    pub(super) fn started(&self, service: &str, step: Step) {
        self.send(DeployEvent::Started {
            service: service.to_owned(),
            step,
        });
    }

    pub(super) fn finished(&self, service: &str, step: Step, took: Duration, note: Option<String>) {
        self.metrics.deploy_step(step.name(), took);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.send(DeployEvent::Finished {
            service: service.to_owned(),
            step,
            micros,
            note,
        });
    }
}
