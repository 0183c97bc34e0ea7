//! `stoa show` of an upstream: its instances and its settings.

use stoa_api::upstream::{InstanceBreaker, InstanceDetail, UpstreamDetail};
use stoa_settings::upstream::UpstreamSettings;

use super::output::{Output, Size};
use super::show::route;

/// Shows an upstream, which is in this state.
pub fn show(detail: &UpstreamDetail, state: Vec<String>, output: Output) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(detail);
    }
    let UpstreamDetail {
        upstream,
        number,
        settings,
        instances,
        stale,
    } = detail;
    let mut head = vec![match number {
        0 => format!("{upstream}, joined and not declared"),
        number => format!("{upstream}, declaration {number}"),
    }];
    head.extend(stale.map(|seconds| {
        format!("stale: no instance has sent a heartbeat for {seconds} s beyond its lease")
    }));
    output.section("upstream", &head)?;
    output.section("state", &state)?;
    output.section(
        "instances",
        &instances.iter().map(instance).collect::<Vec<_>>(),
    )?;
    let routes = settings.routes.iter().map(route);
    output.section("routes", &routes.collect::<Vec<_>>())?;
    output.section("health", &health(settings))?;
    output.section("limits", &[limits(settings)])
}

fn instance(one: &InstanceDetail) -> String {
    let lease = one
        .ttl
        .map_or("declared".to_owned(), |ttl| format!("lease {ttl} s"));
    let over = one.overdue.map(|over| format!(" over for {over} s"));
    format!(
        "{} at {}, {}{}, weight {}, {lease}{}, {} in flight, {} requests",
        one.id,
        one.url,
        one.status.name(),
        breaker(&one.breaker),
        one.weight,
        over.unwrap_or_default(),
        one.in_flight,
        one.requests
    )
}

/// A breaker that is closed is not worth a word.
fn breaker(breaker: &InstanceBreaker) -> String {
    if breaker.state == "closed" {
        return String::new();
    }
    let probe = breaker.next_probe_ms;
    let probe = probe.map(|ms| format!(", probe in {:.1} s", ms as f64 / 1e3));
    format!(
        ", breaker {} ({}{})",
        breaker.state,
        breaker.reason,
        probe.unwrap_or_default()
    )
}

fn health(settings: &UpstreamSettings) -> Vec<String> {
    let check = settings.health.iter();
    let text = check.map(|check| {
        format!(
            "GET {} every {}, timeout {}, rise {}, fall {}",
            check.path,
            humantime::format_duration(check.every),
            humantime::format_duration(check.timeout),
            check.rise,
            check.fall
        )
    });
    text.collect()
}

fn limits(settings: &UpstreamSettings) -> String {
    let limits = &settings.limits;
    format!(
        "deadline {}, connect {}, body {}, {} requests at a time",
        humantime::format_duration(limits.deadline),
        humantime::format_duration(limits.connect),
        Size(limits.body),
        limits.connections
    )
}
