//! `wrk` as the client, to check the own one against.
//!
//! Its script only describes the request and prints the sums at the end: nothing
//! of it runs between requests.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{Load, Outcome, Request};

#[derive(Deserialize)]
struct Sums {
    requests: u64,
    micros: u64,
    p50: u32,
    p99: u32,
    status: u64,
    socket: u64,
}

/// Sends a load; see [`Load::run`].
pub fn run(load: &Load<'_>) -> Result<Outcome> {
    let mut script = tempfile::Builder::new()
        .suffix(".lua")
        .tempfile()
        .context("making a script for wrk")?;
    script.write_all(script_for(load.request).as_bytes())?;
    let seconds = load.duration.as_secs().max(1);
    let output = Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{}", load.connections),
            &format!("-d{seconds}s"),
            "-s",
        ])
        .arg(script.path())
        .arg(format!("http://{}{}", load.addr, load.request.path))
        .output()
        .context("running wrk; is it installed? `--client own` needs nothing")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(line) = text.lines().rev().find(|line| line.starts_with('{')) else {
        bail!(
            "expected sums from wrk, found:\n{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let sums: Sums = serde_json::from_str(line).context("reading wrk's sums")?;
    let failures = sums.status + sums.socket;
    Ok(Outcome {
        requests: sums.requests.saturating_sub(sums.status),
        failures,
        first_failure: (failures > 0).then(|| {
            format!(
                "{} answers not 2xx or 3xx, {} socket errors",
                sums.status, sums.socket
            )
        }),
        seconds: sums.micros as f64 / 1e6,
        p50_micros: sums.p50,
        p99_micros: sums.p99,
    })
}

fn script_for(request: &Request) -> String {
    let mut script = format!("wrk.method = \"{}\"\n", request.method);
    if !request.body.is_empty() {
        // JSON holds no `]==]`.
        let body = String::from_utf8_lossy(&request.body);
        let _ = writeln!(
            script,
            "wrk.body = [==[{body}]==]\nwrk.headers[\"content-type\"] = \"{}\"",
            request.content_type
        );
    }
    script + DONE
}

const DONE: &str = r#"
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"status":%d,"socket":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"#;
