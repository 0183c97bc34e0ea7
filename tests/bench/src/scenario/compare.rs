//! Two builds of Stoa, in turns: what a change did to the rate of each kind of request.

use std::path::Path;

use anyhow::Result;

use super::paired::{Side, paired};
use super::{Bench, figure, services};
use crate::args::Part;
use crate::load::Request;
use crate::report::Figure;

/// The rates of `program`, in per cent of those of the build that it is compared with.
///
/// # Errors
/// One of both does not start, or a request fails.
pub fn measure(bench: &Bench<'_>, program: &Path, other: &Path) -> Result<Vec<Figure>> {
    let (ours, theirs) = (bench.host(program)?, bench.host(other)?);
    let requests = [
        (
            Part::WitHello,
            "hello, HTTP→WIT",
            Request::get(services::HELLO),
        ),
        (
            Part::P2Hello,
            "hello, wasi:http 0.2",
            Request::get(services::HELLO_P2),
        ),
        (
            Part::P3Hello,
            "hello, wasi:http 0.3",
            Request::get(services::HELLO_P3),
        ),
        (Part::Order, "order", services::order_request()),
    ];
    let wanted = requests.iter().filter(|(part, ..)| bench.wants(&[*part]));
    wanted
        .map(|(_, name, request)| {
            let side = |name, host: &super::Host| Side {
                name,
                addr: host.stoa.addr,
                pid: host.stoa.pid(),
                request,
            };
            let ratios = paired(
                bench,
                &side("this build", &ours),
                &side("the other build", &theirs),
            )?;
            let name = format!("{name}: requests/s, of the other build's");
            figure(&name, "%", None, ratios)
        })
        .collect()
}
