//! What a host must survive, reached through `wasi:http` 0.3. The path says which.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::{self, StreamWriter};
use wasip3::{wit_future, wit_stream};

struct Misbehave;
wasip3::http::service::export!(Misbehave);

impl wasip3::exports::http::handler::Guest for Misbehave {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        match path.rsplit('/').next().unwrap_or_default() {
            "trap-before" => panic!("this guest panics before it answers"),
            "error" => Err(ErrorCode::InternalError(Some(
                "this guest answers with an error".to_owned(),
            ))),
            "trap-in-body" => {
                let (response, mut body) = begin();
                wit_bindgen::spawn_local(async move {
                    // More than a host may hold back.
                    body.write_all(vec![b'x'; 512 << 10]).await;
                    panic!("this guest panics in the middle of its body");
                });
                Ok(response)
            }
            "spin" => {
                let mut turns = 0_u64;
                while std::hint::black_box(true) {
                    turns = turns.wrapping_add(1);
                }
                Err(ErrorCode::InternalError(Some(turns.to_string())))
            }
            _ => {
                let (response, mut body) = begin();
                wit_bindgen::spawn_local(async move {
                    body.write_all(b"well".to_vec()).await;
                });
                Ok(response)
            }
        }
    }
}

fn begin() -> (Response, StreamWriter<u8>) {
    let (body, contents) = wit_stream::new();
    let (trailers, trailers_read) = wit_future::new(|| Ok(None));
    drop(trailers);
    let (response, _sent) = Response::new(Fields::new(), Some(contents), trailers_read);
    (response, body)
}
