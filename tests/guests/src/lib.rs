//! What several guests share: short answers over `wasi:http` 0.2.
//!
//! The guests themselves are the examples of this package, one behaviour each.
//! Knows nothing of the tests that use them.
#![cfg(target_family = "wasm")]

use std::io::Write as _;

use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// Sends the headers of a response; the body is still to be written.
///
/// # Panics
/// If the host refuses the response, which traps the guest.
pub fn begin(out: ResponseOutparam, status: u16, headers: &[(&str, &str)]) -> OutgoingBody {
    let entries: Vec<_> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let fields = Fields::from_list(&entries).expect("headers of the tests are valid");
    let response = OutgoingResponse::new(fields);
    response
        .set_status_code(status)
        .expect("statuses of the tests are valid");
    let body = response.body().expect("a new response has its body");
    ResponseOutparam::set(out, Ok(response));
    body
}

/// Writes all of `bytes`, then waits until the host has taken them.
///
/// # Panics
/// If the host has closed the stream, which traps the guest.
pub fn write(body: &OutgoingBody, bytes: &[u8]) {
    let mut stream = body.write().expect("one writer at a time");
    stream.write_all(bytes).expect("the host takes the body");
    stream.flush().expect("the host takes the body");
}

/// A whole response.
///
/// # Panics
/// If the host does not take it, which traps the guest.
pub fn respond(out: ResponseOutparam, status: u16, text: &str) {
    let length = text.len().to_string();
    let body = begin(
        out,
        status,
        &[("content-type", "text/plain"), ("content-length", &length)],
    );
    write(&body, text.as_bytes());
    OutgoingBody::finish(body, None).expect("the body is as long as announced");
}
