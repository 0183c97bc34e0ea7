//! Sends each chunk of the request's body back as it comes, by `wasi:http` 0.2.
//!
//! The answer carries the request's method, path and content type, so that a
//! test sees that they arrive.

use stoa_guests::Answer;
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};
use wasip2::io::streams::StreamError;

struct Echo;
wasip2::http::proxy::export!(Echo);

impl wasip2::exports::http::incoming_handler::Guest for Echo {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let method = name(&request.method());
        let path = request.path_with_query().unwrap_or_default();
        let authority = request.authority().unwrap_or_default();
        let headers = [
            ("x-method", method.as_str()),
            ("x-path", path.as_str()),
            ("x-authority", authority.as_str()),
        ];
        let mut outgoing = Answer::begin(out, 200, &headers);
        let incoming = request.consume().expect("the body is consumed once");
        let stream = incoming.stream().expect("the body has one reader");
        loop {
            match stream.blocking_read(64 << 10) {
                Ok(chunk) => outgoing.write(&chunk),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(fault)) => {
                    panic!("the body broke off: {}", fault.to_debug_string())
                }
            }
        }
        outgoing.finish();
    }
}

fn name(method: &Method) -> String {
    match method {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Options => "OPTIONS".to_owned(),
        Method::Connect => "CONNECT".to_owned(),
        Method::Trace => "TRACE".to_owned(),
        Method::Other(name) => name.clone(),
    }
}
