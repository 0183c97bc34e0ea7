//! Answers with the request's scheme, its authority, and how many `host` fields it has,
//! by `wasi:http` 0.2.

use wasip2::http::types::{IncomingRequest, ResponseOutparam, Scheme};

struct Target;
wasip2::http::proxy::export!(Target);

impl wasip2::exports::http::incoming_handler::Guest for Target {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let scheme = match request.scheme() {
            Some(Scheme::Http) => "http",
            Some(Scheme::Https) => "https",
            Some(Scheme::Other(_)) | None => "none",
        };
        let authority = request.authority().unwrap_or_default();
        let hosts = request.headers().get("host").len();
        stoa_guests::respond(out, 200, &format!("{scheme} {authority} {hosts}"));
    }
}
