//! What the gateway's guards cost: a verified token, a scope, a rate limit and a
//! breaker in front of the function that is public elsewhere.

use anyhow::{Context, Result};
use serde_json::json;

use super::paired::{Side, paired};
use super::{Bench, Host, figure, services};
use crate::load::Request;
use crate::report::Figure;
use crate::stoa::Deploy;

const GUARDED: &str = "/guarded";
const SCOPE: &str = "bench:read";

/// Compares the guarded route with the plain one, in turns.
///
/// # Errors
/// The guarded service can't be deployed, or a request fails.
pub fn measure(bench: &Bench<'_>, host: &mut Host) -> Result<Vec<Figure>> {
    let mut settings = services::greeting(GUARDED);
    settings["routes"][0]["access"] = json!({"scope": SCOPE});
    settings["routes"][0]["rate"] =
        json!({"own": {"limit": 1_000_000_000, "per": "1s", "by": "principal"}});
    host.stoa.deploy(&[Deploy {
        service: "guarded",
        component: &host.guests.hello,
        settings,
    }])?;
    let token = host
        .stoa
        .token_of("bench", SCOPE)
        .context("asking for a token")?;
    let plain = Request::get(services::HELLO);
    let guarded = Request {
        token: Some(token),
        ..Request::get(GUARDED)
    };
    let side = |name, request| Side {
        name,
        addr: host.stoa.addr,
        pid: host.stoa.pid(),
        request,
    };
    let ratios = paired(
        bench,
        &side("the guarded route", &guarded),
        &side("the plain route", &plain),
    )?;
    Ok(vec![figure(
        "token, scope, rate limit and breaker: requests/s kept of the plain route's",
        "%",
        Some("≥ 92"),
        ratios,
    )?])
}
