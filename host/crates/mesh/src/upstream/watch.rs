//! The breakers of an upstream's instances, and who is told of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::breaker::{Breaker, Forced, Transition};
use crate::gate::GATEWAY;
use stoa_settings as settings;
use stoa_telemetry::metrics::{BreakerMetrics, Metrics};

/// What an operator holds the breakers of upstreams at, by the upstreams' names.
pub(super) type Forces = Arc<Mutex<BTreeMap<String, Forced>>>;

/// Makes the breakers of one upstream's instances, and tells of them.
#[derive(Clone, Default)]
pub struct Watch {
    pub(super) upstream: Arc<str>,
    pub(super) metrics: Arc<Metrics>,
    /// Counts the changes of all upstreams.
    pub(super) changed: watch::Sender<u64>,
    pub(super) forces: Forces,
}

/// One instance's part of it. Its metrics go with it: instances come and go.
struct OfInstance {
    watch: Watch,
    id: String,
    metrics: Option<Arc<BreakerMetrics>>,
}

impl Watch {
    /// A breaker for an instance, which is held if an operator says so. Not for one
    /// that has a breaker which is kept: its metrics begin anew.
    pub(super) fn breaker(&self, id: &str, settings: &settings::Breaker) -> Arc<Breaker> {
        let metrics = self.metrics.instance_breaker(&self.upstream, id, GATEWAY);
        metrics.begin();
        let told = OfInstance {
            watch: self.clone(),
            id: id.to_owned(),
            metrics: Some(metrics),
        };
        let observer = Box::new(move |transition: &Transition| told.tell(transition));
        let breaker = Breaker::new(settings.clone(), observer);
        if let Some(forced) = self.forced() {
            breaker.force(Some(forced));
        }
        Arc::new(breaker)
    }

    /// What an operator holds its breakers at.
    pub(super) fn forced(&self) -> Option<Forced> {
        let forces = self.forces.lock().unwrap_or_else(PoisonError::into_inner);
        forces.get(&*self.upstream).copied()
    }
}

// === impl OfInstance ===

impl OfInstance {
    fn tell(&self, transition: &Transition) {
        if let Some(metrics) = &self.metrics {
            metrics.enter(transition.to.number());
        }
        self.watch.changed.send_modify(|count| *count += 1);
        tracing::warn!(
            service.name = &*self.watch.upstream,
            instance = self.id,
            from = transition.from.name(),
            to = transition.to.name(),
            "breaker of an upstream's instance {}: {}",
            transition.to.name(),
            transition.reason
        );
    }
}

impl Drop for OfInstance {
    fn drop(&mut self) {
        self.metrics = None;
        let metrics = &self.watch.metrics;
        metrics.forget_instance(&self.watch.upstream, &self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(metrics: &Metrics) -> Vec<String> {
        let text = metrics.encode();
        let states = text.lines();
        let states = states.filter_map(|line| line.strip_prefix("stoa_breaker_state{"));
        states.map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn the_metrics_of_a_breaker_go_with_the_last_of_its_name() {
        let watch = Watch {
            upstream: Arc::from("legacy"),
            ..Watch::default()
        };
        let first = watch.breaker("a", &Default::default());
        first.force(Some(Forced::Open));
        let line = |state| format!("service=\"legacy\",revision=\"a\",link=\"gateway\"}} {state}");
        assert_eq!(lines(&watch.metrics), [line(2)]);
        let second = watch.breaker("a", &Default::default());
        assert_eq!(lines(&watch.metrics), [line(0)], "it is another's now");
        drop(first);
        assert_eq!(lines(&watch.metrics), [line(0)]);
        drop(second);
        assert_eq!(lines(&watch.metrics), [""; 0]);
    }
}
