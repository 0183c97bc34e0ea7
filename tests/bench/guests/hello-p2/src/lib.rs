//! Answers `Hello, world!` by `wasi:http` 0.2.

use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

const TEXT: &[u8] = b"Hello, world!";

struct Hello;

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let length = TEXT.len().to_string().into_bytes();
        let headers = Fields::from_list(&[("content-length".to_owned(), length)])
            .expect("the header is well-formed");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(out, Ok(response));

        let stream = body.write().expect("the stream is taken once");
        // A client that went away is the host's business.
        let _ = stream.blocking_write_and_flush(TEXT);
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

wasip2::http::proxy::export!(Hello);
