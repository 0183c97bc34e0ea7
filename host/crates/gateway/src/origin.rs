//! Where a request comes from: its id and its trace.

use std::sync::Arc;
use std::time::Instant;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use stoa_call::conditions::Conditions;
use stoa_call::{CallContext, Principal, RequestId, TraceContext};
use stoa_settings::Priority;

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
    id_header: Option<HeaderValue>,
}

impl Origin {
    /// Continues the client's trace, or begins one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let trace = text(headers, &TRACEPARENT)
            .and_then(TraceContext::parse)
            .map_or_else(TraceContext::root, |parent| parent.child());
        let request_id = text(headers, &REQUEST_ID)
            .and_then(RequestId::parse)
            .unwrap_or_else(RequestId::new);
        let id_header = HeaderValue::try_from(request_id.to_string()).ok();
        Self {
            request_id,
            trace,
            id_header,
        }
    }

    /// The trace's id as logs and problems write it.
    pub(super) fn trace_id(&self) -> String {
        format!("{:032x}", self.trace.trace_id)
    }

    /// The request's id as a header.
    pub(super) fn id_header(&self) -> Option<HeaderValue> {
        self.id_header.clone()
    }

    /// The context of the call that this request becomes.
    pub(super) fn context(
        &self,
        headers: &HeaderMap,
        principal: Option<Arc<Principal>>,
        deadline: Instant,
        priority: Priority,
    ) -> CallContext {
        let context = CallContext {
            principal,
            request_id: self.request_id.clone(),
            trace: self.trace,
            deadline,
            idempotency_key: None,
            conditions: None,
            depth: 0,
            priority,
            tie: None,
        };
        with_conditions(headers, context)
    }
}

/// The call with what its request asks of it.
pub(super) fn with_conditions(headers: &HeaderMap, context: CallContext) -> CallContext {
    CallContext {
        idempotency_key: text(headers, &IDEMPOTENCY_KEY).map(Arc::from),
        conditions: Some(Conditions::of(headers))
            .filter(|conditions| !conditions.is_empty())
            .map(Arc::new),
        ..context
    }
}

/// A header's value, if it is short and printable.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    (!value.is_empty() && value.len() <= LONGEST).then_some(value)
}
