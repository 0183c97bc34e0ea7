//! What a request to this port must be, whatever it asks for: a path that is text, a body
//! that is as it is.
//!
//! A short body is read before anything else: who is refused early has its connection all
//! the same. After a longer one that is refused the connection ends, and the answer says so.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::Body as _;
use percent_encoding::percent_decode_str;

use super::problem::Refusal;

/// Bytes of a body that is read at once; nearly all are far shorter.
const SHORT: u64 = 64 << 10;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads what is short, and refuses what can't be understood by anybody.
pub(super) async fn shaped(request: Request, next: Next) -> Response {
    let waits = request.headers().contains_key(header::EXPECT);
    let body = request.body();
    let has_body = !body.is_end_stream();
    let short = !waits && body.size_hint().exact().is_some_and(|size| size <= SHORT);
    let path = percent_decode_str(request.uri().path()).decode_utf8();
    if path.is_err() {
        return closing(Refusal::Path.into_response(), has_body);
    }
    if !has_body || !short {
        return closing(next.run(request).await, has_body);
    }
    let (parts, body) = request.into_parts();
    let limit = usize::try_from(SHORT).unwrap_or(usize::MAX);
    match tokio::time::timeout(PATIENCE, to_bytes(body, limit)).await {
        Ok(Ok(body)) => next.run(Request::from_parts(parts, Body::from(body))).await,
        _ => {
            let fault = "the body did not come whole, or not in time".to_owned();
            closing(Refusal::Input(fault).into_response(), true)
        }
    }
}

/// Refuses a body that is coded: nobody here decodes it.
pub(super) async fn plain(request: Request, next: Next) -> Response {
    let coding = request.headers().get(header::CONTENT_ENCODING);
    let coding = coding.map(|coding| coding.to_str().unwrap_or_default().to_owned());
    match coding.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")) {
        Some(coding) => Refusal::Coding(coding).into_response(),
        None => next.run(request).await,
    }
}

/// A refusal whose request has a body that may not be read.
fn closing(mut response: Response, has_body: bool) -> Response {
    if has_body && response.status().is_client_error() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}
