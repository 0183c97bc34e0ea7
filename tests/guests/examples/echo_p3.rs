//! Sends the request's body back as it comes, by `wasi:http` 0.3, with its type of
//! content and its `referrer-policy`.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::{self, StreamResult};
use wasip3::{wit_future, wit_stream};

struct Echo;
wasip3::http::service::export!(Echo);

impl wasip3::exports::http::handler::Guest for Echo {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let mut headers = vec![("x-path".to_owned(), path.into_bytes())];
        for name in ["content-type", "referrer-policy"] {
            let values = request.get_headers().get(name);
            headers.extend(values.into_iter().map(|value| (name.to_owned(), value)));
        }
        let headers = Fields::from_list(&headers).expect("the values are valid");
        let (read, read_done) = wit_future::new(|| Ok(()));
        drop(read);
        let (mut incoming, _trailers) = Request::consume_body(request, read_done);
        let (mut body, contents) = wit_stream::new();
        let (trailers, trailers_read) = wit_future::new(|| Ok(None));
        drop(trailers);
        let (response, _sent) = Response::new(headers, Some(contents), trailers_read);
        wit_bindgen::spawn_local(async move {
            loop {
                let (result, chunk) = incoming.read(Vec::with_capacity(64 << 10)).await;
                if !chunk.is_empty() && !body.write_all(chunk).await.is_empty() {
                    break;
                }
                if !matches!(result, StreamResult::Complete(_)) {
                    break;
                }
            }
        });
        Ok(response)
    }
}
