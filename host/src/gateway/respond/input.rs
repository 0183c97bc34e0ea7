//! What a client is told of its own request's content.

use http::StatusCode;

use super::problem::Problem;
use super::{BodyFault, InputFault, Response};
use crate::gateway::origin::Origin;
use crate::gateway::transcode::{FaultKind, Place};
use crate::mesh::UploadFault;

/// A body, or a parameter, that is not what the function takes.
pub(super) fn input_fault(fault: InputFault, origin: &Origin) -> Response {
    let (status, code) = match fault.kind {
        FaultKind::Syntax => (StatusCode::BAD_REQUEST, "malformed_json"),
        FaultKind::Path => (StatusCode::BAD_REQUEST, "bad_path_parameter"),
        FaultKind::Query => (StatusCode::BAD_REQUEST, "bad_query_parameter"),
        FaultKind::Shape => (StatusCode::UNPROCESSABLE_ENTITY, "bad_shape"),
    };
    let problem = Problem::new(status, code).detail(fault.to_string());
    match fault.place {
        Place::Body { pointer } => problem
            .errors(vec![(pointer, fault.message)])
            .response(origin),
        Place::Path { .. } | Place::Query { .. } => problem.response(origin),
    }
}

/// A body that could not be used.
pub(super) fn body_fault(fault: &BodyFault, origin: &Origin) -> Response {
    match fault {
        BodyFault::Upload(fault) => upload_fault(*fault, origin),
        BodyFault::MediaType { .. } => {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Problem::new(status, "unsupported_media_type")
                .detail(fault.to_string())
                .response(origin)
        }
    }
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
