//! One call in a shared instance.

use tokio::sync::oneshot;
use wasmtime::AsContextMut;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::WasiBody;

use super::watch::Ticket;
use super::{Exports, Guard};
use crate::Fault;
use crate::FunctionIndex;
use crate::http::p3;
use crate::state::State;
use crate::value::Val;
use stoa_call::CallContext;

/// A call that waits for, or runs in, a shared instance.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) context: CallContext,
    pub(super) ticket: Ticket,
    pub(super) _guard: Guard,
}

/// What is asked.
pub(super) enum Request {
    Call {
        function: FunctionIndex,
        params: Vec<Val>,
        results: usize,
        reply: oneshot::Sender<Result<Vec<Val>, Fault>>,
    },
    Http {
        request: http::Request<WasiBody>,
        answer: oneshot::Sender<Result<http::Response<WasiBody>, String>>,
    },
}

impl Job {
    /// Runs the call to its end. An error has spoiled the whole instance.
    pub(super) async fn run(
        self,
        accessor: &Accessor<State>,
        exports: &Exports,
    ) -> wasmtime::Result<()> {
        let _ticket = self.ticket;
        match self.request {
            Request::Call {
                function,
                params,
                results,
                reply,
            } => {
                let mut values = vec![Val::Bool(false); results];
                let called = call(
                    accessor,
                    exports,
                    function,
                    self.context,
                    &params,
                    &mut values,
                )
                .await;
                let (reply_with, outcome) = match called {
                    Ok(()) => (Ok(values), Ok(())),
                    Err(error) => {
                        let summary = wasmtime::format_err!("{error:#}");
                        let fault = accessor.with(|mut access| access.data_mut().fault(error));
                        (Err(fault), Err(summary))
                    }
                };
                // The caller may have gone at its deadline.
                let _ = reply.send(reply_with);
                outcome
            }
            Request::Http { request, answer } => {
                let Some(service) = &exports.http else {
                    let _ = answer.send(Err(
                        "the component exports no wasi:http 0.3 handler".to_owned()
                    ));
                    return Ok(());
                };
                let body_taken =
                    p3::handle(accessor, service, request, Some(self.context), answer).await?;
                let _ = body_taken.await;
                Ok(())
            }
        }
    }
}

async fn call(
    accessor: &Accessor<State>,
    exports: &Exports,
    function: FunctionIndex,
    context: CallContext,
    params: &[Val],
    values: &mut [Val],
) -> wasmtime::Result<()> {
    let function = exports.functions[function.0];
    let (call, task) = accessor.with(|mut access| {
        let mut store = access.as_context_mut();
        store.set_epoch_deadline(1);
        let call = function.start_call_concurrent(&mut store, params, values)?;
        let task = call.task();
        store.data_mut().enter(task, context);
        wasmtime::error::Ok((call, task))
    })?;
    let finished = function.finish_call_concurrent(accessor, call).await;
    accessor.with(|mut access| access.data_mut().leave(task));
    finished
}
