//! Passes requests on to the handler that it imports, by `wasi:http` 0.2, but for those
//! with `x-refuse`: these it answers itself.

use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wit_bindgen::generate!({
    path: "wit-http",
    world: "test:middleware/p2",
    with: {
        "wasi:clocks/monotonic-clock@0.2.12": wasip2::clocks::monotonic_clock,
        "wasi:http/types@0.2.12": wasip2::http::types,
        "wasi:io/error@0.2.12": wasip2::io::error,
        "wasi:io/poll@0.2.12": wasip2::io::poll,
        "wasi:io/streams@0.2.12": wasip2::io::streams,
    },
    generate_all,
});

struct Middleware;
wasip2::http::proxy::export!(Middleware);

impl wasip2::exports::http::incoming_handler::Guest for Middleware {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        if request.headers().has("x-refuse") {
            return stoa_guests::respond(out, 403, "refused");
        }
        wasi::http0_2_12::incoming_handler::handle(request, out);
    }
}
