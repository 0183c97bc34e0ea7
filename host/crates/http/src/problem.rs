//! Problem documents, RFC 9457: what went wrong, for programs and for people.
//!
//! Their extension members (section 3.2) are `code`, a short name of the kind of problem,
//! and `trace_id`, by which its request is found; where they apply, `errors`, the single
//! faults of the input, and `value`, what a service says itself.

use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

/// What a client should wait before it tries again, in seconds, where no better
/// is known: bursts and restarts are over by then.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A problem in the making. Its `type` is `about:blank`, so its title is its status's
/// (section 4.2.1).
#[derive(Debug)]
pub struct Problem<'a> {
    status: StatusCode,
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
    errors: Vec<InputError<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct InputError<'a> {
    pointer: &'a str,
    detail: &'a str,
}

impl<'a> Problem<'a> {
    /// A problem of a kind that programs know by its `code`.
    pub fn new(status: StatusCode, code: &'a str) -> Self {
        Self {
            status,
            code,
            detail: None,
            errors: Vec::new(),
            value: None,
            retry: None,
        }
    }

    /// The status that it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What happened, for people.
    pub fn detail(self, detail: impl Into<String>) -> Self {
        let detail = Some(detail.into()).filter(|detail| !detail.is_empty());
        Self { detail, ..self }
    }

    /// Single faults: JSON pointer and what is wrong there.
    pub fn errors(self, errors: Vec<(String, String)>) -> Self {
        Self { errors, ..self }
    }

    /// The payload of a service's own error, as JSON.
    pub fn value(self, json: Vec<u8>) -> Self {
        let value = String::from_utf8(json)
            .ok()
            .and_then(|json| RawValue::from_string(json).ok());
        Self { value, ..self }
    }

    /// Trying again soon may work.
    pub fn retry_after(self) -> Self {
        let retry = Some(RETRY_AFTER);
        Self { retry, ..self }
    }

    /// Trying again after this time may work. HTTP counts whole seconds (RFC 9110
    /// section 10.2.3).
    pub fn retry_after_in(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let retry = HeaderValue::try_from(seconds.to_string()).ok();
        Self { retry, ..self }
    }

    /// Its response to a request of this trace.
    pub fn into_response(self, trace_id: &str) -> Response<Vec<u8>> {
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.as_deref(),
            code: self.code,
            trace_id,
            errors: self
                .errors
                .iter()
                .map(|(pointer, detail)| InputError { pointer, detail })
                .collect(),
            value: self.value.as_deref(),
        };
        let json = serde_json::to_vec(&document).expect("strings and numbers are always JSON");
        let mut response = Response::new(json);
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document(problem: Problem<'_>) -> (http::response::Parts, Value) {
        let (head, body) = problem.into_response("7").into_parts();
        (head, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn a_problem_says_what_is_known_and_no_more() {
        let (head, bare) = document(Problem::new(StatusCode::CONFLICT, "taken").detail(""));
        assert_eq!(head.status, StatusCode::CONFLICT);
        assert_eq!(
            head.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert!(!head.headers.contains_key(header::RETRY_AFTER));
        let expected = json!({
            "type": "about:blank", "title": "Conflict", "status": 409, "code": "taken", "trace_id": "7",
        });
        assert_eq!(bare, expected);
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid")
            .detail("two faults")
            .errors(vec![("/a".to_owned(), "expected b".to_owned())])
            .value(b"{\"c\":1}".to_vec());
        let (_, full) = document(problem);
        assert_eq!(full["detail"], "two faults");
        assert_eq!(
            full["errors"],
            json!([{ "pointer": "/a", "detail": "expected b" }])
        );
        assert_eq!(full["value"], json!({ "c": 1 }));
    }

    #[test]
    fn who_should_wait_is_told_whole_seconds() {
        let wait = |problem: Problem<'_>| document(problem).0.headers[header::RETRY_AFTER].clone();
        let problem = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "later");
        assert_eq!(wait(problem().retry_after()), "1");
        assert_eq!(wait(problem().retry_after_in(Duration::ZERO)), "1");
        assert_eq!(
            wait(problem().retry_after_in(Duration::from_millis(1001))),
            "2"
        );
    }
}
