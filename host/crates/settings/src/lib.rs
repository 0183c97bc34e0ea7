//! The settings that a revision is deployed with.
//!
//! One shape serves the manifest, the admin API and the stored record: durations
//! are written as `"250ms"`, `"10s"`, sizes in bytes. Every default stands here,
//! once, with its reason. Knows nothing of how settings are read or used.

pub mod check;
pub mod config;
mod cors;
pub mod duration;
pub mod duration_option;
mod kept;
mod load;
pub mod manifest;
mod names;
pub mod origin;
mod policy;
mod queue;
mod resilience;
mod route;
pub mod schedule;
pub mod spelling;
pub mod upstream;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use check::SettingFault;
pub use cors::Cors;
pub use kept::{Cache, Idempotency, IdempotencyKey};
pub use load::{Class, Concurrency, OnDisconnect, Priority};
pub use names::{bucket_grant, container_grant, secret_name, service_name};
pub use policy::{By, Choice, Compression, Rate};
pub use queue::{OnExhausted, Queue};
pub use resilience::{Breaker, Retry, Rollout};
pub use route::{Route, route_key};
pub use schedule::{Missed, Schedule};

/// Everything about a revision but its component.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// HTTP routes into the service.
    pub routes: Vec<Route>,
    /// How many instances, and how they are used.
    pub pool: Pool,
    /// What one call may use.
    pub limits: Limits,
    /// When calls stop because the service fails.
    pub breaker: Breaker,
    /// When a failed call is tried again.
    pub retry: Retry,
    /// How a new revision takes over.
    pub rollout: Rollout,
    /// Values that the component reads through `wasi:config/store`.
    pub config: BTreeMap<String, String>,
    /// JSON Schema of `config`: of the object that its keys and values make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<serde_json::Value>,
    /// Capabilities beyond the service's own buckets and containers.
    pub grants: Grants,
    /// Imported interface (without version) → the service that serves it, for
    /// when more than one exports it.
    pub links: BTreeMap<String, String>,
    /// Imported interface (without version) → how its calls are kept, which are delivered
    /// later.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queues: BTreeMap<String, Queue>,
    /// Functions that the clock calls.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub schedules: BTreeMap<FunctionName, Schedule>,
    /// What a caller may send to each route that has no `rate` of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Which pages of other origins may use each route that has no `cors` of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// Which threads serve it.
    pub class: Class,
}

/// Parameters that a route's path may have.
pub const MAX_PARAMETERS: usize = 8;

/// Segments that a route's path may have: the search for a request's goes one
/// call deeper with each, and no API has as many.
pub const MAX_SEGMENTS: usize = 64;

/// What a route leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// An exported function: `shop:product/products.get`.
    Call(FunctionName),
    /// A function whose calls are kept in a queue, and made later.
    Queue(FunctionName),
    /// The service's own HTTP: the component's `wasi:http` handler, or what an
    /// upstream answers.
    #[default]
    Http,
}

/// An interface, without its version, and a function of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName {
    /// `shop:product/products`.
    pub interface: String,
    /// `get`.
    pub function: String,
}

impl TryFrom<String> for FunctionName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // A version (`@0.1.0`) may stand before the function; routes don't need it.
        let bad = || {
            format!(
                "expected PACKAGE/INTERFACE.FUNCTION such as shop:product/products.get, found {text:?}"
            )
        };
        let slash = text.find('/').ok_or_else(bad)?;
        // The last one: a version has dots of its own.
        let end = slash + text[slash..].rfind(['.', '#']).ok_or_else(bad)?;
        let (interface, function) = (&text[..end], &text[end + 1..]);
        let interface = interface
            .split_once('@')
            .map_or(interface, |(name, _)| name);
        let named = function.starts_with(|first: char| first.is_ascii_alphabetic());
        if !interface.contains(':') || interface.ends_with('/') || !named {
            return Err(bad());
        }
        Ok(Self {
            interface: interface.to_owned(),
            function: function.to_owned(),
        })
    }
}

impl From<FunctionName> for String {
    fn from(name: FunctionName) -> Self {
        name.to_string()
    }
}

impl std::fmt::Display for FunctionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.interface, self.function)
    }
}

/// Who may use a route. Nothing is public by silence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Anyone.
    Public,
    /// Any authenticated principal.
    #[default]
    Authenticated,
    /// An authenticated principal that has this scope.
    Scope(String),
}

/// The instances of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pool {
    /// Instances kept warm; 0 scales to zero.
    pub min: u32,
    /// Instances at most.
    pub max: u32,
    /// Calls that one instance of an async contract serves at the same time.
    pub concurrency: u32,
    /// Calls that an instance serves in its life; `None` is as many as are sound for
    /// the component.
    pub reuse: Option<u64>,
    /// Calls that may wait for an instance.
    pub queue: u32,
    /// How long a call may wait for an instance.
    #[serde(with = "duration")]
    pub queue_deadline: Duration,
    /// How long a call may wait while more come than are served.
    #[serde(with = "duration")]
    pub queue_target: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            // The first call to an idle service waits tens of microseconds: no
            // reason to hold memory for each service that nobody uses.
            min: 0,
            // Enough for calls that wait on other services; a CPU-bound service
            // gains nothing over the number of cores.
            max: 64,
            // A trap ends every call of its instance: sharing one is a choice.
            concurrency: 1,
            // Warm instances are worth a factor of eight, but not every toolchain's
            // bear it.
            reuse: None,
            // One for each connection that the gateway takes. Time bounds the queue of a
            // service that is slower than a thousand calls a second; this bounds the memory.
            queue: 10_000,
            // Longer, and the client has given up: many do after 10 s.
            queue_deadline: Duration::from_secs(10),
            // Longer is what people call slow; shorter refuses who would have been served.
            queue_target: Duration::from_millis(500),
        }
    }
}

/// What one call may use, and what a service may keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wall time of a call, with all that it waits for.
    #[serde(with = "duration")]
    pub deadline: Duration,
    /// Linear memory of one instance, in bytes.
    pub memory: u64,
    /// Request body, in bytes.
    pub body: u64,
    /// Calls that are worked on at the same time.
    pub concurrency: Concurrency,
    /// Outgoing HTTP requests under way at a time.
    pub connections: u32,
    /// What the service keeps in blobs, in bytes: of all its containers together.
    pub blobs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // What load balancers and browsers wait at least.
            deadline: Duration::from_secs(30),
            // A Rust or JavaScript guest needs a few MiB; this is where a leak
            // is caught before it is the machine's problem.
            memory: 128 << 20,
            // JSON requests are far smaller; uploads raise it for their service.
            body: 1 << 20,
            // What the cores can carry is for the host to know, not for who deploys.
            concurrency: Concurrency::Adaptive,
            // Twice as many as the instances of a pool; each holds a file descriptor.
            connections: 128,
            // Thousands of pictures and documents; a disk that others need, too, has
            // room for some dozen such services.
            blobs: 1 << 30,
        }
    }
}

/// What a service may use beyond its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Buckets of other services: `product` for all of them, `product/stock` for one.
    pub keyvalue: Vec<String>,
    /// Containers of other services that it may read: `product` for all of them,
    /// `product/pictures` for one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<String>,
    /// Origins that outgoing HTTP may reach: `https://api.example.com`,
    /// `https://*.example.com`, `http://NAME.svc`.
    pub http: Vec<String>,
    /// Secrets that it may read, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}
