//! What scrapers are told of a metric.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// What is told of a metric beside its value.
pub(super) struct Described {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) unit: Option<Unit>,
}

impl Described {
    /// Writes a metric that has one value.
    pub(super) fn encode(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        metric: &dyn EncodeMetric,
    ) -> Result<(), fmt::Error> {
        metric.encode(self.begin(encoder, metric.metric_type())?)
    }

    /// Begins a metric, of which there may be many.
    pub(super) fn begin<'e>(
        &'e self,
        encoder: &'e mut DescriptorEncoder<'_>,
        metric_type: MetricType,
    ) -> Result<MetricEncoder<'e>, fmt::Error> {
        encoder.encode_descriptor(self.name, self.help, self.unit.as_ref(), metric_type)
    }
}
