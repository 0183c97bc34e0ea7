//! What is known of one call.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use stoa_settings::Priority;

use crate::{Principal, RequestId, Tie, TraceContext};
use stoa_http::conditions::Conditions;

/// What is known of one call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The authenticated caller.
    pub principal: Option<Arc<Principal>>,
    /// The request's id; one for all calls that a request leads to.
    pub request_id: RequestId,
    /// This call's place in its trace.
    pub trace: TraceContext,
    /// When the host stops the call.
    pub deadline: Instant,
    /// The client's `Idempotency-Key` header.
    pub idempotency_key: Option<Arc<str>>,
    /// When a queue kept it that now delivers it.
    pub enqueued: Option<SystemTime>,
    /// What the client says of the version that it means, if anything.
    pub conditions: Option<Arc<Conditions>>,
    /// Calls between services that led here; 0 for the first.
    pub depth: u8,
    /// How much it matters when not all calls can be served.
    pub priority: Priority,
    /// To the client that waits for its answer. Calls that it makes have none: they end
    /// with it.
    pub tie: Option<Tie>,
}

impl CallContext {
    /// A call that nobody asked for from outside: a warm-up, a schedule.
    pub fn new(deadline: Instant) -> Self {
        Self {
            principal: None,
            request_id: RequestId::new(Instant::now()),
            trace: TraceContext::root(),
            deadline,
            idempotency_key: None,
            enqueued: None,
            conditions: None,
            depth: 0,
            priority: Priority::default(),
            tie: None,
        }
    }

    /// The context of a call that this one makes to another service, or to its own:
    /// the same caller, request, trace and deadline. Conditions of the client's
    /// request stay behind, as they are about the function that its route names, and so
    /// does when it was kept.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            trace: self.trace.child(),
            idempotency_key: None,
            enqueued: None,
            conditions: None,
            depth: self.depth.saturating_add(1),
            tie: None,
            ..self.clone()
        }
    }

    /// Whether it was made from inside another call: refused for load, what that one has
    /// done so far would be for nothing.
    pub fn is_nested(&self) -> bool {
        self.depth > 0
    }

    /// Time until the host stops the call.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_to_another_service_keeps_the_caller_but_not_the_conditions() {
        let first = CallContext {
            principal: Some(Arc::default()),
            idempotency_key: Some("k".into()),
            enqueued: Some(SystemTime::now()),
            conditions: Some(Arc::default()),
            depth: u8::MAX - 1,
            priority: Priority::High,
            tie: Some(Tie::default()),
            ..CallContext::new(Instant::now())
        };
        let next = first.child();
        assert_eq!(next.principal, first.principal);
        assert_eq!(next.request_id, first.request_id);
        assert_eq!(next.priority, Priority::High);
        assert_eq!(
            (next.trace.trace_id, next.deadline),
            (first.trace.trace_id, first.deadline)
        );
        assert_ne!(next.trace.span_id, first.trace.span_id);
        assert_eq!(
            (next.idempotency_key.clone(), next.conditions.clone()),
            (None, None)
        );
        assert_eq!(next.enqueued, None);
        assert_eq!(next.depth, u8::MAX);
        assert_eq!(next.child().depth, u8::MAX, "depth never wraps");
        assert!(
            next.tie.is_none(),
            "it may not say that the client's call has begun"
        );
        assert!(next.is_nested() && !CallContext::new(Instant::now()).is_nested());
    }
}
