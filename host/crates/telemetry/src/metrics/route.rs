//! `http_server_request_duration_seconds`, by method, route, status, service and
//! revision.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::buckets;
use super::histogram::Histogram;
use super::series::Series;

/// How long the answers of one route of one revision took.
///
/// Holds a histogram for each method and status that occurred, found by two
/// table look-ups: no string is hashed and no lock is taken to record.
#[derive(Debug, Default)]
pub struct RouteMetrics {
    methods: [OnceLock<Box<Statuses>>; METHODS.len() + 1],
}

/// All routes.
#[derive(Debug, Default)]
pub(super) struct Routes(Series<Key, RouteMetrics>);

/// Requests that no route took have an empty route and service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    service: Arc<str>,
    revision: Option<u64>,
    route: Arc<str>,
}

#[derive(Debug)]
struct Statuses([OnceLock<Histogram>; STATUSES.len() + 1]);

/// RFC 9110 and 5789, the most frequent first.
const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE",
];

/// The registered status codes (IANA, "HTTP Status Codes", without unused ones), and
/// nginx's 499 for a client that left before it had an answer.
/// A component may answer with any number, and must not make a label set of each.
const STATUSES: [u16; 62] = [
    100, 101, 102, 103, 104, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303,
    304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414,
    415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504,
    505, 506, 507, 508, 511,
];

/// OpenTelemetry's word for a value outside a bounded set.
const OTHER: &str = "_OTHER";

/// Status → its place in [`STATUSES`], or one past the end.
const PLACE_OF_STATUS: [u8; 512] = {
    let mut places = [STATUSES.len() as u8; 512];
    let mut place = 0;
    while place < STATUSES.len() {
        places[STATUSES[place] as usize] = place as u8;
        place += 1;
    }
    places
};

// === impl RouteMetrics ===

impl RouteMetrics {
    /// Records a request that was answered with `status` after `took`, from its
    /// header to the end of the answer.
    #[inline]
    pub fn observe(&self, method: &str, status: u16, took: Duration) {
        let statuses = self.methods[place_of_method(method)].get_or_init(Box::default);
        let place = PLACE_OF_STATUS.get(usize::from(status));
        let place = place.map_or(STATUSES.len(), |place| usize::from(*place));
        let histogram = statuses.0[place].get_or_init(|| Histogram::new(buckets::REQUEST));
        histogram.observe(took);
    }

    /// Method, status and histogram of each pair that occurred.
    fn observed(&self) -> impl Iterator<Item = (&'static str, String, &Histogram)> {
        let methods = self.methods.iter().enumerate();
        methods.flat_map(|(place, statuses)| {
            let method = METHODS.get(place).copied().unwrap_or(OTHER);
            let statuses = statuses.get().into_iter();
            let histograms = statuses.flat_map(|statuses| statuses.0.iter().enumerate());
            histograms.filter_map(move |(place, histogram)| {
                let status = STATUSES.get(place).map_or(OTHER.to_owned(), u16::to_string);
                Some((method, status, histogram.get()?))
            })
        })
    }
}

#[inline]
fn place_of_method(method: &str) -> usize {
    let place = METHODS.iter().position(|known| *known == method);
    place.unwrap_or(METHODS.len())
}

// === impl Statuses ===

impl Default for Statuses {
    fn default() -> Self {
        Self([const { OnceLock::new() }; STATUSES.len() + 1])
    }
}

// === impl Routes ===

impl Routes {
    pub(super) fn of(&self, route: &str, service: &str, revision: u64) -> Arc<RouteMetrics> {
        let key = Key {
            service: service.into(),
            revision: Some(revision),
            route: route.into(),
        };
        self.0.get_or_insert(key, RouteMetrics::default)
    }

    pub(super) fn unrouted(&self) -> Arc<RouteMetrics> {
        let key = Key {
            service: "".into(),
            revision: None,
            route: "".into(),
        };
        self.0.get_or_insert(key, RouteMetrics::default)
    }

    pub(super) fn forget(&self, service: &str, revision: u64) {
        self.0
            .retain(|key, _| *key.service != *service || key.revision != Some(revision));
    }
}

impl Collector for Routes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "http_server_request_duration",
            "Time from a request's header to the end of its answer.",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (key, route) in self.0.snapshot() {
            let revision = key.revision.map(|number| number.to_string());
            for (method, status, histogram) in route.observed() {
                let labels = [
                    ("method", method),
                    ("route", &*key.route),
                    ("status", &*status),
                    ("service", &*key.service),
                    ("revision", revision.as_deref().unwrap_or_default()),
                ];
                histogram.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
