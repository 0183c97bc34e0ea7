//! `stoa_deploy_step_seconds`, by step.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::buckets;
use super::histogram::Histogram;
use super::series::Series;

/// How long each step of a deployment takes.
#[derive(Debug, Default)]
pub(super) struct Steps(Series<&'static str, Histogram>);

impl Steps {
    pub(super) fn of(&self, step: &'static str) -> Arc<Histogram> {
        self.0
            .get_or_insert(step, || Histogram::new(buckets::DEPLOY_STEP))
    }
}

impl Collector for Steps {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "stoa_deploy_step",
            "Time of one step of a deployment.",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (step, histogram) in self.0.snapshot() {
            histogram.encode(family.encode_family(&[("step", step)])?)?;
        }
        Ok(())
    }
}
