//! `stoa:service/context`: who calls, and under which conditions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use wasmtime::AsContextMut;
use wasmtime::component::{Access, Linker};

use self::bindings::stoa::service::context as contract;
use super::{CapabilitiesView, HasCapabilities, View};
use stoa_call::CallContext;

/// The call that an instance serves. Clones share it: the engine sets it, the
/// capabilities and the instance's output read it.
///
/// There is one for an instance. An instance that serves several calls at once
/// tells them apart by [`View::current_call`].
#[derive(Debug, Clone)]
pub struct CurrentCall(Arc<Mutex<CallContext>>);

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/stoa-service",
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

    fn enqueued_at(store: Access<'_, T, Self>) -> wasmtime::Result<Option<u64>> {
        let since_epoch = call_of(store).enqueued.map(|enqueued| {
            let since_epoch = enqueued.duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
        });
        Ok(since_epoch)
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
