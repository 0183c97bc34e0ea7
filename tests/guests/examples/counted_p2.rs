//! Counts its calls, and answers as the request's query says, by `wasi:http` 0.2.
//!
//! `?cache-control=…&vary=…&status=…&length=…&wait=MS`. The body is the number of
//! this call in its instance and the request's `accept-language`. After `/fail`
//! each request is answered with 500, until `/mend`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use stoa_guests::Answer;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Counted;
wasip2::http::proxy::export!(Counted);

static CALLS: AtomicU64 = AtomicU64::new(0);
static FAILS: AtomicBool = AtomicBool::new(false);

impl wasip2::exports::http::incoming_handler::Guest for Counted {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        if path.ends_with("/fail") || path.ends_with("/mend") {
            FAILS.store(path.ends_with("/fail"), Ordering::Relaxed);
            return stoa_guests::respond(out, 200, "so be it");
        }
        let call = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
        if FAILS.load(Ordering::Relaxed) {
            return stoa_guests::respond(out, 500, "fails");
        }
        let mut status = 200;
        let mut body = format!("{call} {}", language(&request));
        let mut headers = Vec::new();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "status" => status = value.parse().expect("a status is a number"),
                "length" => body = "x".repeat(value.parse().expect("a length is a number")),
                "wait" => {
                    let wait = value.parse().expect("a time is a number");
                    std::thread::sleep(Duration::from_millis(wait));
                }
                name => headers.push((name, value)),
            }
        }
        let mut answer = Answer::begin(out, status, &headers);
        answer.write(body.as_bytes());
        answer.finish();
    }
}

fn language(request: &IncomingRequest) -> String {
    let values = request.headers().get("accept-language");
    let first = values.into_iter().next().unwrap_or_default();
    String::from_utf8_lossy(&first).into_owned()
}
