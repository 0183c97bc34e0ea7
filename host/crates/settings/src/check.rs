//! What settings may say: one check, for the manifest and for the admin API.
//!
//! Types leave room for what can't be served: numbers have bounds, names their letters,
//! and some keys exclude each other. A fault names the keys that lead to it, as the
//! manifest writes them; the manifest adds their line. Knows nothing of what is deployed,
//! nor of what a component has.

pub mod config;
mod queue;
mod resilience;
pub mod route;
pub(crate) mod schedule;
mod upstream;

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::origin::OriginGrant;
use super::{
    Cors, Grants, Limits, Pool, Rate, Settings, bucket_grant, container_grant, secret_name,
    service_name,
};

/// The most of anything that is counted (instances, calls, requests): beyond, a number
/// is a slip.
pub const MOST: u32 = 1_000_000;
/// The longest time of a setting: beyond, it is a slip, and clocks have an end.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// The shortest time of a setting that may not be none: nothing is done in less.
const SHORTEST: Duration = Duration::from_millis(1);
/// One page of Wasm, the least that an instance can have, in bytes.
const LEAST_MEMORY: u64 = 64 << 10;

/// What keeps settings from being deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// The keys of the table that it is in: `routes`, `GET /products`.
    pub table: Vec<String>,
    /// The key of the value that it is about; none where it is about the table.
    pub key: Option<String>,
    /// What was expected, what was found, what to do.
    pub message: String,
}

impl SettingFault {
    /// All keys that lead to it.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.table.iter().chain(&self.key).map(String::as_str)
    }
}

/// As the manifest tells it beside its line.
impl Display for SettingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "`{key}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl Settings {
    /// Everything that keeps them from being deployed.
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut check = Check::default();
        check.within("routes", |check| {
            route::all(check, &self.routes, route::Owner::Component);
        });
        check.within("pool", |check| pool(check, &self.pool));
        check.within("limits", |check| limits(check, &self.limits));
        check.within("breaker", |check| resilience::breaker(check, &self.breaker));
        check.within("retry", |check| resilience::retry(check, &self.retry));
        check.within("rollout", |check| resilience::rollout(check, &self.rollout));
        check.within("config", |check| config::all(check, &self.config));
        check.within("grants", |check| grants(check, &self.grants));
        check.within("links", |check| {
            for (interface, service) in &self.links {
                link(check, interface, service);
            }
        });
        check.within("queues", |check| {
            for (interface, queue) in &self.queues {
                queue::queue(check, interface, queue);
            }
        });
        check.within("schedules", |check| schedule::all(check, &self.schedules));
        check.rate(self.rate.as_ref());
        check.cors(self.cors.as_ref());
        check.faults
    }
}

impl Pool {
    /// What is wrong with how many instances it has, as an operator scales it.
    pub fn size_faults(&self) -> Vec<SettingFault> {
        let mut check = Check::default();
        check.within("scale", |check| size(check, self));
        check.faults
    }
}

fn pool(check: &mut Check, pool: &Pool) {
    size(check, pool);
    check.number("concurrency", pool.concurrency, 1..=MOST);
    check.number("reuse", pool.reuse.unwrap_or(1), 1..=u64::MAX);
    check.number("queue", pool.queue, 0..=MOST);
    check.time("queue_deadline", pool.queue_deadline);
    check.time("queue_target", pool.queue_target);
}

fn size(check: &mut Check, pool: &Pool) {
    check.number("min", pool.min, 0..=MOST);
    check.number("max", pool.max, 1..=MOST);
    // A `max` of 0 is told already.
    if pool.min > pool.max && pool.max > 0 {
        check.whole(format!(
            "`min` is {}, above `max`, which is {}",
            pool.min, pool.max
        ));
    }
}

fn limits(check: &mut Check, limits: &Limits) {
    check.positive("deadline", limits.deadline);
    check.number("connections", limits.connections, 1..=MOST);
    if limits.memory < LEAST_MEMORY {
        let found = limits.memory;
        let fault = format!("expected 64KiB at least, found {found} bytes");
        check.value("memory", Err::<(), _>(fault));
    }
}

