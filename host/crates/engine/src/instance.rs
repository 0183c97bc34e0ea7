//! One live instantiation of a component: its own store, its own memory.

use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};

use wasmtime::component::Func;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::{p2, p3};

use super::code::{Code, FunctionIndex, HttpExport};
use super::fault::{Fault, TrapReport};
use super::link::LinkFailure;
use super::state::State;
use super::value::Val;
use super::watch::{Waits, watch};
use crate::capabilities::Granted;
use stoa_call::CallContext;
use stoa_call::turns;

/// What every instance of a revision is made with.
pub struct InstanceSettings {
    /// The service's name.
    pub service: Arc<str>,
    /// Linear memory of one instance, in bytes.
    pub memory: u64,
    /// Linear memory of all instances that are made with this, in bytes.
    pub memory_in_use: Arc<AtomicUsize>,
    /// What it may use.
    pub granted: Arc<Granted>,
}

/// An instance. It serves one call at a time; after a fault, or a call that was
/// dropped before its end, it must not be used again.
pub struct Instance {
    pub(super) store: Store<State>,
    pub(super) http: HttpHandler,
    /// Who is told when it waits for the host.
    pub(super) waits: Option<Weak<dyn Waits>>,
    code: Arc<Code>,
    instance: wasmtime::component::Instance,
    functions: Vec<Option<Func>>,
    calls: u64,
}

/// The component's own HTTP handler, looked up once.
pub(super) enum HttpHandler {
    None,
    P2(p2::bindings::Proxy),
    P3(Arc<p3::bindings::Service>),
}

impl Instance {
    /// Instantiates a component. `waits` is told when it waits for the host in a call.
    ///
    /// # Errors
    ///
    /// [`Fault::Instantiate`] when the engine is full or the guest's own
    /// initialisation fails.
    pub async fn new(
        code: &Arc<Code>,
        settings: &InstanceSettings,
        waits: Option<Weak<dyn Waits>>,
    ) -> Result<Self, Fault> {
        let instantiate = |error| Fault::Instantiate(TrapReport::new(error));
        let mut store = Store::new(code.pre.engine(), State::new(settings));
        store.limiter(|state| &mut state.memory);
        // A guest that computes hands the thread back at each tick of the epoch, and
        // goes on after all that is ready, once the sockets were looked at: a plain
        // yield would let guests alone take turns for dozens of ticks.
        store.epoch_deadline_callback(|_| {
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(turns::hand_back())))
        });
        store.set_epoch_deadline(1);
        let instance = code
            .pre
            .instantiate_async(&mut store)
            .await
            .map_err(instantiate)?;
        let http = match &code.http {
            HttpExport::None => HttpHandler::None,
            HttpExport::P2(indices) => {
                HttpHandler::P2(indices.load(&mut store, &instance).map_err(instantiate)?)
            }
            HttpExport::P3(indices) => HttpHandler::P3(Arc::new(
                indices.load(&mut store, &instance).map_err(instantiate)?,
            )),
        };
        let functions = vec![None; code.functions().len()];
        Ok(Self {
            store,
            http,
            waits,
            code: Arc::clone(code),
            instance,
            functions,
            calls: 0,
        })
    }

    /// Calls an exported function and fills `results`, whose length is the
    /// function's number of results.
    ///
    /// # Errors
    ///
    /// When the guest traps. The instance is spoiled then.
    pub async fn call(
        &mut self,
        function: FunctionIndex,
        context: &CallContext,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<(), Fault> {
        self.begin(context.clone());
        let function = self.function(function)?;
        // Pinned where it is made: it is too large to be moved.
        let called = {
            let guest = pin!(function.call_async(&mut self.store, params, results));
            watch(self.waits.as_ref(), guest).await
        };
        self.store.data_mut().finish_call();
        called.map_err(|error| self.fault(error))
    }

    /// Calls that it has begun.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Prepares the store for one call.
    pub(super) fn begin(&mut self, context: CallContext) {
        self.calls += 1;
        self.store.data_mut().capabilities.begin(context);
        self.store.set_epoch_deadline(1);
    }

    pub(super) fn function(&mut self, index: FunctionIndex) -> Result<Func, Fault> {
        if let Some(function) = self.functions[index.0] {
            return Ok(function);
        }
        let export = &self.code.function(index).index;
        let Some(function) = self.instance.get_func(&mut self.store, export) else {
            let error = wasmtime::format_err!("the function at {index:?} is not exported");
            return Err(Fault::Instantiate(TrapReport::new(error)));
        };
        self.functions[index.0] = Some(function);
        Ok(function)
    }

    pub(super) fn fault(&self, error: wasmtime::Error) -> Fault {
        self.store.data().fault(error)
    }
}

// === impl State ===

impl State {
    /// Tells a guest that ran out of memory, or whose call to another service failed,
    /// from one that crashed otherwise.
    pub(super) fn fault(&self, error: wasmtime::Error) -> Fault {
        let failure = error.downcast_ref::<LinkFailure>();
        let dependency = failure.map(|failure| failure.retry_after);
        let report = TrapReport::new(error);
        if let Some(retry_after) = dependency {
            return Fault::Dependency {
                report,
                retry_after,
            };
        }
        if self.memory.denied() {
            return Fault::Memory {
                limit: self.memory.limit(),
                report,
            };
        }
        Fault::Trap(report)
    }
}
