//! Answers `Hello, world!` by `wasi:http` 0.3.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

const TEXT: &[u8] = b"Hello, world!";

struct Hello;

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let length = TEXT.len().to_string().into_bytes();
        let headers = Fields::from_list(&[("content-length".to_owned(), length)])
            .expect("the header is well-formed");
        let (mut body, contents) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(contents), no_trailers);
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            // What is left unwritten is left because the client went away.
            let _ = body.write_all(TEXT.to_vec()).await;
        });
        Ok(response)
    }
}

wasip3::http::service::export!(Hello);
