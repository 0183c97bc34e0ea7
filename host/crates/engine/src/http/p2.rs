//! `wasi:http/incoming-handler@0.2`.

use std::pin::pin;

use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use super::{Answered, BodyError, Leased};
use crate::Fault;
use crate::instance::HttpHandler;
use crate::watch::watch;

pub(super) async fn run<L, B>(
    mut lease: L,
    request: http::Request<B>,
    answer: oneshot::Sender<Answered>,
) -> (L, Result<(), Fault>)
where
    L: Leased,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let outcome = handle(&mut lease, request, answer).await;
    (lease, outcome)
}

async fn handle<L, B>(
    lease: &mut L,
    request: http::Request<B>,
    answer: oneshot::Sender<Answered>,
) -> Result<(), Fault>
where
    L: Leased,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let instance = &mut **lease;
    let HttpHandler::P2(proxy) = &instance.http else {
        return Err(Fault::Request(
            "the component exports no wasi:http 0.2 handler".to_owned(),
        ));
    };
    let refused = |error: wasmtime::Error| Fault::Request(format!("{error:#}"));
    let mut http = instance.store.data_mut().http();
    let scheme = match request.uri().scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    let request = http
        .new_incoming_request(scheme, request)
        .map_err(refused)?;
    let out = http
        .new_response_outparam_from_callback(move |answered| {
            // The client may be gone: the guest need not know.
            let _ = answer.send(answered.map_err(|code| format!("{code:?}")));
        })
        .map_err(refused)?;
    let handled = {
        let handler = proxy.wasi_http_incoming_handler();
        let guest = pin!(handler.call_handle(&mut instance.store, request, out));
        watch(instance.waits.as_ref(), guest).await
    };
    instance.store.data_mut().finish_call();
    handled.map_err(|error| instance.store.data().fault(error))
}
