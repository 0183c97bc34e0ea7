//! `stoa:service/context`: who calls, and under which conditions.
//!
//! The plain types of a call stand here too, since every way in makes a
//! [`CallContext`] and every capability may read it.

mod principal;
mod request_id;
mod tie;
mod trace;

pub use self::principal::Principal;
pub use self::request_id::RequestId;
pub use self::tie::Tie;
pub use self::trace::TraceContext;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::AsContextMut;
use wasmtime::component::{Access, Linker};

use self::bindings::stoa::service::context as contract;
use super::{CapabilitiesView, HasCapabilities, View};
use crate::conditions::Conditions;
use crate::settings::Priority;

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

/// The call that an instance serves. Clones share it: the engine sets it, the
/// capabilities and the instance's output read it.
///
/// There is one for an instance. An instance that serves several calls at once
/// tells them apart by [`View::current_call`].
#[derive(Debug, Clone)]
pub struct CurrentCall(Arc<Mutex<CallContext>>);

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit/stoa-service",
        inline: "
            package stoa:host;
            world imports {
                import stoa:service/types@0.1.0;
                import stoa:service/context@0.1.0;
            }
        ",
        imports: { default: store | trappable },
    });
}

pub(super) fn add_to_linker<T: View>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, HasCapabilities>(linker, T::capabilities)?;
    // Types only: there is nothing in it to link, but it shows as an import.
    linker.instance("stoa:service/types@0.1.0")?;
    Ok(())
}

// === impl CallContext ===

impl CallContext {
    /// A call that nobody asked for from outside: a warm-up, a schedule.
    pub fn new(deadline: Instant) -> Self {
        Self {
            principal: None,
            request_id: RequestId::new(),
            trace: TraceContext::root(),
            deadline,
            idempotency_key: None,
            conditions: None,
            depth: 0,
            priority: Priority::default(),
            tie: None,
        }
    }

    /// The context of a call that this one makes to another service, or to its own:
    /// the same caller, request, trace and deadline. Conditions of the client's
    /// request stay behind, as they are about the function that its route names.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            trace: self.trace.child(),
            idempotency_key: None,
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

// === impl CurrentCall ===

impl CurrentCall {
    /// An instance's first call.
    pub fn new(call: CallContext) -> Self {
        Self(Arc::new(Mutex::new(call)))
    }

    /// The instance serves `call` from now on.
    pub fn set(&self, call: CallContext) {
        *self.lock() = call;
    }

    /// The call that the instance serves.
    pub fn get(&self) -> CallContext {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, CallContext> {
        // Nothing runs under the lock but a move or a clone.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl HasCapabilities ===

impl contract::Host for CapabilitiesView<'_> {}

impl<T: View> contract::HostWithStore<T> for HasCapabilities {
    fn caller(store: Access<'_, T, Self>) -> wasmtime::Result<Option<contract::Principal>> {
        Ok(call_of(store)
            .principal
            .map(|principal| contract::Principal {
                subject: principal.subject.clone(),
                scopes: principal.scopes.clone(),
                claims: principal.claims.clone(),
            }))
    }

    fn request_id(store: Access<'_, T, Self>) -> wasmtime::Result<String> {
        Ok(call_of(store).request_id.to_string())
    }

    fn traceparent(store: Access<'_, T, Self>) -> wasmtime::Result<String> {
        Ok(call_of(store).trace.to_string())
    }

    fn region(mut store: Access<'_, T, Self>) -> wasmtime::Result<Option<String>> {
        Ok(store.get().ctx.granted.region.as_deref().map(str::to_owned))
    }

    fn remaining_ms(store: Access<'_, T, Self>) -> wasmtime::Result<u64> {
        let left = call_of(store).remaining();
        Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }

    fn idempotency_key(store: Access<'_, T, Self>) -> wasmtime::Result<Option<String>> {
        Ok(call_of(store).idempotency_key.as_deref().map(str::to_owned))
    }

    fn if_match(store: Access<'_, T, Self>) -> wasmtime::Result<Option<String>> {
        Ok(call_of(store)
            .conditions
            .and_then(|conditions| conditions.if_match()))
    }

    fn may_change(store: Access<'_, T, Self>, version: Option<u64>) -> wasmtime::Result<bool> {
        let conditions = call_of(store).conditions;
        Ok(conditions.is_none_or(|conditions| conditions.allow_change(version)))
    }
}

fn call_of<T: View>(mut store: Access<'_, T, HasCapabilities>) -> CallContext {
    T::current_call(store.as_context_mut())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_to_another_service_keeps_the_caller_but_not_the_conditions() {
        let first = CallContext {
            principal: Some(Arc::default()),
            idempotency_key: Some("k".into()),
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
        assert_eq!(next.depth, u8::MAX);
        assert_eq!(next.child().depth, u8::MAX, "depth never wraps");
        assert!(
            next.tie.is_none(),
            "it may not say that the client's call has begun"
        );
        assert!(next.is_nested() && !CallContext::new(Instant::now()).is_nested());
    }
}
