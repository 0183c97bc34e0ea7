//! The shapes that the admin API and its clients exchange.

mod breaker;
mod config;
mod discovery;
mod drain;
mod keys;
mod queue;
mod rollout;
mod schedule;
mod secret;
mod tokens;
pub mod upstream;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use breaker::{BreakerForce, BreakerRequest, BreakerState};
use stoa_settings::Settings;

pub use config::{
    ConfigChanges, ConfigDetail, ConfigRollback, ConfigSource, ConfigText, ConfigValue,
    ConfigVersion,
};
pub use discovery::{Directory, Member, MemberKind, MemberState, WatchEvent};
pub use drain::{DrainState, HostDrain};
pub use keys::{KeyRequest, KeySummary, NewKey};
pub use queue::{
    QueueCall, QueueCount, QueueLook, QueueMessage, QueuePart, QueuePause, QueuePurge,
    QueueReceipt, QueueRedrive, QueueState, QueueSubscriber,
};
pub use rollout::{RolloutState, Stages};
pub use schedule::{
    PauseRequest, RunOutcome, RunUnderWay, ScheduleDetail, ScheduleRun, ScheduleSummary,
};
pub use secret::{KeyRotation, SecretSummary};
pub use tokens::{NewToken, TokenRequest};

/// Body of `POST /v1/deployments`: services that become live together, or not at all.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// The services, in any order; they may depend on each other, cycles included.
    pub services: Vec<ServiceDeploy>,
    /// HTTP services that are no components.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<upstream::UpstreamDeploy>,
    /// Whether to answer only when the replaced revisions have ended their calls.
    #[serde(default)]
    pub wait: bool,
}

/// One service of a deployment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceDeploy {
    /// The service's name.
    pub service: String,
    /// SHA-256 of an uploaded component, in hex.
    pub component: String,
    /// What the revision runs with.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub settings: Settings,
    /// Share of the traffic in per cent; `None` is all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u8>,
    /// A canary that the host widens by itself; in place of `canary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Stages>,
}

/// One line of a deployment's progress (NDJSON). The last is `Done` or `Refused`;
/// drains are told only to who waits for them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum DeployEvent {
    /// A step begins.
    Started {
        /// The service it is for.
        service: String,
        /// What is done.
        step: Step,
    },
    /// A step ended well.
    Finished {
        /// The service it was for.
        service: String,
        /// What was done.
        step: Step,
        /// How long it took.
        micros: u64,
        /// What is worth knowing of it: `from cache`, `2 instances`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The services are live.
    Done {
        /// Service → number of its new revision.
        revisions: BTreeMap<String, u64>,
    },
    /// Nothing has changed.
    Refused {
        /// Every reason that was found.
        faults: Vec<Fault>,
    },
}

/// The steps of a deployment, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Digest, format, contract.
    Verify,
    /// To native code, or from the cache.
    Compile,
    /// Links, routes and dependents.
    Link,
    /// The first instances.
    Warm,
    /// The service's health function, where it has one.
    Health,
    /// New calls go to the new revision.
    Swap,
    /// Calls under way on the old revision end.
    Drain,
}

impl Step {
    /// Its name in metrics and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Compile => "compile",
            Self::Link => "link",
            Self::Warm => "warm",
            Self::Health => "health",
            Self::Swap => "swap",
            Self::Drain => "drain",
        }
    }
}

/// Answer to `GET /v1/deployments`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentsUnderWay {
    /// The services of the deployment that other deployments wait for; none are where
    /// there is none.
    pub services: Vec<String>,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// The service at fault, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// For programs: `unknown_import`, `route_target`, `breaks_dependent`, …
    pub code: String,
    /// For people: what was expected, what was found, what to do.
    pub message: String,
}

/// A service as `GET /v1/services` lists it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServiceSummary {
    /// Its name.
    pub service: String,
    /// What serves it.
    #[serde(default)]
    pub kind: ServiceKind,
    /// Live revisions, heaviest first.
    pub live: Vec<LiveRevision>,
    /// How far its drain is, if it is drained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainState>,
    /// Breakers of live revisions, or of instances, that let not every call through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_breakers: Vec<BreakerState>,
    /// Calls answered since the host started.
    pub calls: u64,
    /// Number of routes.
    pub routes: usize,
}

