//! RFC 9457 problems.

use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{GatewayBody, Response};
use crate::origin::Origin;

/// What a client should wait before it tries again, in seconds, where no better
/// is known: bursts and restarts are over by then.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A problem in the making.
pub(super) struct Problem<'a> {
    pub(super) status: StatusCode,
    code: &'a str,
    detail: Option<String>,
    errors: Vec<(String, String)>,
    value: Option<Box<RawValue>>,
    retry: Option<HeaderValue>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    code: &'a str,
    trace_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Place<'a> {
    pointer: &'a str,
    detail: &'a str,
}

impl<'a> Problem<'a> {
    pub(super) fn new(status: StatusCode, code: &'a str) -> Self {
        Self {
            status,
            code,
            detail: None,
            errors: Vec::new(),
            value: None,
            retry: None,
        }
    }

    /// What happened, for people.
    pub(super) fn detail(self, detail: impl Into<String>) -> Self {
        let detail = Some(detail.into()).filter(|detail| !detail.is_empty());
        Self { detail, ..self }
    }

    /// Single faults: JSON pointer and what is wrong there.
    pub(super) fn errors(self, errors: Vec<(String, String)>) -> Self {
        Self { errors, ..self }
    }

    /// The payload of a service's own error, as JSON.
    pub(super) fn value(self, json: Vec<u8>) -> Self {
        let value = String::from_utf8(json)
            .ok()
            .and_then(|json| RawValue::from_string(json).ok());
        Self { value, ..self }
    }

    /// Trying again soon may work.
    pub(super) fn retry_after(self) -> Self {
        let retry = Some(RETRY_AFTER);
        Self { retry, ..self }
    }

    /// Trying again after this time may work. HTTP counts whole seconds.
    pub(super) fn retry_after_in(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let retry = HeaderValue::try_from(seconds.to_string()).ok();
        Self { retry, ..self }
    }

    pub(super) fn response(self, origin: &Origin) -> Response {
        let trace = origin.trace_id();
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.as_deref(),
            code: self.code,
            trace_id: &trace,
            errors: self
                .errors
                .iter()
                .map(|(pointer, detail)| Place { pointer, detail })
                .collect(),
            value: self.value.as_deref(),
        };
        let json = serde_json::to_vec(&document).expect("strings and numbers are always JSON");
        let mut response = Response::new(GatewayBody::whole(json));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(retry) = self.retry {
            headers.insert(header::RETRY_AFTER, retry);
        }
        response
    }
}
