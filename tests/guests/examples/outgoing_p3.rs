//! Passes on what another answers, by `wasi:http` 0.3: `x-target` names it, with
//! `https://` before it or without. With `x-again` the other is told the same, as in a circle.

use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wasip3::wit_future;

struct Outgoing;
wasip3::http::service::export!(Outgoing);

impl wasip3::exports::http::handler::Guest for Outgoing {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let headers = request.get_headers().get("x-target");
        let target = headers.first().ok_or(ErrorCode::ConfigurationError)?;
        let target = String::from_utf8_lossy(target).into_owned();
        let (scheme, place) = match target.strip_prefix("https://") {
            Some(place) => (Scheme::Https, place),
            None => (Scheme::Http, target.as_str()),
        };
        let (authority, path) = place.split_once('/').ok_or(ErrorCode::ConfigurationError)?;
        let again = !request.get_headers().get("x-again").is_empty();
        let headers = Fields::new();
        if again {
            let target = [target.clone().into_bytes()];
            headers.set("x-target", &target).expect("it came as one");
            headers.set("x-again", &[b"1".to_vec()]).expect("it is one");
        }
        let (trailers, trailers_read) = wit_future::new(|| Ok(None));
        drop(trailers);
        let (out, _sent) = Request::new(headers, None, trailers_read, None);
        let bad = |()| ErrorCode::HttpRequestUriInvalid;
        out.set_scheme(Some(&scheme)).map_err(bad)?;
        out.set_authority(Some(authority)).map_err(bad)?;
        out.set_path_with_query(Some(&format!("/{path}")))
            .map_err(bad)?;
        client::send(out).await
    }
}
