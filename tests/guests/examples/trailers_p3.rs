//! Answers with trailers, by `wasi:http` 0.3; a path that ends in `announced` has them in
//! the field `trailer`, too.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Trailers;
wasip3::http::service::export!(Trailers);

impl wasip3::exports::http::handler::Guest for Trailers {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let headers = Fields::new();
        if path.ends_with("announced") {
            let name = [b"x-sum".to_vec()];
            headers.set("trailer", &name).expect("it is a header");
        }
        let (mut body, contents) = wit_stream::new();
        let (trailers, trailers_read) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(contents), trailers_read);
        wit_bindgen::spawn_local(async move {
            body.write_all(b"seven".to_vec()).await;
            drop(body);
            let sum = [("x-sum".to_owned(), b"7".to_vec())];
            let sum = Fields::from_list(&sum).expect("it is a header");
            let _gone = trailers.write(Ok(Some(sum))).await;
        });
        Ok(response)
    }
}
