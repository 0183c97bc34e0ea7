//! A component that the host has never seen, from the upload's first byte to its
//! first answer.

use std::time::Instant;

use anyhow::Result;

use super::{Bench, Host, figure, millis, services};
use crate::load::{Connection, Request};
use crate::report::Figure;
use crate::stoa::Deploy;

const PATH: &str = "/deployed";

/// Times deployments of the largest component, under a new digest each time.
///
/// # Errors
/// A deployment or the first call fails.
pub fn measure(bench: &Bench<'_>, host: &mut Host) -> Result<Vec<Figure>> {
    let mut connection = Connection::open(host.stoa.addr)?;
    let mut times = Vec::new();
    for _ in 0..bench.args.rounds() * 2 {
        let component = host.guests.hello_p3.never_seen();
        let start = Instant::now();
        host.stoa.upload(&component)?;
        host.stoa.deploy(&[Deploy {
            service: "deployed",
            component: &component,
            settings: services::http(PATH),
        }])?;
        connection.call_ok(&Request::get(PATH))?;
        times.push(millis(start.elapsed()));
    }
    let size = host.guests.hello_p3.bytes.len().div_ceil(1000);
    Ok(vec![figure(
        &format!("deploy of a {size} KB component, upload to first answer"),
        "ms",
        Some("≤ 500"),
        times,
    )?])
}
