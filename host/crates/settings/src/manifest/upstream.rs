//! The sections of one upstream: `[upstream.NAME]` and what lies below it.

use super::keys::Keys;
use super::resilience::BREAKER;
use super::route;
use crate::check::route::Owner;
use crate::config::document::Entry;
use crate::config::values::{count, duration, size, word};
use crate::upstream::{HealthCheck, HostHeader, UpstreamLimits, UpstreamSettings};

const UPSTREAM: Keys<UpstreamSettings> = Keys(&[
    ("targets", |it, e| {
        it.targets = e.strings().unwrap_or_default();
    }),
    ("strip_prefix", |it, e| it.strip_prefix = e.string()),
    ("host", |it, e| e.set(&mut it.host, |v| word(v, &HOST))),
    ("health", |it, e| {
        e.section(it.health.get_or_insert_default(), &HEALTH);
    }),
    ("routes", |it, e| {
        it.routes = route::routes(e, Owner::Upstream);
    }),
    ("limits", |it, e| e.section(&mut it.limits, &LIMITS)),
    ("breaker", |it, e| e.section(&mut it.breaker, &BREAKER)),
]);

const HOST: [(&str, HostHeader); 2] = [
    ("client", HostHeader::Client),
    ("target", HostHeader::Target),
];

const HEALTH: Keys<HealthCheck> = Keys(&[
    ("path", |it, e| {
        if let Some(path) = e.string() {
            it.path = path;
        }
    }),
    ("every", |it, e| e.set(&mut it.every, duration)),
    ("timeout", |it, e| e.set(&mut it.timeout, duration)),
    ("rise", |it, e| e.set(&mut it.rise, count)),
    ("fall", |it, e| e.set(&mut it.fall, count)),
]);

const LIMITS: Keys<UpstreamLimits> = Keys(&[
    ("deadline", |it, e| e.set(&mut it.deadline, duration)),
    ("connect", |it, e| e.set(&mut it.connect, duration)),
    ("body", |it, e| e.set(&mut it.body, size)),
    ("connections", |it, e| e.set(&mut it.connections, count)),
    ("websocket_idle", |it, e| {
        e.set(&mut it.websocket_idle, duration);
    }),
]);

/// Reads the table of one upstream.
pub fn upstream(entry: &mut Entry<'_, '_>) -> UpstreamSettings {
    let mut settings = UpstreamSettings::default();
    entry.section(&mut settings, &UPSTREAM);
    settings
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
