//! Queues: what each holds for a subscriber, asked for at each scrape, and what became of
//! deliveries.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Unit;

use super::series::Series;
use crate::lock;

/// What shows what all queues hold.
pub trait QueueReading: Send + Sync {
    /// What each holds for each subscriber right now. Called at each scrape, so it must not
    /// wait.
    fn read(&self) -> Vec<QueueSample>;
}

/// What a queue holds for a subscriber at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSample {
    /// The queue's name.
    pub queue: String,
    /// The service that gets its calls.
    pub subscriber: String,
    /// Calls that are not done, those under way among them; no dead ones.
    pub depth: u64,
    /// Calls that are being delivered.
    pub in_flight: u64,
    /// Dead letters.
    pub dead: u64,
    /// How long the oldest that is not done is there, in seconds.
    pub age: f64,
}

/// What became of the deliveries of a queue to a subscriber.
#[derive(Debug, Default)]
pub struct QueueMetrics {
    /// Calls that were done.
    pub delivered: Counter,
    /// Calls that failed and are to come again.
    pub retried: Counter,
    /// Calls that were given up.
    pub dead: Counter,
}

/// All queues.
#[derive(Default)]
pub(super) struct Queues {
    recorded: Series<Key, QueueMetrics>,
    reading: Mutex<Option<Weak<dyn QueueReading>>>,
}

/// Queue and subscriber.
type Key = (String, String);

/// A gauge: its name, its help, what it shows.
type Shown = (&'static str, &'static str, fn(&QueueSample) -> f64);

const GAUGES: [Shown; 3] = [
    (
        "stoa_queue_depth",
        "Calls in a queue that a subscriber has not done.",
        |sample| sample.depth as f64,
    ),
    (
        "stoa_queue_in_flight",
        "Calls of a queue that are being delivered.",
        |sample| sample.in_flight as f64,
    ),
    (
        "stoa_queue_dead_letters",
        "Calls of a queue that were given up and are kept.",
        |sample| sample.dead as f64,
    ),
];

/// A counter: its name, its help, what it counts.
type Counted = (&'static str, &'static str, fn(&QueueMetrics) -> &Counter);

const COUNTERS: [Counted; 3] = [
    (
        "stoa_queue_delivered",
        "Calls of a queue that a subscriber has done.",
        |metrics| &metrics.delivered,
    ),
    (
        "stoa_queue_retried",
        "Deliveries of a queue that failed and are made again.",
        |metrics| &metrics.retried,
    ),
    (
        "stoa_queue_dead",
        "Calls of a queue that were given up.",
        |metrics| &metrics.dead,
    ),
];

// === impl Queues ===

impl Queues {
    pub(super) fn of(&self, queue: &str, subscriber: &str) -> Arc<QueueMetrics> {
        let key = (queue.to_owned(), subscriber.to_owned());
        self.recorded.get_or_insert(key, QueueMetrics::default)
    }

    pub(super) fn register(&self, reading: Weak<dyn QueueReading>) {
        *lock(&self.reading) = Some(reading);
    }

    /// Drops what nothing holds any more.
    pub(super) fn forget_unused(&self) {
        self.recorded.retain(|_, held| Arc::strong_count(held) > 1);
    }

    fn samples(&self) -> Vec<QueueSample> {
        // Asked without the lock: it may take locks of its own.
        let reading = lock(&self.reading).clone();
        let reading = reading.and_then(|reading| reading.upgrade());
        reading.map(|reading| reading.read()).unwrap_or_default()
    }
}

impl Collector for Queues {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let samples = self.samples();
        for (name, help, shown) in GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for sample in &samples {
                let labels = labels(&sample.queue, &sample.subscriber);
                family
                    .encode_family(&labels)?
                    .encode_gauge(&shown(sample))?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "stoa_queue_age",
            "How long the oldest call is in a queue that a subscriber has not done.",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        for sample in &samples {
            let labels = labels(&sample.queue, &sample.subscriber);
            family.encode_family(&labels)?.encode_gauge(&sample.age)?;
        }
        let recorded = self.recorded.snapshot();
        for (name, help, counted) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for ((queue, subscriber), metrics) in &recorded {
                let labels = labels(queue, subscriber);
                counted(metrics).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn labels<'a>(queue: &'a str, subscriber: &'a str) -> [(&'static str, &'a str); 2] {
    [("queue", queue), ("subscriber", subscriber)]
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queues").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    struct Full;

    impl QueueReading for Full {
        fn read(&self) -> Vec<QueueSample> {
            vec![QueueSample {
                queue: "shop:product/changes".to_owned(),
                subscriber: "catalog".to_owned(),
                depth: 7,
                in_flight: 2,
                dead: 1,
                age: 1.5,
            }]
        }
    }

    #[test]
    fn a_scrape_shows_what_queues_hold_and_did() {
        let (metrics, reading) = (Metrics::new(), Arc::new(Full));
        let weak: Weak<Full> = Arc::downgrade(&reading);
        metrics.register_queues(weak);
        metrics
            .queue("shop:product/changes", "catalog")
            .retried
            .inc();
        let text = metrics.encode();
        let labels = "{queue=\"shop:product/changes\",subscriber=\"catalog\"}";
        for (name, value) in [
            ("stoa_queue_depth", "7.0"),
            ("stoa_queue_in_flight", "2.0"),
            ("stoa_queue_dead_letters", "1.0"),
            ("stoa_queue_age_seconds", "1.5"),
            ("stoa_queue_retried_total", "1"),
            ("stoa_queue_dead_total", "0"),
        ] {
            let line = format!("{name}{labels} {value}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
        drop(reading);
        assert!(!metrics.encode().contains("stoa_queue_depth{"));
    }
}
