//! `wasi:http/incoming-handler@0.2` as an import. A component can't make the request
//! that this takes, nor read its answer: it can pass on the one that it got, with where
//! to answer, or answer itself.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, HostIncomingRequest as _, Scheme};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostIncomingBodyStream};
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::HandlerLink;
use crate::http::{BodyError, WasiBody};
use crate::state::{State, current_call};

/// Bytes of a body that are passed on at a time.
const CHUNK: usize = 64 << 10;

type Params = (
    Resource<HostIncomingRequest>,
    Resource<HostResponseOutparam>,
);

pub(super) fn define(
    instance: &mut LinkerInstance<'_, State>,
    link: Arc<HandlerLink>,
) -> wasmtime::Result<()> {
    instance.func_wrap_async(
        "handle",
        move |store: StoreContextMut<'_, State>, params: Params| {
            let link = link.clone();
            Box::new(async move { handle(store, params, &link).await })
                as Box<dyn Future<Output = wasmtime::Result<()>> + Send + '_>
        },
    )
}

async fn handle(
    mut store: StoreContextMut<'_, State>,
    (request, out): Params,
    link: &HandlerLink,
) -> wasmtime::Result<()> {
    let mut http = store.data_mut().http();
    let request = take(&mut http, &request)?;
    let out = http.table.delete(out)?;
    let context = current_call(store);
    let answered = match request {
        Ok(request) => link.send(request, context).await.map_err(code),
        Err(code) => Err(code),
    };
    (out.send)(answered);
    Ok(())
}

/// The request, out of its store.
fn take(
    http: &mut WasiHttpCtxView<'_>,
    request: &Resource<HostIncomingRequest>,
) -> wasmtime::Result<Result<http::Request<WasiBody>, ErrorCode>> {
    let same = || Resource::new_borrow(request.rep());
    let method: Result<http::Method, _> = http.method(same())?.try_into();
    let scheme = match http.scheme(same())? {
        Some(Scheme::Https) => "https",
        _ => "http",
    };
    let mut uri = http::Uri::builder().scheme(scheme);
    if let Some(authority) = http.authority(same())? {
        uri = uri.authority(authority);
    }
    let path = http.path_with_query(same())?;
    let uri = uri.path_and_query(path.as_deref().unwrap_or("/")).build();
    let headers = http.headers(same())?;
    let headers = http.table.delete(headers)?;
    let body = http.consume(same())?;
    http.table
        .delete(Resource::<HostIncomingRequest>::new_own(request.rep()))?;
    let Ok(body) = body else {
        let taken = "the component took the body out of the request that it passes on";
        return Ok(Err(ErrorCode::InternalError(Some(taken.to_owned()))));
    };
    let body = streamed(http.table.delete(body)?);
    let (Ok(method), Ok(uri)) = (method, uri) else {
        return Ok(Err(ErrorCode::HttpRequestUriInvalid));
    };
    let mut taken = http::Request::new(body);
    *taken.method_mut() = method;
    *taken.uri_mut() = uri;
    *taken.headers_mut() = headers.into();
    Ok(Ok(taken))
}

/// What is left of a body, and its trailers.
struct Rest {
    stream: Option<HostIncomingBodyStream>,
    trailers: HostFutureTrailers,
}

/// The body as HTTP has it. One that has ended already is known to be empty.
fn streamed(mut body: HostIncomingBody) -> WasiBody {
    let mut stream = body.take_stream();
    let first = stream.as_mut().map(|stream| stream.read(CHUNK));
    let never = |never| match never {};
    let first = match first {
        None | Some(Err(StreamError::Closed)) => return Empty::new().map_err(never).boxed_unsync(),
        Some(Ok(bytes)) if bytes.is_empty() => None,
        Some(read) => Some(read),
    };
    let trailers = body.into_future_trailers();
    let rest = Rest { stream, trailers };
    let frames = stream::unfold((rest, first), |(mut rest, first)| async move {
        let frame = rest.next(first).await?;
        Some((frame, (rest, None)))
    });
    StreamBody::new(frames).boxed_unsync()
}

impl Rest {
    /// The next frame; `read` is what was read of the body before, if anything was.
    async fn next(
        &mut self,
        mut read: Option<Result<Bytes, StreamError>>,
    ) -> Option<Result<Frame<Bytes>, BodyError>> {
        while let Some(stream) = &mut self.stream {
            let read = match read.take() {
                Some(read) => read,
                None => {
                    stream.ready().await;
                    stream.read(CHUNK)
                }
            };
            match read {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Some(Ok(Frame::data(bytes))),
                Err(StreamError::Closed) => self.stream = None,
                Err(StreamError::LastOperationFailed(error) | StreamError::Trap(error)) => {
                    self.stream = None;
                    self.trailers = HostFutureTrailers::Consumed;
                    return Some(Err(broken(error)));
                }
            }
        }
        self.trailers.ready().await;
        match std::mem::replace(&mut self.trailers, HostFutureTrailers::Consumed) {
            HostFutureTrailers::Done(Ok(trailers)) => Some(Ok(Frame::trailers(trailers?))),
            HostFutureTrailers::Done(Err(error)) => Some(Err(error)),
            HostFutureTrailers::Waiting(_) | HostFutureTrailers::Consumed => None,
        }
    }
}

fn broken(error: wasmtime::Error) -> BodyError {
    let other = |error: wasmtime::Error| BodyError::InternalError(Some(error.to_string()));
    error.downcast().unwrap_or_else(other)
}

fn code(error: BodyError) -> ErrorCode {
    match error {
        BodyError::LoopDetected => ErrorCode::LoopDetected,
        BodyError::DestinationNotFound => ErrorCode::DestinationNotFound,
        BodyError::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        other => ErrorCode::InternalError(Some(other.to_string())),
    }
}
