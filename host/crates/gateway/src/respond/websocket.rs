//! Answers to those who ask for a WebSocket.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Response as HttpResponse, StatusCode};

use super::problem::{Problem, Traced as _};
use super::{GatewayBody, Response};
use crate::origin::Origin;

/// What carries a client's end of a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// Its connection.
    Http1,
    /// A stream of it.
    Http2,
}

/// The answer with which a WebSocket begins, with the headers of who agreed to it.
pub(crate) fn switched(mut headers: HeaderMap, over: Over) -> Response {
    let status = match over {
        Over::Http1 => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            StatusCode::SWITCHING_PROTOCOLS
        }
        // RFC 8441, section 5: it answers a key that the client did not send.
        Over::Http2 => {
            headers.remove(header::SEC_WEBSOCKET_ACCEPT);
            StatusCode::OK
        }
    };
    headers.remove(header::CONTENT_LENGTH);
    let mut response = HttpResponse::new(GatewayBody::empty());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// RFC 9110, section 7.8 would have it ignored: then nobody learns why there is none.
pub(super) fn no_websocket(origin: &Origin) -> Response {
    Problem::new(StatusCode::NOT_IMPLEMENTED, "no_websocket")
        .detail(
            "the route leads to a component, and components can't speak WebSocket: there is no \
             WASI interface for it; let an upstream serve the route, or send events over HTTP",
        )
        .response(origin)
}

/// RFC 6455, section 4.2.2.
pub(super) fn other_origin(origin: &Origin) -> Response {
    Problem::new(StatusCode::FORBIDDEN, "other_origin")
        .detail(
            "pages of this Origin may not open a WebSocket here: the route's cors does not name it",
        )
        .response(origin)
}

/// As RFC 9220, section 3 has it for HTTP/3.
pub(super) fn other_protocol(origin: &Origin) -> Response {
    Problem::new(StatusCode::NOT_IMPLEMENTED, "other_protocol")
        .detail("the only :protocol that can be begun here is websocket")
        .response(origin)
}
