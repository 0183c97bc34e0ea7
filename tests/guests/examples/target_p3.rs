//! Answers with the request's scheme, its authority, and how many `host` fields it has,
//! by `wasi:http` 0.3.

use wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Target;
wasip3::http::service::export!(Target);

impl wasip3::exports::http::handler::Guest for Target {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let scheme = match request.get_scheme() {
            Some(Scheme::Http) => "http",
            Some(Scheme::Https) => "https",
            Some(Scheme::Other(_)) | None => "none",
        };
        let authority = request.get_authority().unwrap_or_default();
        let hosts = request.get_headers().get("host").len();
        let text = format!("{scheme} {authority} {hosts}");
        let (mut body, contents) = wit_stream::new();
        let (trailers, trailers_read) = wit_future::new(|| Ok(None));
        drop(trailers);
        let (response, _sent) = Response::new(Fields::new(), Some(contents), trailers_read);
        wit_bindgen::spawn_local(async move {
            body.write_all(text.into_bytes()).await;
        });
        Ok(response)
    }
}
