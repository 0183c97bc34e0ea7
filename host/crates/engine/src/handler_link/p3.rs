//! `wasi:http/handler@0.3` as an import.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::uri::{Authority, PathAndQuery, Scheme};
use wasmtime::AsContextMut;
use wasmtime::component::{Accessor, LinkerInstance, Resource};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{Request, Response};

use super::HandlerLink;
use crate::http::{BodyError, WasiBody};
use crate::state::{State, current_call};
use stoa_call::CallContext;

type Answer = (Result<Resource<Response>, ErrorCode>,);

pub(super) fn define(
    instance: &mut LinkerInstance<'_, State>,
    link: Arc<HandlerLink>,
) -> wasmtime::Result<()> {
    instance.func_wrap_concurrent(
        "handle",
        move |accessor: &Accessor<State>, (request,): (Resource<Request>,)| {
            let link = link.clone();
            Box::pin(async move { Ok((handle(accessor, request, &link).await?,)) })
                as Pin<Box<dyn Future<Output = wasmtime::Result<Answer>> + Send + '_>>
        },
    )
}

async fn handle(
    accessor: &Accessor<State>,
    request: Resource<Request>,
    link: &HandlerLink,
) -> wasmtime::Result<Result<Resource<Response>, ErrorCode>> {
    let (request, context) = match take(accessor, request, link)? {
        Ok(taken) => taken,
        Err(code) => return Ok(Err(code)),
    };
    let response = match link.send(request, context).await {
        Ok(response) => response,
        Err(error) => return Ok(Err(code(error))),
    };
    accessor.with(|mut access| {
        let view = access.data_mut().http();
        let (response, _) = Response::from_http(view.hooks, response);
        Ok(Ok(view.table.push(response)?))
    })
}

/// The request, out of its store, and the call that it is sent in. Its body goes on to
/// come from there.
fn take(
    accessor: &Accessor<State>,
    request: Resource<Request>,
    link: &HandlerLink,
) -> wasmtime::Result<Result<(http::Request<WasiBody>, CallContext), ErrorCode>> {
    accessor.with(|mut access| {
        let context = current_call(access.as_context_mut());
        let mut request = access.data_mut().http().table.delete(request)?;
        complete(&mut request, link);
        let sent = async { Ok(()) };
        match request.into_http_with_getter(&mut access, sent, State::http) {
            Ok((request, _)) => Ok(Ok((request, context))),
            Err(error) => error.downcast().map(Err),
        }
    })
}

/// A request that its component made anew need not say what the link does.
fn complete(request: &mut Request, link: &HandlerLink) {
    request.scheme.get_or_insert(Scheme::HTTP);
    let authority = || Authority::try_from(format!("{}.svc", link.to));
    if request.authority.is_none() {
        request.authority = authority().ok();
    }
    let root = || PathAndQuery::from_static("/");
    request.path_with_query.get_or_insert_with(root);
}

fn code(error: BodyError) -> ErrorCode {
    match error {
        BodyError::LoopDetected => ErrorCode::LoopDetected,
        BodyError::DestinationNotFound => ErrorCode::DestinationNotFound,
        BodyError::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        other => ErrorCode::InternalError(Some(other.to_string())),
    }
}
