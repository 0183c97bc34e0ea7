//! `wasi:http` as seen from a guest: buffers, and where its requests may go.

use std::future::Future;
use std::sync::Arc;

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
    service: Arc<str>,
}

impl Outbound {
    pub(super) fn new(service: Arc<str>) -> Self {
        Self { service }
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _transmission: Transmission,
    ) -> Box<dyn Future<Output = Result<(Response, Transmission), Error>> + Send> {
        let origin = request
            .uri()
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::warn!(
            service = &*self.service,
            origin,
            "outgoing HTTP refused: the service has no grant for this origin"
        );
        Box::new(async { Err(Error::HttpRequestDenied) })
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
