//! What several guests share: short answers over `wasi:http` 0.2.
//!
//! The guests themselves are the examples of this package, one behaviour each.
//! Knows nothing of the tests that use them.
#![cfg(target_family = "wasm")]

use std::io::Write as _;

use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::OutputStream;

/// A response whose headers are sent, and whose body is being written.
pub struct Answer {
    // Before the body that it belongs to, so that it is dropped first.
    stream: OutputStream,
    body: OutgoingBody,
}

impl Answer {
    /// Sends the headers of a response; the body is still to be written.
    ///
    /// # Panics
    /// If the host refuses the response, which traps the guest.
    pub fn begin(out: ResponseOutparam, status: u16, headers: &[(&str, &str)]) -> Self {
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
        let stream = body.write().expect("a new body has its stream");
        Self { stream, body }
    }

    /// Writes all of `bytes`, then waits until the host has taken them.
    ///
    /// # Panics
    /// If the host has closed the stream, which traps the guest.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("the host takes the body");
        self.stream
            .blocking_flush()
            .expect("the host takes the body");
    }

    /// Ends the body. The host may find that it is not as long as announced,
    /// and says so to the client: the guest has nothing to add.
    pub fn finish(self) {
        let Self { stream, body } = self;
        drop(stream);
        drop(OutgoingBody::finish(body, None));
    }
}

/// A whole response.
///
/// # Panics
/// If the host does not take it, which traps the guest.
pub fn respond(out: ResponseOutparam, status: u16, text: &str) {
    let length = text.len().to_string();
    let headers = [
        ("content-type", "text/plain"),
        ("content-length", length.as_str()),
    ];
    let mut answer = Answer::begin(out, status, &headers);
    answer.write(text.as_bytes());
    answer.finish();
}
