//! `stoa_schedule_runs_total`, `stoa_schedule_run_seconds` and
//! `stoa_schedule_next_timestamp_seconds`, by service and schedule.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::buckets;
use super::histogram::Histogram;
use super::series::Series;
use stoa_api::RunOutcome;

/// What one schedule records.
#[derive(Debug, Default)]
pub struct ScheduleMetrics {
    outcomes: [AtomicU64; RunOutcome::ALL.len()],
    /// Made by the first run: most schedules have none for hours.
    took: OnceLock<Histogram>,
    /// When its next slot is, in milliseconds since 1970; 0 is never.
    next: AtomicU64,
}

/// All schedules.
#[derive(Debug, Default)]
pub(super) struct Schedules(Series<Key, ScheduleMetrics>);

/// Service and function.
type Key = (String, String);

// === impl ScheduleMetrics ===

impl ScheduleMetrics {
    /// Records a run that ended.
    pub fn ended(&self, outcome: RunOutcome, took: Duration) {
        self.count(outcome, 1);
        let histogram = self
            .took
            .get_or_init(|| Histogram::new(buckets::SCHEDULE_RUN));
        histogram.observe(took);
    }

    /// Records slots that came to something without a run.
    pub fn count(&self, outcome: RunOutcome, slots: u64) {
        self.outcomes[outcome as usize].fetch_add(slots, Ordering::Relaxed);
    }

    /// Tells when the next slot is, in milliseconds since 1970.
    pub fn set_next(&self, next: Option<u64>) {
        self.next.store(next.unwrap_or_default(), Ordering::Relaxed);
    }
}

// === impl Schedules ===

impl Schedules {
    pub(super) fn of(&self, service: &str, function: &str) -> Arc<ScheduleMetrics> {
        let key = (service.to_owned(), function.to_owned());
        self.0.get_or_insert(key, ScheduleMetrics::default)
    }

    pub(super) fn forget(&self, service: &str, function: &str) {
        self.0
            .retain(|key, _| key.0 != service || key.1 != function);
    }
}

impl Collector for Schedules {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let all = self.0.snapshot();
        let mut family = encoder.encode_descriptor(
            "stoa_schedule_runs",
            "Slots of a schedule, by what they came to.",
            None,
            MetricType::Counter,
        )?;
        for ((service, schedule), metrics) in &all {
            for (outcome, count) in RunOutcome::ALL.iter().zip(&metrics.outcomes) {
                let count = count.load(Ordering::Relaxed);
                // Of ten thousand schedules, few have seen more than one or two of them.
                if count > 0 {
                    let labels = [
                        ("service", &**service),
                        ("schedule", &**schedule),
                        ("outcome", outcome.name()),
                    ];
                    let mut metric = family.encode_family(&labels)?;
                    metric.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                }
            }
        }
        let mut family = encoder.encode_descriptor(
            "stoa_schedule_run",
            "Time of a call that a schedule made.",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for ((service, schedule), metrics) in &all {
            if let Some(took) = metrics.took.get() {
                let labels = [("service", &**service), ("schedule", &**schedule)];
                took.encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "stoa_schedule_next_timestamp",
            "When the next slot of a schedule is, since 1970.",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        for ((service, schedule), metrics) in &all {
            let next = metrics.next.load(Ordering::Relaxed);
            if next > 0 {
                let labels = [("service", &**service), ("schedule", &**schedule)];
                let seconds = Duration::from_millis(next).as_secs_f64();
                ConstGauge::new(seconds).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn a_schedule_is_told_as_far_as_it_has_come_and_goes() {
        let metrics = Metrics::new();
        let daily = metrics.schedule("order", "shop:order/reports.daily");
        let labels = "service=\"order\",schedule=\"shop:order/reports.daily\"";
        let told = |what: &str| metrics.encode().lines().any(|line| line == what);
        daily.set_next(Some(90_000));
        assert!(told(&format!(
            "stoa_schedule_next_timestamp_seconds{{{labels}}} 90.0"
        )));
        assert!(!metrics.encode().contains("stoa_schedule_run_seconds_count"));
        daily.ended(RunOutcome::Succeeded, Duration::from_secs(2));
        daily.count(RunOutcome::Missed, 3);
        for (outcome, count) in [("succeeded", 1), ("missed", 3)] {
            assert!(told(&format!(
                "stoa_schedule_runs_total{{{labels},outcome=\"{outcome}\"}} {count}"
            )));
        }
        assert!(told(&format!(
            "stoa_schedule_run_seconds_sum{{{labels}}} 2.0"
        )));
        daily.set_next(None);
        assert!(!metrics.encode().contains("next_timestamp_seconds{"));
        metrics.forget_schedule("order", "shop:order/reports.daily");
        assert!(!metrics.encode().contains("order"));
    }
}
