//! `stoa_call_duration_seconds`, by calling service, called service and function.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::buckets;
use super::histogram::Histogram;
use super::series::Series;

/// How long the calls over one link took.
#[derive(Debug)]
pub struct CallMetrics(Histogram);

/// All links.
#[derive(Debug, Default)]
pub(super) struct Calls(Series<Key, CallMetrics>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    from: Arc<str>,
    to: Arc<str>,
    function: Arc<str>,
}

// === impl CallMetrics ===

impl CallMetrics {
    /// Records a call that ended, well or not, after `took`.
    #[inline]
    pub fn observe(&self, took: Duration) {
        self.0.observe(took);
    }
}

// === impl Calls ===

impl Calls {
    pub(super) fn of(&self, from: &str, to: &str, function: &str) -> Arc<CallMetrics> {
        let key = Key {
            from: from.into(),
            to: to.into(),
            function: function.into(),
        };
        self.0
            .get_or_insert(key, || CallMetrics(Histogram::new(buckets::CALL)))
    }

    /// Drops the links from and to `service` that nothing but this map holds. A
    /// link has no revision: the next one's use of it goes on in the same series.
    pub(super) fn forget_unused(&self, service: &str) {
        self.0.retain(|key, handle| {
            let concerned = *key.from == *service || *key.to == *service;
            !concerned || Arc::strong_count(handle) > 1
        });
    }
}

impl Collector for Calls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "stoa_call_duration",
            "Time of a call from one service to another.",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (key, call) in self.0.snapshot() {
            let labels = [
                ("from", &*key.from),
                ("to", &*key.to),
                ("function", &*key.function),
            ];
            call.0.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
