//! `stoa_breaker_state`, `stoa_breaker_transitions_total` and `stoa_retries_total`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::series::Series;

/// States of a breaker, by their number in `stoa_breaker_state`.
const STATES: [&str; 4] = ["closed", "half-open", "open", "ramp"];

/// What one breaker records.
#[derive(Debug, Default)]
pub struct BreakerMetrics {
    state: AtomicU64,
    transitions: [AtomicU64; STATES.len()],
}

/// What became of the retries of one service.
#[derive(Debug, Default)]
pub struct RetryMetrics {
    /// Those that got an answer.
    pub succeeded: AtomicU64,
    /// Those that failed as the try before.
    pub failed: AtomicU64,
    /// Those that the budget did not allow.
    pub over_budget: AtomicU64,
}

/// All breakers and retries.
#[derive(Debug, Default)]
pub(super) struct Resilience {
    breakers: Series<Key, BreakerMetrics>,
    retries: Series<String, RetryMetrics>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    service: String,
    guarded: Guarded,
    link: String,
}

/// What a breaker stands before: the label `revision`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Guarded {
    Revision(u64),
    /// Of an upstream.
    Instance(String),
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision(number) => write!(f, "{number}"),
            Self::Instance(id) => f.write_str(id),
        }
    }
}

// === impl BreakerMetrics ===

impl BreakerMetrics {
    /// They are a new breaker's, which is closed.
    pub fn begin(&self) {
        self.state.store(0, Ordering::Relaxed);
    }

    /// Records a transition into the state with this number: 0 closed, 1 half-open,
    /// 2 open, 3 ramp.
    pub fn enter(&self, state: usize) {
        self.state.store(state as u64, Ordering::Relaxed);
        if let Some(count) = self.transitions.get(state) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// === impl Resilience ===

impl Resilience {
    pub(super) fn breaker(&self, service: &str, revision: u64, link: &str) -> Arc<BreakerMetrics> {
        self.of(service, Guarded::Revision(revision), link)
    }

    pub(super) fn instance(&self, upstream: &str, id: &str, link: &str) -> Arc<BreakerMetrics> {
        self.of(upstream, Guarded::Instance(id.to_owned()), link)
    }

    fn of(&self, service: &str, guarded: Guarded, link: &str) -> Arc<BreakerMetrics> {
        let key = Key {
            service: service.to_owned(),
            guarded,
            link: link.to_owned(),
        };
        self.breakers.get_or_insert(key, BreakerMetrics::default)
    }

    /// Drops what nobody holds any more of an instance.
    pub(super) fn forget_instance(&self, upstream: &str, id: &str) {
        let is_it = |of: &Guarded| matches!(of, Guarded::Instance(known) if known == id);
        self.breakers.retain(|key, held| {
            key.service != upstream || !is_it(&key.guarded) || Arc::strong_count(held) > 1
        });
    }

    pub(super) fn retries(&self, service: &str) -> Arc<RetryMetrics> {
        self.retries
            .get_or_insert(service.to_owned(), RetryMetrics::default)
    }

    pub(super) fn forget(&self, service: &str, revision: u64) {
        let revision = Guarded::Revision(revision);
        self.breakers
            .retain(|key, _| key.service != service || key.guarded != revision);
        self.forget_unused(service);
    }

    /// Drops the retries of a service that has no guard any more.
    pub(super) fn forget_unused(&self, service: &str) {
        self.retries
            .retain(|name, held| name != service || Arc::strong_count(held) > 1);
    }

    fn encode_breakers(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let breakers: Vec<_> = self
            .breakers
            .snapshot()
            .into_iter()
            .map(|(key, breaker)| (key.guarded.to_string(), key, breaker))
            .collect();
        let mut family = encoder.encode_descriptor(
            "stoa_breaker_state",
            "State of a breaker: 0 closed, 1 half-open, 2 open, 3 ramp.",
            None,
            MetricType::Gauge,
        )?;
        for (revision, key, breaker) in &breakers {
            let labels = [
                ("service", &*key.service),
                ("revision", revision),
                ("link", &*key.link),
            ];
            let state = breaker.state.load(Ordering::Relaxed);
            family.encode_family(&labels)?.encode_gauge(&state)?;
        }
        let mut family = encoder.encode_descriptor(
            "stoa_breaker_transitions",
            "Times that a breaker entered a state.",
            None,
            MetricType::Counter,
        )?;
        for (revision, key, breaker) in &breakers {
            for (to, count) in STATES.iter().zip(&breaker.transitions) {
                let labels = [
                    ("service", &*key.service),
                    ("revision", revision),
                    ("link", &*key.link),
                    ("to", *to),
                ];
                encode_counter(count, family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Collector for Resilience {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.encode_breakers(&mut encoder)?;
        let mut family = encoder.encode_descriptor(
            "stoa_retries",
            "Calls that were tried again, and those that the budget forbade.",
            None,
            MetricType::Counter,
        )?;
        for (service, retries) in self.retries.snapshot() {
            let results = [
                ("succeeded", &retries.succeeded),
                ("failed", &retries.failed),
                ("over_budget", &retries.over_budget),
            ];
            for (result, count) in results {
                let labels = [("service", &*service), ("result", result)];
                encode_counter(count, family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn encode_counter(count: &AtomicU64, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    let count = count.load(Ordering::Relaxed);
    encoder.encode_counter::<NoLabelSet, _, u64>(&count, None)
}
