//! Where a request comes from: its id and its trace.

use std::sync::Arc;
use std::time::Instant;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use stoa_call::{RequestId, TraceContext};
use stoa_http::conditions::Conditions;

/// `x-request-id`.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C trace context.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest request id, idempotency key and the like that is taken from a client, in bytes.
const LONGEST: usize = 255;

/// Where a request comes from.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) request_id: RequestId,
    pub(super) trace: TraceContext,
}

impl Origin {
    /// Continues the client's trace, or begins one, for a request that `began` then.
    pub(super) fn of(headers: &HeaderMap, began: Instant) -> Self {
        let trace = text(headers, &TRACEPARENT)
            .and_then(TraceContext::parse)
            .map_or_else(TraceContext::root, |parent| parent.child());
        let request_id = text(headers, &REQUEST_ID)
            .and_then(RequestId::parse)
            .unwrap_or_else(|| RequestId::new(began));
        Self { request_id, trace }
    }

    /// The trace's id as logs and problems write it.
    pub(super) fn trace_id(&self) -> String {
        format!("{:032x}", self.trace.trace_id)
    }

    /// The request's id as a header.
    pub(super) fn id_header(&self) -> Option<HeaderValue> {
        self.request_id.to_header()
    }
}

/// The client's `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Option<Arc<str>> {
    text(headers, &IDEMPOTENCY_KEY).map(Arc::from)
}

/// What a request says of the version that it is about.
pub(super) fn conditions(headers: &HeaderMap) -> Option<Arc<Conditions>> {
    let conditions = Conditions::of(headers);
    (!conditions.is_empty()).then(|| Arc::new(conditions))
}

/// A header's value, if it is short and printable.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    (!value.is_empty() && value.len() <= LONGEST).then_some(value)
}
