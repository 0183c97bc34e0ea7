//! Upstreams.

use std::time::Duration;

use http::uri::PathAndQuery;

use super::{Check, MOST, SettingFault, resilience, route};
use crate::spelling;
use crate::upstream::{HealthCheck, UpstreamLimits, UpstreamSettings, target};

/// The shortest time between two checks of an instance: each is a request.
const OFTENEST: Duration = Duration::from_millis(100);

impl UpstreamSettings {
    /// Everything that keeps them from being deployed.
    pub fn faults(&self) -> Vec<SettingFault> {
        let mut check = Check::default();
        for text in &self.targets {
            check.value("targets", target(text));
        }
        if let Some(prefix) = &self.strip_prefix {
            check.value("strip_prefix", self::prefix(prefix));
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
    check.at_least("every", health.every, OFTENEST);
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

/// Part of a path, which requests can have.
fn prefix(path: &str) -> Result<(), String> {
    rooted(path)?;
    if path.contains('?') {
        return Err(format!("expected a path without a query, found {path:?}"));
    }
    Ok(())
}

fn rooted(path: &str) -> Result<(), String> {
    let plain = path.split('?').next().unwrap_or_default();
    let read = path.starts_with('/') && !path.contains('#') && PathAndQuery::try_from(path).is_ok();
    if read {
        return spelling::check(plain).map_err(|fault| format!("{fault}; found {path:?}"));
    }
    Err(format!(
        "expected a path that begins with a slash, found {path:?}"
    ))
}
