//! The body of a component's response.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::{BodyError, WasiBody};

/// Bytes that a body may have to be handed over whole.
const WHOLE: usize = 64 << 10;

/// A body: what is there already, then what the guest still writes.
#[derive(Default)]
pub struct ResponseBody {
    ready: Bytes,
    stream: Option<WasiBody>,
}

/// How far a body got without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is there whole.
    Complete,
    /// This many bytes are there; more may come once the guest goes on.
    Waiting(usize),
    /// It is too long to be kept, or has trailers or an error: it must be streamed.
    Streaming,
}

impl ResponseBody {
    pub(in crate::engine) fn new(stream: WasiBody) -> Self {
        Self {
            ready: Bytes::new(),
            stream: Some(stream),
        }
    }

    /// A body that is complete.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            ready: bytes.into(),
            stream: None,
        }
    }

    /// Takes what the guest has written so far.
    pub(super) fn gather(&mut self, cx: &mut Context<'_>) -> Stage {
        loop {
            let Some(stream) = &mut self.stream else {
                return Stage::Complete;
            };
            if self.ready.len() > WHOLE {
                return Stage::Streaming;
            }
            match Pin::new(stream).poll_frame(cx) {
                Poll::Pending => return Stage::Waiting(self.ready.len()),
                Poll::Ready(None) => self.stream = None,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.append(data),
                    Err(frame) => return self.put_back(Ok(frame)),
                },
                Poll::Ready(Some(Err(error))) => return self.put_back(Err(error)),
            }
        }
    }

    fn append(&mut self, data: Bytes) {
        if self.ready.is_empty() {
            self.ready = data;
            return;
        }
        let mut joined = BytesMut::with_capacity(self.ready.len() + data.len());
        joined.extend_from_slice(&self.ready);
        joined.extend_from_slice(&data);
        self.ready = joined.freeze();
    }

    /// Trailers and errors end a stream: they are delivered after what is ready.
    fn put_back(&mut self, last: Result<Frame<Bytes>, BodyError>) -> Stage {
        use http_body_util::{BodyExt, StreamBody};
        let last = futures::stream::once(std::future::ready(last));
        self.stream = Some(StreamBody::new(last).boxed_unsync());
        Stage::Streaming
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.ready.is_empty() {
            let ready = std::mem::take(&mut self.ready);
            return Poll::Ready(Some(Ok(Frame::data(ready))));
        }
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.stream.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.stream {
            None => SizeHint::with_exact(self.ready.len() as u64),
            Some(stream) => match stream.size_hint().exact() {
                Some(rest) => SizeHint::with_exact(rest + self.ready.len() as u64),
                None => SizeHint::new(),
            },
        }
    }
}
