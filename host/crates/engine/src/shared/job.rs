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

/// A call of an exported function.
pub struct Call {
    /// The function.
    pub function: FunctionIndex,
    /// What it is given.
    pub params: Vec<Val>,
    /// How many results it has.
    pub results: usize,
}

/// What is asked.
pub(super) enum Request {
    Call {
        call: Call,
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
            Request::Call { call, reply } => {
                let called = run(accessor, exports, call, self.context).await;
                let (reply_with, outcome) = match called {
                    Ok(values) => (Ok(values), Ok(())),
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
                let asked = p3::Asked {
                    request,
                    context: Some(self.context),
                    answer,
                };
                let body_taken = p3::handle(accessor, service, asked).await?;
                let _ = body_taken.await;
                Ok(())
            }
        }
    }
}

async fn run(
    accessor: &Accessor<State>,
    exports: &Exports,
    call: Call,
    context: CallContext,
) -> wasmtime::Result<Vec<Val>> {
    let function = exports.functions[call.function.0];
    let mut values = vec![Val::Bool(false); call.results];
    let (running, task) = accessor.with(|mut access| {
        let mut store = access.as_context_mut();
        store.set_epoch_deadline(1);
        let running = function.start_call_concurrent(&mut store, &call.params, &mut values)?;
        let task = running.task();
        store.data_mut().enter(task, context);
        wasmtime::error::Ok((running, task))
    })?;
    let finished = function.finish_call_concurrent(accessor, running).await;
    accessor.with(|mut access| access.data_mut().leave(task));
    finished.map(|()| values)
}
