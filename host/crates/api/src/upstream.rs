//! Upstreams and their instances, as the admin API and its clients exchange them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use stoa_settings::upstream::UpstreamSettings;

/// One upstream of a deployment; one that is as it was declared already changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamDeploy {
    /// Its name, in the namespace of services.
    pub upstream: String,
    /// What it is declared with.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub settings: UpstreamSettings,
}

/// Where an instance is in its life; only `Up` gets traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It is not ready yet.
    Starting,
    /// It serves.
    Up,
    /// It ends what it has, and takes nothing new.
    Draining,
    /// It fails its health checks, its breaker cuts it off, or it says that it is not well.
    Down,
    /// An operator took it out.
    OutOfService,
}

impl Status {
    /// In the order of a life.
    pub const ALL: [Self; 5] = [
        Self::Starting,
        Self::Up,
        Self::Draining,
        Self::Down,
        Self::OutOfService,
    ];

    /// Its name, as the API and the metrics write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Up => "UP",
            Self::Draining => "DRAINING",
            Self::Down => "DOWN",
            Self::OutOfService => "OUT_OF_SERVICE",
        }
    }
}

/// What joins an upstream: body of `PUT /v1/upstreams/{name}/instances/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Its origin: `http://10.0.0.7:9000`.
    pub url: String,
    /// Its share of the requests against that of others; 100 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// What it tells of itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Seconds that it stays without a heartbeat; 15 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// What it says of itself; `UP` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// Body of `PUT /v1/upstreams/{name}/instances/{id}/status`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusRequest {
    /// What it is held at, whatever it says of itself; `null` ends that.
    pub status: Option<Status>,
}

/// An upstream as `GET /v1/upstreams/{name}` shows it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UpstreamDetail {
    /// Its name.
    pub upstream: String,
    /// Counts its declarations; 0 where its instances joined and nobody declared it.
    pub number: u64,
    /// What it was declared with.
    #[schema(value_type = Object)]
    pub settings: UpstreamSettings,
    /// Who serves it.
    pub instances: Vec<InstanceDetail>,
    /// Seconds since anybody renewed a lease, where all are over: what it serves
    /// with is the last that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<u64>,
}

/// An instance of an upstream.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InstanceDetail {
    /// Its name.
    pub id: String,
    /// Its origin.
    pub url: String,
    /// Where it is in its life.
    pub status: Status,
    /// Its breaker: while that is open or probes, it is `DOWN` whatever its checks say.
    pub breaker: InstanceBreaker,
    /// Its share against that of others.
    pub weight: u32,
    /// Requests that it serves now.
    pub in_flight: u32,
    /// Requests that it was sent.
    pub requests: u64,
    /// Length of its lease in seconds; without one it was declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// Seconds that its lease has been over, where it is kept nevertheless: only some
    /// are evicted at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue: Option<u64>,
    /// What it tells of itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// The breaker of an instance, in short; `GET /v1/services/{upstream}/breaker` has more.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InstanceBreaker {
    /// `closed`, `half-open`, `open` or `ramp`.
    pub state: String,
    /// Why it is in its state.
    pub reason: String,
    /// When the next request is let through as a probe, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_probe_ms: Option<u64>,
}
