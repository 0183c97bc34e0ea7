//! Refusals of callers, with the challenge that RFC 6750 section 3 asks for.

use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderValue};

use super::Response;
use super::problem::{Problem, Traced as _};
use crate::identity::Denied;
use crate::origin::Origin;
use stoa_http::rate_limit::seconds;

pub(super) fn response(denied: &Denied, origin: &Origin) -> Response {
    let (status, code, detail, challenge) = match denied {
        Denied::Missing => (
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "the route asks for a bearer token or an API key".to_owned(),
            // Without a credential there is no error to speak of.
            Some("Bearer realm=\"stoa\"".to_owned()),
        ),
        Denied::Invalid(reason) => (
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            (*reason).to_owned(),
            Some(format!(
                "Bearer realm=\"stoa\", error=\"invalid_token\", error_description=\"{reason}\""
            )),
        ),
        Denied::Scope(scope) => (
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            format!("the route asks for the scope {scope:?}, which the caller does not have"),
            Some(format!(
                "Bearer realm=\"stoa\", error=\"insufficient_scope\", scope=\"{scope}\""
            )),
        ),
        Denied::Unchecked(reason) => {
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stale_keys")
                .detail(*reason)
                .retry_after()
                .response(origin);
        }
        Denied::Certificate(ended) => (
            StatusCode::UNAUTHORIZED,
            "invalid_certificate",
            ended.to_string(),
            Some("Bearer realm=\"stoa\"".to_owned()),
        ),
        Denied::Ambiguous(expected) => (
            StatusCode::BAD_REQUEST,
            "bad_request",
            (*expected).to_owned(),
            None,
        ),
    };
    let mut response = Problem::new(status, code).detail(detail).response(origin);
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A caller that has used up its limit, and should wait this long.
pub(super) fn too_many_requests(wait: Duration, origin: &Origin) -> Response {
    let wait = seconds(wait).max(1);
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests");
    let mut response = problem
        .detail(format!(
            "the limit of requests is used up: try again in {wait} s"
        ))
        .response(origin);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(wait));
    response
}
