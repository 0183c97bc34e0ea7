//! `wasi:http` as seen from a guest: buffers, and where its requests may go.

use std::future::Future;
use std::sync::Arc;

use crate::capabilities::context::CurrentCall;
use crate::capabilities::outbound::outgoing::Outgoing;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode as P2Code;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as P3Code;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Chunks of a response body that may wait for the connection. A short response
/// then never makes its guest wait, so the instance is free at once.
const BODY_CHUNKS: usize = 8;
/// Bytes of such a chunk.
const BODY_CHUNK_SIZE: usize = 64 << 10;

type Response = http::Response<WasiBody>;
type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Hooks of one instance.
pub(super) struct Outbound {
    outgoing: Arc<Outgoing>,
    /// Of an instance that serves several calls it is the one that came last.
    call: CurrentCall,
}

impl Outbound {
    pub(super) fn new(outgoing: Arc<Outgoing>, call: CurrentCall) -> Self {
        Self { outgoing, call }
    }

    /// A body that a client, or a server, breaks off is theirs to explain: anybody could
    /// fill the log with it.
    fn note(&self, fault: &hyper::Error) {
        tracing::debug!(
            service.name = &**self.outgoing.service(),
            trace.id = self.call.get().trace.trace_id,
            "a body broke off: {fault}"
        );
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _transmission: Transmission,
    ) -> Box<dyn Future<Output = Result<(Response, Transmission), Error>> + Send> {
        let (outgoing, context) = (self.outgoing.clone(), self.call.get());
        Box::new(async move {
            let response = outgoing.send(request, options, context).await?;
            // The connection's own task sends the body.
            let sent: Transmission = Box::new(async { Ok(()) });
            Ok((response, sent))
        })
    }

    fn p2_error_from_hyper(&mut self, fault: &hyper::Error) -> P2Code {
        self.note(fault);
        P2Code::HttpProtocolError
    }

    fn p3_error_from_hyper(&mut self, fault: &hyper::Error) -> P3Code {
        self.note(fault);
        P3Code::HttpProtocolError
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_CHUNKS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_SIZE
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_SIZE
    }
}
