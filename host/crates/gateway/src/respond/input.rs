//! What a client is told of its own request's content.

use http::StatusCode;
use http::header::{self, HeaderValue};

use super::problem::{Problem, Traced as _};
use super::{BodyFault, InputFault, Response};
use crate::input::ACCEPTED_CODINGS;
use crate::origin::Origin;
use stoa_mesh::UploadFault;
use stoa_transcode::{FaultKind, Place};

/// A body, or a parameter, that is not what the function takes.
pub(super) fn input_fault(fault: InputFault, origin: &Origin) -> Response {
    let (status, code) = match fault.kind {
        FaultKind::Syntax => (StatusCode::BAD_REQUEST, "malformed_json"),
        FaultKind::Path => (StatusCode::BAD_REQUEST, "bad_path_parameter"),
        FaultKind::Query => (StatusCode::BAD_REQUEST, "bad_query_parameter"),
        FaultKind::Header => (StatusCode::BAD_REQUEST, "bad_header"),
        FaultKind::Text => (StatusCode::BAD_REQUEST, "malformed_text"),
        FaultKind::Shape => (StatusCode::UNPROCESSABLE_ENTITY, "bad_shape"),
    };
    let problem = Problem::new(status, code).detail(fault.to_string());
    match fault.place {
        Place::Body { pointer } => problem
            .errors(vec![(pointer, fault.message)])
            .response(origin),
        Place::Path { .. } | Place::Query { .. } | Place::Header { .. } => problem.response(origin),
    }
}

/// A body that could not be used.
pub(super) fn body_fault(fault: &BodyFault, origin: &Origin) -> Response {
    let (status, code) = match fault {
        BodyFault::Upload(fault) => return upload_fault(*fault, origin),
        BodyFault::MediaType { .. } | BodyFault::Coding { .. } => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
        }
        BodyFault::Encoded { .. } => (StatusCode::BAD_REQUEST, "malformed_encoding"),
    };
    let mut response = Problem::new(status, code)
        .detail(fault.to_string())
        .response(origin);
    // What to send instead: RFC 9110, section 15.5.16, and RFC 7694.
    let instead = match fault {
        BodyFault::MediaType { .. } => (header::ACCEPT, "application/json"),
        BodyFault::Coding { .. } => (header::ACCEPT_ENCODING, ACCEPTED_CODINGS),
        BodyFault::Upload(_) | BodyFault::Encoded { .. } => return response,
    };
    let (name, value) = instead;
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    response
}

/// A body that its client did not send as it should.
pub(super) fn upload_fault(fault: UploadFault, origin: &Origin) -> Response {
    let (status, code) = match fault {
        UploadFault::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        UploadFault::Broken => (StatusCode::BAD_REQUEST, "broken_body"),
        UploadFault::TooSlow => (StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
    };
    Problem::new(status, code)
        .detail(fault.to_string())
        .response(origin)
}
