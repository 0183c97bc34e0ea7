//! `stoa_upstream_instances`, by upstream and state, and
//! `stoa_upstream_stale_seconds`, how long nobody has renewed a lease.

use std::fmt;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use tokio::time::Instant;

use super::Upstreams;
use stoa_api::upstream::Status;

/// Counts the instances of all upstreams at each scrape.
#[derive(Debug)]
pub struct Gauges(Weak<Upstreams>);

impl Gauges {
    /// Of these upstreams, as long as they are there.
    pub fn new(upstreams: &Arc<Upstreams>) -> Self {
        Self(Arc::downgrade(upstreams))
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(upstreams) = self.0.upgrade() else {
            return Ok(());
        };
        let all = upstreams.all();
        let mut instances = encoder.encode_descriptor(
            "stoa_upstream_instances",
            "Instances of an upstream, by their state.",
            None,
            MetricType::Gauge,
        )?;
        for (name, upstream) in all.iter() {
            let members = upstream.members.all();
            for status in Status::ALL {
                let count = members
                    .iter()
                    .filter(|one| one.standing() == status)
                    .count();
                let labels = [("upstream", &**name), ("state", status.name())];
                let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
                gauge.encode(instances.encode_family(&labels)?)?;
            }
        }
        let mut stale = encoder.encode_descriptor(
            "stoa_upstream_stale",
            "Time that all leases of an upstream have been over; 0 while one holds.",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        let now = Instant::now();
        for (name, upstream) in all.iter() {
            let seconds = upstream
                .members
                .stale(now)
                .unwrap_or_default()
                .as_secs_f64();
            let labels = [("upstream", &**name)];
            ConstGauge::new(seconds).encode(stale.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
