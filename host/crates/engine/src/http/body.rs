//! The body of a component's response.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::audience::{Audience, Reader};
use super::{BodyError, WasiBody};

/// Bytes that a body may have to be handed over whole.
const WHOLE: usize = 64 << 10;

/// A body: what is there already, then what the guest still writes.
#[derive(Default)]
pub struct ResponseBody {
    ready: Bytes,
    stream: Option<WasiBody>,
    /// The guest that writes it, where it may still fail.
    guest: Option<GuestFate>,
    /// Tells that guest whether somebody reads.
    reader: Option<Reader>,
}

/// Whether a guest failed after it had answered. Its body then ends with an error:
/// it must not look complete. Told before the guest's end closes its stream.
#[derive(Clone, Default)]
pub struct GuestFate(Arc<AtomicBool>);

impl GuestFate {
    /// The guest trapped, or was stopped at its deadline.
    pub fn fail(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn failed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
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

/// How far [`ResponseBody::take_in`] got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The body is there whole.
    Whole,
    /// It is longer than that, or has trailers: the rest is to be streamed.
    InPart,
    /// Its guest failed.
    Broken,
}

impl ResponseBody {
    /// A body that comes bit by bit.
    pub fn new(stream: WasiBody) -> Self {
        Self {
            ready: Bytes::new(),
            stream: Some(stream),
            guest: None,
            reader: None,
        }
    }

    /// A body that is complete.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            ready: bytes.into(),
            stream: None,
            guest: None,
            reader: None,
        }
    }

    /// All of it, if it is there.
    pub fn as_whole(&self) -> Option<&Bytes> {
        self.stream.is_none().then_some(&self.ready)
    }

    /// A body that something else writes, such as one that changes another's bytes.
    pub fn streaming<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::fmt::Display,
    {
        use http_body_util::BodyExt;
        let failed = |error: B::Error| BodyError::InternalError(Some(error.to_string()));
        Self::new(body.map_err(failed).boxed_unsync())
    }

    /// Lets the body's end depend on how its guest ends.
    pub(crate) fn with_fate(self, guest: GuestFate) -> Self {
        Self {
            guest: Some(guest),
            ..self
        }
    }

    /// Lets `audience` know what becomes of the body, which was announced to be so long.
    pub(super) fn heard_by(self, audience: &Audience, length: Option<u64>) -> Self {
        Self {
            reader: Some(audience.reader(length)),
            ..self
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

    /// Waits until all of it is there, or more than `limit` bytes are. Nothing of it
    /// is lost.
    pub async fn take_in(&mut self, limit: usize) -> Taken {
        std::future::poll_fn(|cx| self.poll_take_in(limit, cx)).await
    }

    fn poll_take_in(&mut self, limit: usize, cx: &mut Context<'_>) -> Poll<Taken> {
        loop {
            let Some(stream) = &mut self.stream else {
                return Poll::Ready(Taken::Whole);
            };
            if self.ready.len() > limit {
                return Poll::Ready(Taken::InPart);
            }
            match std::task::ready!(poll(stream, self.reader.as_ref(), cx)) {
                None if self.guest.as_ref().is_some_and(GuestFate::failed) => {
                    return Poll::Ready(Taken::Broken);
                }
                None => self.stream = None,
                Some(Err(_)) => return Poll::Ready(Taken::Broken),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.append(data),
                    Err(trailers) => {
                        self.put_back(Ok(trailers));
                        return Poll::Ready(Taken::InPart);
                    }
                },
            }
        }
    }

    fn append(&mut self, data: Bytes) {
        if self.ready.is_empty() {
            self.ready = data;
            return;
        }
        // Nobody else has the bytes: they are added to in place, and moved only when
        // their room is used up, which then doubles.
        let ready = std::mem::take(&mut self.ready);
        let mut joined = ready
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
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
        let this = &mut *self;
        if !this.ready.is_empty() {
            let ready = std::mem::take(&mut this.ready);
            if let Some(reader) = &mut this.reader {
                reader.took(ready.len());
            }
            return Poll::Ready(Some(Ok(Frame::data(ready))));
        }
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(None);
        };
        let frame = std::task::ready!(poll(stream, this.reader.as_ref(), cx));
        if let (Some(Ok(frame)), Some(reader)) = (&frame, &mut this.reader) {
            reader.took(frame.data_ref().map_or(0, Bytes::len));
        }
        match frame {
            None if this.guest.take().is_some_and(|guest| guest.failed()) => {
                Poll::Ready(Some(Err(BodyError::HttpResponseIncomplete)))
            }
            frame => Poll::Ready(frame),
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

/// The next frame, of which `reader` is told: that it waits, reads, or has all.
fn poll(
    stream: &mut WasiBody,
    reader: Option<&Reader>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    let polled = Pin::new(stream).poll_frame(cx);
    if let Some(reader) = reader {
        match &polled {
            Poll::Pending => reader.waits(),
            Poll::Ready(Some(Ok(_))) => reader.is_busy(),
            Poll::Ready(None | Some(Err(_))) => reader.is_satisfied(),
        }
    }
    polled
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};
    use http_body_util::{BodyExt as _, StreamBody};
    use proptest::prelude::*;

    use super::*;

    fn in_pieces(pieces: Vec<Bytes>) -> ResponseBody {
        let frames = stream::iter(pieces).map(|piece| Ok::<_, BodyError>(Frame::data(piece)));
        ResponseBody::new(StreamBody::new(frames).boxed_unsync())
    }

    #[tokio::test]
    async fn a_long_body_of_short_pieces_is_seldom_moved() {
        let mut body = ResponseBody::default();
        let (mut moves, mut before) = (0, std::ptr::null());
        for _ in 0..10_000 {
            body.append(Bytes::from_static(&[7; 64]));
            moves += usize::from(body.ready.as_ptr() != before);
            before = body.ready.as_ptr();
        }
        assert_eq!(body.ready.len(), 640_000);
        assert!(moves < 50, "{moves} moves");
    }

    proptest! {
        #[test]
        fn nothing_of_a_body_is_lost_or_changed(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
            limit in 0_usize..3000,
        ) {
            let whole = pieces.concat();
            let pieces: Vec<_> = pieces.into_iter().map(Bytes::from).collect();
            // Others may have some of the bytes, too.
            let _others = pieces.clone();
            let mut body = in_pieces(pieces);
            let taken = futures::executor::block_on(body.take_in(limit));
            prop_assert!(taken == Taken::Whole || whole.len() > limit);
            let sent = futures::executor::block_on(body.collect()).unwrap().to_bytes();
            prop_assert_eq!(sent, whole);
        }
    }
}
