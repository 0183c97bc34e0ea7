//! The body of every response of the gateway.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::client::Serving;
use stoa_call::deadline::{Elapsed, within};
use stoa_engine::http::{BodyError, ResponseBody, Taken};
use stoa_http::body::MaybeWhole;
use stoa_http::compress::{Compressible, CompressionBody};
use stoa_service::revision::Revision;

/// A body, and the mark of a request that is being answered until it is sent.
pub(crate) struct GatewayBody {
    body: ResponseBody,
    serving: Option<Serving>,
    /// Who writes it, if its trailers will be lost.
    unannounced: Option<Arc<Revision>>,
}

impl GatewayBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        ResponseBody::whole(bytes).into()
    }

    pub(crate) fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// All of it, if it is there.
    pub(crate) fn as_whole(&self) -> Option<&Bytes> {
        self.body.as_whole()
    }

    /// Waits until it is there, or more than `limit` bytes of it are. Nothing of it
    /// is lost, also not at the deadline.
    ///
    /// # Errors
    /// When `deadline` comes first.
    pub(crate) async fn take_in(
        &mut self,
        limit: usize,
        deadline: Instant,
    ) -> Result<Taken, Elapsed> {
        within(deadline, self.body.take_in(limit)).await
    }

    /// Its client does not get its trailers, of which `writer` is told.
    pub(crate) fn loses_trailers(&mut self, writer: &Arc<Revision>) {
        self.unannounced = Some(writer.clone());
    }

    /// Its request is being answered until it is sent.
    pub(crate) fn guard(&mut self, mut serving: Serving) {
        serving.waits_for_client();
        self.serving = Some(serving);
    }
}

impl From<ResponseBody> for GatewayBody {
    fn from(body: ResponseBody) -> Self {
        Self {
            body,
            serving: None,
            unannounced: None,
        }
    }
}

impl MaybeWhole for GatewayBody {
    fn as_whole(&self) -> Option<&Bytes> {
        self.body.as_whole()
    }
}

impl Compressible for GatewayBody {
    type Content = ResponseBody;

    fn whole(bytes: Bytes) -> Self {
        ResponseBody::whole(bytes).into()
    }

    fn into_content(self) -> ResponseBody {
        self.body
    }

    fn compressed(body: CompressionBody<ResponseBody>) -> Self {
        ResponseBody::streaming(body).into()
    }
}

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(serving) = &mut self.serving {
            match frame {
                Poll::Ready(_) => serving.waits_for_client(),
                Poll::Pending => serving.waits_for_service(),
            }
        }
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && frame.is_trailers()
            && let Some(writer) = self.unannounced.take()
        {
            writer.loses_trailers();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
