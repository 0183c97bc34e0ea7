//! `Hello, world!` by `wasi:http` 0.2.

use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Hello;
wasip2::http::proxy::export!(Hello);

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        stoa_guests::respond(out, 200, "Hello, world!");
    }
}
