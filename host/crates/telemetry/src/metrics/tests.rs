mod retired;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::*;

/// One line of a scrape.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// A scrape as a scraper reads it: refuses what is not well-formed.
struct Scrape {
    types: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

impl Scrape {
    fn of(metrics: &Metrics) -> Self {
        let text = metrics.encode();
        let body = text.strip_suffix("# EOF\n").expect("a complete scrape");
        let mut scrape = Self {
            types: BTreeMap::new(),
            samples: Vec::new(),
        };
        for line in body.lines() {
            if let Some(of) = line.strip_prefix("# TYPE ") {
                let (name, kind) = of.split_once(' ').unwrap();
                let before = scrape.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "family {name} twice");
            } else if !line.starts_with('#') {
                let sample = parse_sample(line);
                let same =
                    |other: &Sample| other.name == sample.name && other.labels == sample.labels;
                assert!(!scrape.samples.iter().any(same), "{sample:?} twice");
                scrape.samples.push(sample);
            }
        }
        scrape
    }

    /// The value of the one sample with that name and these labels among its own.
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found: Vec<_> = self.all(name, labels).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
        found[0].value
    }

    fn all<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            let has =
                |(key, value): &(&str, &str)| sample.labels.get(*key).is_some_and(|v| v == value);
            sample.name == name && labels.iter().all(has)
        })
    }

    fn label_names(&self, name: &str) -> Vec<String> {
        let sample = self.all(name, &[]).next();
        let sample = sample.unwrap_or_else(|| panic!("no sample of {name}"));
        sample.labels.keys().cloned().collect()
    }
}

/// `name{key="value",…} 1.5`; values in these tests contain no `"`, `,` or `}`.
fn parse_sample(line: &str) -> Sample {
    let (head, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match head.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
        None => (head, ""),
    };
    let pairs = labels.split(',').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap();
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        (key.to_owned(), value.unwrap().to_owned())
    });
    Sample {
        name: name.to_owned(),
        labels: pairs.collect(),
        value: value.parse().unwrap(),
    }
}

struct FixedPool(PoolSample);

impl PoolReading for FixedPool {
    fn service(&self) -> &str {
        "product"
    }
    fn revision(&self) -> u64 {
        3
    }
    fn read(&self) -> PoolSample {
        self.0
    }
}

const SAMPLE: PoolSample = PoolSample {
    starting: 1,
    idle: 2,
    busy: 3,
    draining: 4,
    queued: 5,
    limit: 8,
    memory_bytes: 6_000_000,
};

fn pool() -> (Arc<FixedPool>, Weak<dyn PoolReading>) {
    let pool = Arc::new(FixedPool(SAMPLE));
    let shared: Arc<dyn PoolReading> = pool.clone();
    (pool, Arc::downgrade(&shared))
}

/// Touches each family once.
fn record_all(metrics: &Metrics) {
    let took = Duration::from_millis(3);
    let route = metrics.route("/products/{id}", "product", 3);
    route.observe("GET", 200, took);
    metrics
        .call("order", "product", "shop:product/inventory.reserve")
        .observe(took);
    metrics.pool("product", 3).queue_wait.observe(took);
    metrics.pool("product", 3).instantiate.observe(took);
    metrics.rejected("queue-full").inc();
    metrics.deploy_swap("swapped");
    metrics.deploy_step("compile", took);
    metrics.set_registry_revision(42);
    metrics.state_flush().observe(took);
    metrics.breaker("product", 3, "gateway").enter(2);
    metrics.retries("product");
}

#[test]
fn every_family_has_its_exact_name_type_and_labels() {
    let metrics = Metrics::new();
    record_all(&metrics);
    let (_pool, reading) = pool();
    metrics.register_pool(reading);
    let scrape = Scrape::of(&metrics);

    let route = ["method", "revision", "route", "service", "status"];
    let pool = ["revision", "service"];
    let expected: &[(&str, &str, &str, &[&str])] = &[
        (
            "http_server_request_duration_seconds",
            "_count",
            "histogram",
            &route,
        ),
        ("http_server_active_requests", "", "gauge", &[]),
        (
            "stoa_pool_instances",
            "",
            "gauge",
            &["revision", "service", "state"],
        ),
        ("stoa_pool_queue_depth", "", "gauge", &pool),
        ("stoa_pool_concurrency_limit", "", "gauge", &pool),
        ("stoa_pool_queue_wait_seconds", "_sum", "histogram", &pool),
        ("stoa_instantiate_seconds", "_sum", "histogram", &pool),
        ("stoa_guest_memory_bytes", "", "gauge", &pool),
        (
            "stoa_call_duration_seconds",
            "_count",
            "histogram",
            &["from", "function", "to"],
        ),
        ("stoa_rejected", "_total", "counter", &["reason"]),
        ("stoa_cache_requests", "_total", "counter", &["result"]),
        ("stoa_cache_bytes", "", "gauge", &[]),
        (
            "stoa_breaker_state",
            "",
            "gauge",
            &["link", "revision", "service"],
        ),
        (
            "stoa_breaker_transitions",
            "_total",
            "counter",
            &["link", "revision", "service", "to"],
        ),
        ("stoa_retries", "_total", "counter", &["result", "service"]),
        ("stoa_deploy_swaps", "_total", "counter", &["result"]),
        ("stoa_deploy_step_seconds", "_count", "histogram", &["step"]),
        ("stoa_registry_revision", "", "gauge", &[]),
        ("stoa_state_flush_seconds", "_count", "histogram", &[]),
        ("stoa_build", "_info", "info", &["version"]),
        ("process_resident_memory_bytes", "", "gauge", &[]),
        ("process_cpu_seconds", "_total", "counter", &[]),
        ("process_open_fds", "", "gauge", &[]),
        ("process_start_time_seconds", "", "gauge", &[]),
    ];
    for (family, suffix, kind, labels) in expected {
        assert_eq!(
            scrape.types.get(*family).map(String::as_str),
            Some(*kind),
            "{family}"
        );
        assert_eq!(
            scrape.label_names(&format!("{family}{suffix}")),
            *labels,
            "{family}"
        );
    }
    // Those of queues and schedules are tested beside their collectors.
    let is_here = |of: &&String| !of.contains("_queue_") || of.contains("_pool_");
    let here = scrape.types.keys().filter(is_here);
    let here = here.filter(|of| !of.contains("_schedule_"));
    assert_eq!(here.count(), expected.len(), "{:?}", scrape.types);
}

