//! What a store holds for its instance: the capabilities' state and its limits.

use std::collections::HashMap;
use std::time::Instant;

use wasmtime::StoreContextMut;
use wasmtime::component::{GuestTaskId, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::InstanceSettings;
use super::memory::MemoryLimit;
use super::outbound::Outbound;
use crate::capabilities::context::CurrentCall;
use crate::capabilities::logging::{Output, Stream};
use crate::capabilities::{Capabilities, CapabilitiesView, View};
use stoa_call::CallContext;

/// Resources (streams, buckets, requests …) that an instance may hold at a time.
/// A guest that leaks them meets this and is replaced.
const RESOURCES: usize = 10_000;

/// The data of a store.
pub(super) struct State {
    pub(super) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    pub(super) capabilities: Capabilities,
    pub(super) memory: MemoryLimit,
    /// Standard output and error, whose last line may lack its end.
    outputs: [Output; 2],
    /// Calls under way in a shared instance, by their task.
    shared_calls: HashMap<GuestTaskId, CallContext>,
}

impl State {
    /// Linking is not granting: the WASI context has no folder, no socket and no
    /// variable; standard output goes to the log.
    pub(super) fn new(settings: &InstanceSettings) -> Self {
        let granted = &settings.granted;
        let call = CurrentCall::new(CallContext::new(Instant::now()));
        let output = |stream| Output::new(stream, granted.log.clone(), call.clone());
        let outputs = [output(Stream::Stdout), output(Stream::Stderr)];
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        let wasi = WasiCtx::builder()
            .stdout(outputs[0].clone())
            .stderr(outputs[1].clone())
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        Self {
            table,
            wasi,
            http: WasiHttpCtx::new(),
            outbound: Outbound::new(granted.outgoing.clone(), call.clone()),
            capabilities: Capabilities::new(granted.clone(), call.clone()),
            memory: MemoryLimit::new(settings.memory, settings.memory_in_use.clone()),
            outputs,
            shared_calls: HashMap::new(),
        }
    }

    /// A call has ended: logs what it wrote without an end of line, so that the next one
    /// does not continue it, and forgets what it told queues and wrote nothing for.
    pub(super) fn finish_call(&mut self) {
        self.outputs.iter().for_each(Output::finish_line);
        self.capabilities.outbox.clear();
    }

    /// Notes whose call a task of a shared instance is.
    pub(super) fn enter(&mut self, task: GuestTaskId, context: CallContext) {
        self.capabilities.call.set(context.clone());
        self.capabilities.outbox.refuse();
        self.shared_calls.insert(task, context);
    }

    /// Forgets a task that has ended.
    pub(super) fn leave(&mut self, task: GuestTaskId) {
        self.shared_calls.remove(&task);
    }
}

/// The call that the guest is in, also when its instance serves several.
pub(super) fn current_call(mut store: StoreContextMut<'_, State>) -> CallContext {
    if !store.data().shared_calls.is_empty()
        && let Ok(tasks) = store.async_call_stack().map(Iterator::collect::<Vec<_>>)
        && let Some(context) = tasks
            .iter()
            .find_map(|task| store.data().shared_calls.get(task))
    {
        return context.clone();
    }
    store.data().capabilities.call.get()
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outbound,
        }
    }
}

impl View for State {
    fn capabilities(&mut self) -> CapabilitiesView<'_> {
        CapabilitiesView {
            ctx: &mut self.capabilities,
            table: &mut self.table,
        }
    }

    fn current_call(store: StoreContextMut<'_, Self>) -> CallContext {
        current_call(store)
    }
}
