//! Whose request it is: its id, its trace and its principal.

use std::sync::Arc;
use std::time::Instant;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::capabilities::context::{CallContext, Principal, RequestId, TraceContext};
use crate::service::settings::Access;

/// `x-request-id`.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C trace context.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest request id, idempotency key and the like that is taken from a client, in bytes.
const LONGEST: usize = 255;

/// Where a request comes from.
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
    ) -> CallContext {
        CallContext {
            principal,
            request_id: self.request_id.clone(),
            trace: self.trace,
            deadline,
            idempotency_key: text(headers, &IDEMPOTENCY_KEY).map(Arc::from),
            if_match: text(headers, &header::IF_MATCH).map(|tag| Arc::from(tag.trim_matches('"'))),
            depth: 0,
        }
    }
}

/// The route wants to know who calls, and the request does not say it.
#[derive(Debug)]
pub(super) struct Unauthenticated;

/// Who calls, if the route may be used by them.
///
/// The operator's token is the one identity that this host knows; it has every scope.
pub(super) fn authorize(
    access: &Access,
    headers: &HeaderMap,
    operator_token: &str,
) -> Result<Option<Arc<Principal>>, Unauthenticated> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return match access {
            Access::Public => Ok(None),
            Access::Authenticated | Access::Scope(_) => Err(Unauthenticated),
        };
    };
    let given = value
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::trim);
    // Compared by hash: how long it takes tells nothing of the token.
    let known = given.is_some_and(|given| {
        blake3::hash(given.as_bytes()) == blake3::hash(operator_token.as_bytes())
    });
    match (known, access) {
        (true, Access::Scope(scope)) => Ok(Some(operator(vec![scope.clone()]))),
        (true, _) => Ok(Some(operator(Vec::new()))),
        // The header may be meant for the component.
        (false, Access::Public) => Ok(None),
        (false, _) => Err(Unauthenticated),
    }
}

fn operator(scopes: Vec<String>) -> Arc<Principal> {
    Arc::new(Principal {
        subject: "operator".to_owned(),
        scopes,
        claims: Vec::new(),
    })
}

/// A header's value, if it is short and printable.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    (!value.is_empty() && value.len() <= LONGEST).then_some(value)
}
