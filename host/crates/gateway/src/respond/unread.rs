//! The answer to what is no request: written here, for hyper has nothing to write.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::problem::{Problem, Traced as _};
use crate::Gateway;
use crate::origin::{Origin, REQUEST_ID};

/// The problem of a request that was refused with `status` before it was read.
fn problem(status: StatusCode, fault: Option<&str>) -> Problem<'static> {
    match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => head_too_large(),
        StatusCode::URI_TOO_LONG => Problem::new(status, "uri_too_long")
            .detail("the request's target is longer than the host takes"),
        status => Problem::new(status, "malformed").detail(fault.unwrap_or(
            "the request is not HTTP/1.1 as RFC 9112 has it, or two readers could take it for different ones",
        )),
    }
}

/// The problem of a request with more headers than the host takes.
pub(super) fn head_too_large() -> Problem<'static> {
    Problem::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "head_too_large",
    )
    .detail("the request's headers are longer, or more, than the host takes")
}

impl Gateway {
    /// The whole response to a request that was refused with `status` before it was
    /// read, as it goes over the wire. Ends the connection.
    pub(crate) fn unread(&self, status: u16, fault: Option<&str>, over_tls: bool) -> Bytes {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let origin = Origin::of(&HeaderMap::new(), Instant::now());
        let mut response = problem(status, fault).response(&origin);
        let length = response.body().as_whole().map_or(0, Bytes::len);
        let headers = response.headers_mut();
        if let Some(id) = origin.id_header() {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(header::CONTENT_LENGTH, length.into());
        headers.insert(
            header::CONNECTION,
            header::HeaderValue::from_static("close"),
        );
        self.security.finish(over_tls, &mut response);
        let reason = status.canonical_reason().unwrap_or_default();
        let mut wire = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
        for (name, value) in response.headers() {
            wire.extend_from_slice(name.as_str().as_bytes());
            wire.extend_from_slice(b": ");
            wire.extend_from_slice(value.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(response.body().as_whole().map_or(&[], |body| body));
        wire.into()
    }
}
