//! An instance that serves several calls of an async contract at the same time.
//!
//! Its store belongs to one task, which runs the store's event loop; calls come
//! to it as jobs. Calls of one instance share its fate: a trap ends them all,
//! which is why a pool shares instances only when its settings say so.

mod job;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{Accessor, Func};
use wasmtime_wasi_http::p3::bindings::Service;

use super::http::{GuestFate, ResponseBody};
use super::instance::HttpHandler;
use super::state::State;
use super::value::Val;
use super::{Fault, FunctionIndex, Instance};
pub use job::Call;
use job::{Job, Request};
use stoa_call::CallContext;
use watch::{Waiter, Watch};

/// Kept until the call has ended inside the guest, even when its caller is gone.
pub type Guard = Box<dyn Send>;

/// A handle of a running instance; the instance ends with its last handle.
#[derive(Clone)]
pub struct SharedInstance {
    jobs: mpsc::UnboundedSender<Job>,
    watch: Arc<Watch>,
    calls: Arc<AtomicU64>,
    fate: GuestFate,
}

impl SharedInstance {
    /// Gives an instance to a task of its own. `functions` is the number of
    /// functions that its code exports.
    ///
    /// # Errors
    ///
    /// When an exported function can't be found in the instance.
    pub fn start(mut instance: Instance, functions: usize) -> Result<Self, Fault> {
        let functions = (0..functions)
            .map(|index| instance.function(FunctionIndex(index)))
            .collect::<Result<Vec<_>, _>>()?;
        let (jobs, queue) = mpsc::unbounded_channel();
        let shared = Self {
            jobs,
            watch: Arc::default(),
            calls: Arc::default(),
            fate: GuestFate::default(),
        };
        let worker = Worker {
            instance,
            functions,
            watch: shared.watch.clone(),
            fate: shared.fate.clone(),
        };
        tokio::spawn(worker.run(queue));
        Ok(shared)
    }

    /// Whether it takes new calls.
    pub fn is_open(&self) -> bool {
        !self.jobs.is_closed() && !self.watch.is_condemned()
    }

    /// Calls that it has begun.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Calls an exported function.
    ///
    /// # Errors
    ///
    /// When the guest traps, in this call or in another of the same instance.
    pub async fn call(
        &self,
        guard: Guard,
        call: Call,
        context: CallContext,
    ) -> Result<Vec<Val>, Fault> {
        let (reply, replied) = oneshot::channel();
        let waiter = self.send(guard, context, Request::Call { call, reply })?;
        let replied = replied.await.unwrap_or(Err(Fault::InstanceLost));
        waiter.has_answer();
        replied
    }

    /// Passes a request to the component's HTTP handler.
    ///
    /// # Errors
    ///
    /// As for [`SharedInstance::call`], or when the handler answers with an error.
    pub async fn http<B>(
        &self,
        guard: Guard,
        request: http::Request<B>,
        context: CallContext,
    ) -> Result<http::Response<ResponseBody>, Fault>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<super::http::BodyError>,
    {
        use http_body_util::BodyExt;
        let (answer, answered) = oneshot::channel();
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        let waiter = self.send(guard, context, Request::Http { request, answer })?;
        let answered = answered.await;
        waiter.has_answer();
        match answered {
            Ok(answered) => {
                let response = super::http::response(answered)?;
                Ok(response.map(|body| ResponseBody::new(body).with_fate(self.fate.clone())))
            }
            Err(_) => Err(Fault::InstanceLost),
        }
    }

    fn send(&self, guard: Guard, context: CallContext, request: Request) -> Result<Waiter, Fault> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (ticket, waiter) = self.watch.enter(context.deadline);
        self.jobs
            .send(Job {
                request,
                context,
                ticket,
                _guard: guard,
            })
            .map_err(|_| Fault::InstanceLost)?;
        Ok(waiter)
    }
}

/// The task that owns the store.
struct Worker {
    instance: Instance,
    functions: Vec<Func>,
    watch: Arc<Watch>,
    fate: GuestFate,
}

impl Worker {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Job>) {
        let exports = Exports {
            functions: std::mem::take(&mut self.functions),
            http: match &self.instance.http {
                HttpHandler::P3(service) => Some(service.clone()),
                _ => None,
            },
        };
        let running = self.instance.store.run_concurrent(async |accessor| {
            let served = serve(accessor, &exports, &mut queue).await;
            // What comes from now on finds the door closed.
            queue.close();
            served
        });
        tokio::select! {
            ran = running => if let Err(error) = ran.flatten() {
                self.fate.fail();
                tracing::debug!(error = format!("{error:#}"), "a shared instance ended by a trap");
            },
            () = self.watch.expired() => {
                self.fate.fail();
                tracing::debug!("a shared instance was stopped at its calls' deadline, or left by all who called it");
            }
        }
    }
}

/// What a worker calls into.
struct Exports {
    functions: Vec<Func>,
    http: Option<Arc<Service>>,
}

async fn serve(
    accessor: &Accessor<State>,
    exports: &Exports,
    queue: &mut mpsc::UnboundedReceiver<Job>,
) -> wasmtime::Result<()> {
    let mut running = FuturesUnordered::new();
    let mut open = true;
    while open || !running.is_empty() {
        tokio::select! {
            job = queue.recv(), if open => match job {
                Some(job) => running.push(job.run(accessor, exports)),
                None => open = false,
            },
            Some(ended) = running.next(), if !running.is_empty() => {
                ended?;
                accessor.with(|mut access| access.data_mut().finish_call());
            }
        }
    }
    Ok(())
}

/// Far enough away to mean never.
fn never() -> Instant {
    Instant::now() + std::time::Duration::from_secs(365 * 24 * 3600)
}
