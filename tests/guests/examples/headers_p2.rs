//! Answers with the request's headers, one a line, by `wasi:http` 0.2.

use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Headers;
wasip2::http::proxy::export!(Headers);

impl wasip2::exports::http::incoming_handler::Guest for Headers {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let lines: Vec<_> = request
            .headers()
            .entries()
            .into_iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(&value)))
            .collect();
        stoa_guests::respond(out, 200, &lines.join("\n"));
    }
}
