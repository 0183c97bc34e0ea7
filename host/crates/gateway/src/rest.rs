//! What of a request's body nobody has read when its answer is there.
//!
//! On HTTP/1 the next request of the connection comes after it. A short rest is read and
//! dropped while the answer leaves, so that the connection lives; after a longer one it
//! ends, and the answer says so. Knows nothing of who reads bodies, nor why they don't.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Version, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;

use super::min_rate::{MinRate, MinRateBody, MinRateError};

/// The longest rest that is read for its connection's sake, in bytes: a new connection
/// costs less than a longer one.
const SHORT: u64 = 64 << 10;

/// A request's body on its way, whose reader may leave before its end.
pub(super) struct Wire {
    /// There until it is dropped.
    body: Option<MinRateBody>,
    /// None where nothing can be left: on HTTP/2, and where there is no body.
    rest: Option<Arc<Rest>>,
}

/// What is known of the rest of a body.
pub(super) struct Rest {
    /// The client sends nothing of it before it is told to go on.
    waits: bool,
    /// Where a rest is read: its reader may leave on any thread.
    tasks: Handle,
    place: Mutex<Whereabouts>,
}

/// Where a body is.
enum Whereabouts {
    Reader,
    /// With its reader, after the answer: whether a short rest is read when that leaves.
    Answered {
        drained: bool,
    },
    /// Left by its reader before the answer.
    Left(MinRateBody),
    /// It can't be read on: it came too slowly, or broke off.
    Broken,
    /// Read to its end.
    Read,
}

// === impl Wire ===

impl Wire {
    /// The body of a request, and what is to be asked of it when the answer is there.
    pub(super) fn new(parts: &Parts, body: Incoming, pace: MinRate) -> (Self, Option<Arc<Rest>>) {
        let may_be_left = parts.version < Version::HTTP_2 && !body.is_end_stream();
        let rest = may_be_left.then(|| {
            Arc::new(Rest {
                waits: parts.headers.contains_key(header::EXPECT),
                tasks: Handle::current(),
                place: Mutex::new(Whereabouts::Reader),
            })
        });
        let body = Some(MinRateBody::new(body, pace));
        let wire = Self {
            body,
            rest: rest.clone(),
        };
        (wire, rest)
    }

    fn is_at(&mut self, place: Whereabouts) {
        if let Some(rest) = self.rest.take() {
            rest.put(place);
        }
    }
}

impl Body for Wire {
    type Data = Bytes;
    type Error = MinRateError<hyper::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.is_at(Whereabouts::Read),
            Poll::Ready(Some(Err(_))) => self.is_at(Whereabouts::Broken),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let (Some(rest), Some(body)) = (self.rest.take(), self.body.take()) {
            rest.left(body);
        }
    }
}

// === impl Rest ===

impl Rest {
    /// Decides what becomes of the rest, now that the answer is there.
    pub(super) fn settle<B>(&self, response: &mut http::Response<B>) {
        // A client that was too slow is not waited for once more.
        let too_slow = response.status().as_u16() == 408;
        let drained = !too_slow && !self.waits;
        let closes = match self.put(Whereabouts::Answered { drained }) {
            Whereabouts::Reader | Whereabouts::Answered { .. } | Whereabouts::Read => false,
            Whereabouts::Left(body) if drained && is_short(&body) => {
                self.drain(body);
                false
            }
            Whereabouts::Left(_) | Whereabouts::Broken => true,
        };
        if closes {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
    }

    fn left(&self, body: MinRateBody) {
        let place = if body.is_end_stream() {
            Whereabouts::Read
        } else {
            Whereabouts::Left(body)
        };
        let mut now = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*now, place) {
            (Whereabouts::Answered { drained }, Whereabouts::Left(body)) => {
                if *drained && is_short(&body) {
                    self.drain(body);
                }
            }
            (_, place) => *now = place,
        }
    }

    fn put(&self, place: Whereabouts) -> Whereabouts {
        let mut now = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *now, place)
    }

    /// Reads it to its end, if that comes in the time that bodies have.
    fn drain(&self, mut body: MinRateBody) {
        self.tasks
            .spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
    }
}

/// Whether what is to come of a body is known, and soon over.
fn is_short(body: &MinRateBody) -> bool {
    body.size_hint().exact().is_some_and(|left| left <= SHORT)
}
