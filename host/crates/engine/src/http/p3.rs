//! `wasi:http/handler@0.3`.
//!
//! The store's event loop moves the body, so it runs until the body's last frame
//! is taken, even when the guest's own code has ended.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::{Answered, BodyError, Leased};
use crate::Fault;
use crate::state::State;
use crate::watch::watch;
use stoa_call::CallContext;

pub(super) async fn run<L, B>(
    mut lease: L,
    service: Arc<Service>,
    request: http::Request<B>,
    answer: oneshot::Sender<Answered>,
) -> (L, Result<(), Fault>)
where
    L: Leased,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let instance = &mut *lease;
    let ran = {
        // Pinned where it is made: it is too large to be moved.
        let guest = pin!(instance.store.run_concurrent(async |accessor| {
            let asked = Asked {
                request,
                context: None,
                answer,
            };
            let body_taken = handle(accessor, &service, asked).await?;
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            // Closed when the body was taken whole, or dropped by the client.
            let _ = body_taken.await;
            Ok(())
        }));
        watch(instance.waits.as_ref(), guest).await
    };
    instance.store.data_mut().finish_call();
    let outcome = ran.flatten().map_err(|error| instance.fault(error));
    (lease, outcome)
}

/// Tells the guest what became of its request's body.
type Transmitted = Pin<Box<dyn Future<Output = Result<(), BodyError>> + Send>>;

/// What a handler is asked.
pub(crate) struct Asked<B> {
    pub(crate) request: http::Request<B>,
    /// Given where the instance serves several calls.
    pub(crate) context: Option<CallContext>,
    /// Where its answer goes.
    pub(crate) answer: oneshot::Sender<Answered>,
}

/// Runs the handler up to its answer; the receiver closes when the body has left.
pub(crate) async fn handle<B>(
    accessor: &Accessor<State>,
    service: &Service,
    asked: Asked<B>,
) -> wasmtime::Result<oneshot::Receiver<()>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let Asked {
        request,
        context,
        answer,
    } = asked;
    let function = service.wasi_http_handler().func_handle();
    let (call, transmitted) = accessor.with(|mut access| {
        let view = access.data_mut().http();
        let (request, transmitted) = Request::from_http(view.hooks, request);
        let transmitted: Transmitted = Box::pin(transmitted);
        let request = view.table.push(request)?;
        let call = function.start_call_concurrent(&mut access, (request,))?;
        if let Some(context) = context {
            access.data_mut().enter(call.task(), context);
        }
        wasmtime::error::Ok((call, transmitted))
    })?;
    let task = call.task();
    let (answered,) = function.finish_call_concurrent(accessor, call).await?;
    let (taken, body_taken) = oneshot::channel();
    let answered = accessor.with(|mut access| {
        access.data_mut().leave(task);
        answered.map(|response| {
            let response = access.data_mut().http().table.delete(response)?;
            response.into_http_with_getter(&mut access, transmitted, State::http)
        })
    });
    let answered = match answered {
        Ok(response) => Ok(response?.map(|body| {
            Tracked {
                body,
                _taken: taken,
            }
            .boxed_unsync()
        })),
        Err(code) => Err(format!("{code:?}")),
    };
    // The client may be gone.
    let _ = answer.send(answered);
    Ok(body_taken)
}

/// A body that tells by its end or drop that nobody reads it any more.
struct Tracked {
    body: WasiBody,
    _taken: oneshot::Sender<()>,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
