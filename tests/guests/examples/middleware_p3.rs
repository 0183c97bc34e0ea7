//! Passes requests on to the handler that it imports, by `wasi:http` 0.3, with one more
//! `x-passed` each way. The answer's body goes through its memory, piece by piece.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::{self, StreamResult};
use wasip3::{wit_future, wit_stream};

::wit_bindgen::generate!({
    path: "wit-http",
    world: "test:middleware/p3",
    with: {
        "wasi:clocks/types@0.3.2": wasip3::clocks::types,
        "wasi:http/types@0.3.2": wasip3::http::types,
    },
    generate_all,
});

struct Middleware;
wasip3::http::service::export!(Middleware);

impl wasip3::exports::http::handler::Guest for Middleware {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let answer = wasi::http0_3_2::handler::handle(onward(request)).await?;
        Ok(back(answer))
    }
}

/// The request as it came, but for its headers.
fn onward(request: Request) -> Request {
    let headers = passed(&request.get_headers());
    let (method, path) = (request.get_method(), request.get_path_with_query());
    let (scheme, authority) = (request.get_scheme(), request.get_authority());
    let (sent, read) = wit_future::new(|| Ok(()));
    drop(sent);
    let (body, trailers) = Request::consume_body(request, read);
    let (onward, _sent) = Request::new(headers, Some(body), trailers, None);
    let kept = onward.set_method(&method).is_ok()
        && onward.set_scheme(scheme.as_ref()).is_ok()
        && onward.set_authority(authority.as_deref()).is_ok()
        && onward.set_path_with_query(path.as_deref()).is_ok();
    assert!(kept, "what came can be sent");
    onward
}

fn back(answer: Response) -> Response {
    let (headers, status) = (passed(&answer.get_headers()), answer.get_status_code());
    let (sent, read) = wit_future::new(|| Ok(()));
    drop(sent);
    let (mut incoming, trailers) = Response::consume_body(answer, read);
    let (mut body, contents) = wit_stream::new();
    let (back, _sent) = Response::new(headers, Some(contents), trailers);
    back.set_status_code(status).expect("it came as one");
    wit_bindgen::spawn_local(async move {
        loop {
            let (result, piece) = incoming.read(Vec::with_capacity(64 << 10)).await;
            if !piece.is_empty() && !body.write_all(piece).await.is_empty() {
                break;
            }
            if !matches!(result, StreamResult::Complete(_)) {
                break;
            }
        }
    });
    back
}

fn passed(headers: &Fields) -> Fields {
    let headers = headers.clone();
    headers.append("x-passed", b"1").expect("it is a header");
    headers
}
