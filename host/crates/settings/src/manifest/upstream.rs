//! The sections of one upstream: `[upstream.NAME]` and what lies below it.

use crate::check::route::Owner;
use crate::config::document::{Document, Key, Table};
use crate::config::values::{duration, number, size, word};
use crate::upstream::{HealthCheck, HostHeader, UpstreamLimits, UpstreamSettings};

use super::{resilience, route};

const UPSTREAM: &[&str] = &[
    "targets",
    "strip_prefix",
    "host",
    "health",
    "routes",
    "limits",
    "breaker",
];
const HEALTH: &[&str] = &["path", "every", "timeout", "rise", "fall"];
const LIMITS: &[&str] = &[
    "deadline",
    "connect",
    "body",
    "connections",
    "websocket_idle",
];

/// Reads the table of one upstream.
pub fn upstream<'t>(
    document: &mut Document<'t>,
    name: &Key<'t>,
    table: &Table<'t>,
) -> UpstreamSettings {
    let place = format!("upstream.{}", name.get_ref());
    let mut settings = UpstreamSettings::default();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "targets" => {
                settings.targets = document.strings(key, value).unwrap_or_default();
            }
            "strip_prefix" => settings.strip_prefix = document.string(key, value),
            "host" => {
                let words = [
                    ("client", HostHeader::Client),
                    ("target", HostHeader::Target),
                ];
                document.set(&mut settings.host, key, value, |text| word(text, &words));
            }
            "health" => {
                if let Some(table) = document.table(key, value) {
                    settings.health = Some(health(document, &place, table));
                }
            }
            "routes" => {
                if let Some(table) = document.table(key, value) {
                    let section = format!("{place}.routes");
                    settings.routes = route::routes(document, &section, table, Owner::Upstream);
                }
            }
            "limits" => {
                if let Some(table) = document.table(key, value) {
                    limits(document, &place, &mut settings.limits, table);
                }
            }
            "breaker" => {
                if let Some(table) = document.table(key, value) {
                    let place = format!("{place}.breaker");
                    resilience::breaker(document, &place, &mut settings.breaker, table);
                }
            }
            _ => document.unknown(key, &place, UPSTREAM),
        }
    }
    settings
}

fn health<'t>(document: &mut Document<'t>, place: &str, table: &Table<'t>) -> HealthCheck {
    let mut health = HealthCheck::default();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "path" => {
                if let Some(path) = document.string(key, value) {
                    health.path = path;
                }
            }
            "every" => document.set(&mut health.every, key, value, duration),
            "timeout" => document.set(&mut health.timeout, key, value, duration),
            "rise" => document.set(&mut health.rise, key, value, |v| number(v, 0..=u32::MAX)),
            "fall" => document.set(&mut health.fall, key, value, |v| number(v, 0..=u32::MAX)),
            _ => document.unknown(key, &format!("{place}.health"), HEALTH),
        }
    }
    health
}

fn limits<'t>(
    document: &mut Document<'t>,
    place: &str,
    limits: &mut UpstreamLimits,
    table: &Table<'t>,
) {
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "deadline" => document.set(&mut limits.deadline, key, value, duration),
            "connect" => document.set(&mut limits.connect, key, value, duration),
            "websocket_idle" => {
                document.set(&mut limits.websocket_idle, key, value, duration);
            }
            "body" => document.set(&mut limits.body, key, value, size),
            "connections" => {
                document.set(&mut limits.connections, key, value, |v| {
                    number(v, 0..=u32::MAX)
                });
            }
            _ => document.unknown(key, &format!("{place}.limits"), LIMITS),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::manifest::Manifest;

    #[test]
    fn limits_of_an_upstream() {
        let text = "[upstream.chat]\ntargets = [\"http://a:1\"]\n[upstream.chat.limits]\n";
        let parse = |limit: &str| Manifest::parse("stoa.toml".as_ref(), &format!("{text}{limit}"));
        let read = parse("connections = 7\nwebsocket_idle = \"5m\"").unwrap();
        let limits = &read.upstreams["chat"].limits;
        assert_eq!(limits.connections, 7);
        assert_eq!(limits.websocket_idle, Duration::from_secs(300));
        assert_eq!(limits.connect, Duration::from_secs(1), "the default");
        for (wrong, told) in [
            ("websocket_idle = \"0s\"", "websocket_idle"),
            ("websocket_idel = \"5m\"", "did you mean"),
        ] {
            let faults = parse(wrong).unwrap_err().to_string();
            assert!(faults.contains(told), "{faults}");
        }
    }
}