fn grants(check: &mut Check, grants: &Grants) {
    for bucket in &grants.keyvalue {
        check.value("keyvalue", bucket_grant(bucket));
    }
    for container in &grants.blobs {
        check.value("blobs", container_grant(container));
    }
    for origin in &grants.http {
        check.value("http", OriginGrant::parse(origin));
    }
    for name in &grants.secrets {
        check.value("secrets", secret_name(name));
    }
}

fn link(check: &mut Check, interface: &str, service: &str) {
    if let Err(fault) = self::interface(interface) {
        check.within(interface, |check| check.whole(fault));
    }
    check.value(interface, service_name(service));
}

/// Checks the name of an interface that settings are for, whatever its version.
fn interface(name: &str) -> Result<(), String> {
    let plain = name.contains(':') && name.contains('/') && !name.contains('@');
    if plain {
        return Ok(());
    }
    Err(format!(
        "expected an interface without its version such as \"shop:product/inventory\", found {name:?}"
    ))
}

/// Checks how long each stage of a rollout lasts.
///
/// # Errors
/// What was expected and what was found.
pub fn stage(every: Duration) -> Result<(), String> {
    no_shorter(every, SHORTEST)?;
    no_longer(every)
}

fn no_shorter(found: Duration, least: Duration) -> Result<(), String> {
    if found >= least {
        return Ok(());
    }
    let [least, found] = [least, found].map(humantime::format_duration);
    Err(format!(
        "expected a time of {least} at least, found \"{found}\""
    ))
}

fn no_longer(found: Duration) -> Result<(), String> {
    if found <= LONGEST {
        return Ok(());
    }
    let found = humantime::format_duration(found);
    Err(format!(
        "expected a time of a year at most, found \"{found}\""
    ))
}

/// Collects the faults of settings, table by table.
#[derive(Default)]
struct Check {
    table: Vec<String>,
    faults: Vec<SettingFault>,
}

impl Check {
    /// Looks into a table of the one that it is in.
    fn within(&mut self, table: &str, look: impl FnOnce(&mut Self)) {
        self.table.push(table.to_owned());
        look(self);
        self.table.pop();
    }

    /// A fault of the table that it is in.
    fn whole(&mut self, message: impl Into<String>) {
        self.fault(None, message.into());
    }

    /// What is wrong with the value of a key.
    fn value<T>(&mut self, key: &str, checked: Result<T, String>) {
        if let Err(message) = checked {
            self.fault(Some(key.to_owned()), message);
        }
    }

    fn fault(&mut self, key: Option<String>, message: String) {
        self.faults.push(SettingFault {
            table: self.table.clone(),
            key,
            message,
        });
    }

    fn number<N: PartialOrd + Display>(&mut self, key: &str, found: N, bounds: RangeInclusive<N>) {
        if !bounds.contains(&found) {
            let (least, most) = (bounds.start(), bounds.end());
            let fault =
                format!("expected a whole number from {least} to {most}, found \"{found}\"");
            self.value(key, Err::<(), _>(fault));
        }
    }

    fn time(&mut self, key: &str, found: Duration) {
        self.value(key, no_longer(found));
    }

    fn positive(&mut self, key: &str, found: Duration) {
        self.at_least(key, found, SHORTEST);
    }

    fn at_least(&mut self, key: &str, found: Duration, least: Duration) {
        self.time(key, found);
        self.value(key, no_shorter(found, least));
    }

    fn share(&mut self, key: &str, found: f64) {
        if !(0.0..=1.0).contains(&found) {
            let fault = format!("expected a share from 0 to 1 such as 0.8, found \"{found}\"");
            self.value(key, Err::<(), _>(fault));
        }
    }

    fn rate(&mut self, rate: Option<&Rate>) {
        if let Some(rate) = rate {
            self.value("rate", rate.check());
        }
    }

    fn cors(&mut self, cors: Option<&Cors>) {
        for fault in cors.and_then(|cors| cors.check().err()).unwrap_or_default() {
            self.value("cors", Err::<(), _>(fault));
        }
        if let Some(cors) = cors {
            self.within("cors", |check| check.time("max_age", cors.max_age));
        }
    }
}