#[test]
fn values_are_what_was_recorded() {
    let metrics = Metrics::new();
    record_all(&metrics);
    let scrape = Scrape::of(&metrics);

    let labels = [
        ("method", "GET"),
        ("status", "200"),
        ("route", "/products/{id}"),
    ];
    let of = |suffix: &str| format!("http_server_request_duration_seconds_{suffix}");
    assert_eq!(scrape.value(&of("sum"), &labels), 0.003);
    let within = |le| {
        let labels = [labels.as_slice(), &[("le", le)]].concat();
        scrape.value(&of("bucket"), &labels)
    };
    assert_eq!(within("0.0025"), 0.0);
    assert_eq!(within("0.005"), 1.0);
    assert_eq!(within("+Inf"), 1.0);
    assert_eq!(scrape.value("stoa_registry_revision", &[]), 42.0);
    assert_eq!(
        scrape.value("stoa_rejected_total", &[("reason", "queue-full")]),
        1.0
    );
    assert_eq!(
        scrape.value("stoa_deploy_swaps_total", &[("result", "swapped")]),
        1.0
    );
}

#[test]
fn pools_are_read_at_each_scrape_and_vanish_when_dropped() {
    let metrics = Metrics::new();
    let ((first, one), (second, two)) = (pool(), pool());
    metrics.register_pool(one);
    metrics.register_pool(two);
    let queued = |scrape: &Scrape| scrape.value("stoa_pool_queue_depth", &[("service", "product")]);

    // Two pools of one revision are one series.
    assert_eq!(queued(&Scrape::of(&metrics)), 10.0);
    drop(first);
    let scrape = Scrape::of(&metrics);
    assert_eq!(queued(&scrape), 5.0);
    let states: Vec<f64> = ["starting", "idle", "busy", "draining"]
        .map(|state| scrape.value("stoa_pool_instances", &[("state", state)]))
        .into();
    assert_eq!(states, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(
        scrape.value("stoa_guest_memory_bytes", &[("revision", "3")]),
        6e6
    );
    drop(second);
    assert_eq!(
        Scrape::of(&metrics)
            .all("stoa_pool_queue_depth", &[])
            .count(),
        0
    );
}

#[test]
fn methods_and_statuses_are_bounded() {
    let metrics = Metrics::new();
    let route = metrics.route("/*", "product", 1);
    for status in 0..=u16::MAX {
        route.observe("BREW", status, Duration::ZERO);
        route.observe("brew", status, Duration::ZERO);
    }
    let scrape = Scrape::of(&metrics);
    let name = "http_server_request_duration_seconds_count";
    assert_eq!(scrape.all(name, &[("method", "_OTHER")]).count(), 63);
    assert_eq!(scrape.all(name, &[]).count(), 63);
    assert_eq!(scrape.value(name, &[("status", "503")]), 2.0);
    assert_eq!(
        scrape.value(name, &[("status", "_OTHER")]),
        2.0 * (65_536.0 - 62.0)
    );
}

#[test]
fn unrouted_requests_have_empty_labels() {
    let metrics = Metrics::new();
    metrics.unrouted().observe("GET", 404, Duration::ZERO);
    let labels = [
        ("route", ""),
        ("service", ""),
        ("revision", ""),
        ("status", "404"),
    ];
    let name = "http_server_request_duration_seconds_count";
    assert_eq!(Scrape::of(&metrics).value(name, &labels), 1.0);
}

#[test]
fn active_requests_count_up_and_down_over_threads() {
    let metrics = Metrics::new();
    let active = metrics.active_requests();
    let here = active.enter();
    let there = std::thread::scope(|scope| {
        let enter = || (0..10).map(|_| active.enter()).collect::<Vec<_>>();
        scope.spawn(enter).join().unwrap()
    });
    let shown = || Scrape::of(&metrics).value("http_server_active_requests", &[]);
    assert_eq!(shown(), 11.0);
    drop(there);
    assert_eq!(shown(), 1.0);
    drop(here);
    assert_eq!(shown(), 0.0);
}

#[test]
fn process_figures_are_this_process() {
    let scrape = Scrape::of(&Metrics::new());
    assert!(scrape.value("process_resident_memory_bytes", &[]) > 1e6);
    assert!(scrape.value("process_open_fds", &[]) >= 3.0);
    let started = scrape.value("process_start_time_seconds", &[]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.unwrap().as_secs_f64() - started;
    assert!((0.0..86_400.0).contains(&age), "{age} s old");
}

#[test]
fn instances_of_metrics_are_apart() {
    let (one, other) = (Metrics::new(), Metrics::new());
    one.rejected("queue-full").inc();
    assert_eq!(
        Scrape::of(&other).all("stoa_rejected_total", &[]).count(),
        0
    );
}
