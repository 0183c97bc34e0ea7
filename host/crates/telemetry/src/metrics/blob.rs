//! What services keep in blobs, asked for at each scrape.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// What a service keeps in blobs at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobSample {
    /// The service.
    pub service: String,
    /// Bytes of all its objects.
    pub bytes: u64,
    /// Its objects.
    pub objects: u64,
}

/// What all services keep, by who knows it: called at each scrape, it must not wait.
pub(super) struct Blobs<R>(pub(super) R);

/// A gauge: its name, its help, its unit, what it shows.
type Shown = (
    &'static str,
    &'static str,
    Option<Unit>,
    fn(&BlobSample) -> u64,
);

const GAUGES: [Shown; 2] = [
    (
        "stoa_blob",
        "Blobs that a service keeps.",
        Some(Unit::Bytes),
        |sample| sample.bytes,
    ),
    (
        "stoa_blob_objects",
        "Objects that a service keeps as blobs.",
        None,
        |sample| sample.objects,
    ),
];

impl<R: Fn() -> Vec<BlobSample> + Send + Sync + 'static> Collector for Blobs<R> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let samples = (self.0)();
        for (name, help, unit, shown) in GAUGES {
            let kind = MetricType::Gauge;
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
            for sample in &samples {
                let labels = [("service", sample.service.as_str())];
                let gauge = ConstGauge::new(i64::try_from(shown(sample)).unwrap_or(i64::MAX));
                gauge.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl<R> fmt::Debug for Blobs<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blobs").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::BlobSample;
    use crate::metrics::Metrics;

    #[test]
    fn a_scrape_shows_what_services_keep() {
        let metrics = Metrics::new();
        metrics.register_blobs(|| {
            vec![BlobSample {
                service: "product".to_owned(),
                bytes: 5 << 30,
                objects: 7,
            }]
        });
        let text = metrics.encode();
        for line in [
            "stoa_blob_bytes{service=\"product\"} 5368709120\n",
            "stoa_blob_objects{service=\"product\"} 7\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
