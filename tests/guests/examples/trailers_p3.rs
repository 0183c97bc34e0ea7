//! Reads a request to its trailers, then answers with trailers, by `wasi:http` 0.3; a path
//! that ends in `announced` has them in the field `trailer`, too.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::{self, StreamResult};
use wasip3::{wit_future, wit_stream};

struct Trailers;
wasip3::http::service::export!(Trailers);

impl wasip3::exports::http::handler::Guest for Trailers {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let (read, read_done) = wit_future::new(|| Ok(()));
        drop(read);
        let (mut incoming, theirs) = Request::consume_body(request, read_done);
        while let (StreamResult::Complete(_), _) = incoming.read(Vec::with_capacity(1024)).await {}
        drop(incoming);
        let _theirs = theirs.await;
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