/// What serves a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceKind {
    /// Instances of a component.
    #[default]
    Component,
    /// An HTTP service outside of the host: `pool` counts its instances, and
    /// `revision` its declarations.
    Upstream,
}

/// A revision that gets traffic.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LiveRevision {
    /// Its number.
    pub revision: u64,
    /// Share of the traffic in per cent.
    pub weight: u8,
    /// SHA-256 of its component, in hex.
    pub component: String,
    /// Its instances now.
    pub pool: PoolState,
    /// How long each of them lives; an upstream's are not the host's to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<Reuse>,
}

/// How many calls an instance serves in its life.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Reuse {
    /// Calls at most; `None` is no end.
    pub calls: Option<u64>,
    /// Who decided it, or on what grounds.
    pub reason: String,
}

/// A pool at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct PoolState {
    /// Instances kept warm.
    pub min: u32,
    /// Instances at most.
    pub max: u32,
    /// Instances that serve a call.
    pub busy: u32,
    /// Instances that wait for one.
    pub idle: u32,
    /// Calls that wait for an instance.
    pub queued: u32,
}

/// A service as `GET /v1/services/{service}` shows it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServiceDetail {
    /// What the list says.
    #[serde(flatten)]
    pub summary: ServiceSummary,
    /// Interfaces it exports.
    pub exports: Vec<String>,
    /// How each import is met: interface → `host`, or the service that serves it.
    pub imports: BTreeMap<String, String>,
    /// What the live revision was deployed with.
    #[schema(value_type = Object)]
    pub settings: Settings,
    /// The rollout under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutState>,
    /// What it reads as its configuration now.
    #[serde(default)]
    pub config: ConfigDetail,
}

/// A revision as `GET /v1/services/{service}/revisions` lists it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RevisionSummary {
    /// Its number.
    pub revision: u64,
    /// SHA-256 of its component, in hex.
    pub component: String,
    /// Size of its component, in bytes.
    pub size: u64,
    /// When it was deployed, RFC 3339.
    pub deployed: String,
    /// Share of the traffic in per cent, 0 when it is not live.
    pub weight: u8,
    /// What became of it, such as why the host rolled it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Body of `POST /v1/services/{service}/traffic`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum TrafficRequest {
    /// Revision → share in per cent; together 100.
    Weights(BTreeMap<u64, u8>),
    /// All traffic to the newest live revision.
    Promote,
    /// All traffic to the revision that was live before, or to this one.
    Rollback {
        /// The revision; `None` is the one before.
        to: Option<u64>,
    },
}

/// Answer to a change of traffic: the live revisions, heaviest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrafficReply {
    /// The live revisions.
    pub live: Vec<LiveRevision>,
    /// How long the swap took.
    pub micros: u64,
}

/// Body of `PUT /v1/services/{service}/scale`; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleRequest {
    /// Instances kept warm.
    pub min: Option<u32>,
    /// Instances at most.
    pub max: Option<u32>,
}

/// Body of `POST /v1/cache/purge`: which answers go. Without either, all.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeRequest {
    /// Those of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Those of routes with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// How many answers went.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PurgeReply {
    /// Their number.
    pub purged: u64,
}

/// A route as `GET /v1/routes` lists it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RouteSummary {
    /// Upper-case method, or `*`.
    pub method: String,
    /// Host name, or `*`.
    pub host: String,
    /// Path template.
    pub path: String,
    /// The service that answers.
    pub service: String,
    /// The function, or `wasi:http`.
    pub target: String,
    /// `public`, `authenticated`, or the scope that is asked for.
    pub access: String,
    /// What becomes of a call whose client leaves, where the route says it: `cancel` or
    /// `finish`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_disconnect: Option<String>,
}

/// RFC 9457 problem of the admin API.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The status, as a number.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What happened, what was expected, what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// For programs.
    pub code: String,
    /// The request's trace, as the host's log names it.
    #[serde(default)]
    pub trace_id: String,
    /// Single reasons, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}
