//! Imports of a component that other services meet.
//!
//! A link defines each function of an imported interface in the component's
//! linker. A call of it leaves the caller's store with its arguments as values
//! and goes to a [`LinkTarget`], which the mesh provides.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Linker, LinkerInstance, Val};
use wasmtime::{AsContextMut, StoreContextMut};

use super::state::{State, current_call};
use stoa_call::CallContext;
use stoa_store::Append;

/// Where the calls of a link go.
pub trait LinkTarget: Send + Sync + 'static {
    /// Calls function number `function` of the link's list and fills `results`.
    ///
    /// An `Err` traps the caller; a target that can say it in the function's own
    /// error type returns that as a value.
    fn call<'a>(
        &'a self,
        function: usize,
        context: CallContext,
        params: &'a [Val],
        results: &'a mut [Val],
    ) -> BoxFuture<'a, Result<(), LinkFailure>>;

    /// What the call would have a queue keep, where that is all that it does: the caller
    /// wants it kept together with a write. Fills `results` as if it were kept.
    fn held(
        &self,
        _function: usize,
        _context: &CallContext,
        _params: &[Val],
        _results: &mut [Val],
    ) -> Option<Result<Append, LinkFailure>> {
        None
    }
}

/// An imported interface that a service meets.
pub struct Link {
    /// As the component imports it, with its version.
    pub interface: String,
    /// Its functions, in the target's order.
    pub functions: Vec<LinkedFunction>,
    /// Who answers.
    pub target: Arc<dyn LinkTarget>,
}

/// A function of a link.
pub struct LinkedFunction {
    /// Its name.
    pub name: String,
    /// Whether the import is an `async func`.
    pub asynchronous: bool,
}

/// Why a call over a link failed: ends the guest, but is not its fault.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct LinkFailure {
    /// For the log.
    pub reason: String,
    /// When the one that was called may take calls again, if it took none just now.
    pub retry_after: Option<Duration>,
}

/// Defines a link's functions for a component.
pub(super) fn define(linker: &mut Linker<State>, link: Link) -> wasmtime::Result<()> {
    let mut instance = linker.instance(&link.interface)?;
    for (number, function) in link.functions.iter().enumerate() {
        let target = link.target.clone();
        if function.asynchronous {
            define_async(&mut instance, &function.name, number, target)?;
        } else {
            define_sync(&mut instance, &function.name, number, target)?;
        }
    }
    Ok(())
}

/// The callee runs within the caller's call, on the same task.
fn define_sync(
    instance: &mut LinkerInstance<'_, State>,
    name: &str,
    number: usize,
    target: Arc<dyn LinkTarget>,
) -> wasmtime::Result<()> {
    instance.func_new_async(name, move |mut store, _: ComponentFunc, params, results| {
        let target = target.clone();
        let held = hold(store.as_context_mut(), |context| {
            target.held(number, context, params, results)
        });
        let context = match held {
            Ok(context) => context,
            Err(held) => return Box::new(std::future::ready(held)),
        };
        Box::new(async move {
            target
                .call(number, context, params, results)
                .await
                .map_err(wasmtime::Error::new)
        }) as Box<dyn Future<Output = wasmtime::Result<()>> + Send + '_>
    })
}

/// Puts aside what a queue would keep, where the caller wants that; else the context of its
/// call.
fn hold(
    mut store: StoreContextMut<'_, State>,
    held: impl FnOnce(&CallContext) -> Option<Result<Append, LinkFailure>>,
) -> Result<CallContext, wasmtime::Result<()>> {
    let context = current_call(store.as_context_mut());
    if !store.data().capabilities.outbox.is_held() {
        return Ok(context);
    }
    match held(&context) {
        None => Ok(context),
        Some(Err(failure)) => Err(Err(wasmtime::Error::new(failure))),
        Some(Ok(append)) => {
            let put = store.data_mut().capabilities.outbox.put(append);
            Err(put.map_err(wasmtime::Error::msg))
        }
    }
}

/// The callee runs on a task of its own: its store's event loop must not run
/// inside the caller's.
fn define_async(
    instance: &mut LinkerInstance<'_, State>,
    name: &str,
    number: usize,
    target: Arc<dyn LinkTarget>,
) -> wasmtime::Result<()> {
    instance.func_new_concurrent(name, move |accessor, _: ComponentFunc, params, results| {
        let target = target.clone();
        let held = accessor.with(|mut access| {
            hold(access.as_context_mut(), |context| {
                target.held(number, context, params, results)
            })
        });
        let context = match held {
            Ok(context) => context,
            Err(held) => {
                return Box::pin(std::future::ready(held))
                    as Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send + '_>>;
            }
        };
        let params = params.to_vec();
        let mut values = results.to_vec();
        let called = wasmtime_wasi::runtime::spawn(async move {
            let called = target.call(number, context, &params, &mut values).await;
            called.map(|()| values)
        });
        Box::pin(async move {
            let values = called.await.map_err(wasmtime::Error::new)?;
            for (slot, value) in results.iter_mut().zip(values) {
                *slot = value;
            }
            Ok(())
        }) as Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send + '_>>
    })
}
