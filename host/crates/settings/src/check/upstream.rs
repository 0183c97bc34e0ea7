//! Upstreams.

use http::uri::PathAndQuery;

use super::{Check, MOST, SettingFault, resilience, route};
use crate::upstream::{HealthCheck, UpstreamLimits, UpstreamSettings, target};

impl UpstreamSettings {
    /// Everything that keeps them from being deployed.
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut check = Check::default();
        for text in &self.targets {
            check.value("targets", target(text));
        }
        if let Some(prefix) = &self.strip_prefix {
            check.value("strip_prefix", rooted(prefix));
        }
        if let Some(checked) = &self.health {
            check.within("health", |check| health(check, checked));
        }
        check.within("routes", |check| {
            route::all(check, &self.routes, route::Owner::Upstream);
        });
        check.within("limits", |check| limits(check, &self.limits));
        check.within("breaker", |check| resilience::breaker(check, &self.breaker));
        check.faults
    }
}

fn health(check: &mut Check, health: &HealthCheck) {
    check.value("path", rooted(&health.path));
    check.positive("every", health.every);
    check.positive("timeout", health.timeout);
    check.number("rise", health.rise, 1..=MOST);
    check.number("fall", health.fall, 1..=MOST);
}

fn limits(check: &mut Check, limits: &UpstreamLimits) {
    check.positive("deadline", limits.deadline);
    check.positive("connect", limits.connect);
    check.positive("websocket_idle", limits.websocket_idle);
    check.number("connections", limits.connections, 1..=MOST);
}

fn rooted(path: &str) -> Result<(), String> {
    if path.starts_with('/') && PathAndQuery::try_from(path).is_ok() {
        return Ok(());
    }
    Err(format!(
        "expected a path that begins with a slash, found {path:?}"
    ))
}
