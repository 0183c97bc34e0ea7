//! The body of a response from outside: it may not stall, and holds what it uses
//! until its end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

/// A body, with a limit for the time between two of its frames, and a guard that
/// is dropped with it.
pub struct Timed<G> {
    body: Incoming,
    idle: Duration,
    /// Set only while a frame is waited for: most are there at once.
    timer: Option<Pin<Box<Sleep>>>,
    guard: Option<G>,
}

impl<G> Timed<G> {
    /// A body whose frames come at most `idle` apart.
    pub fn new(body: Incoming, idle: Duration, guard: G) -> Self {
        let guard = (!body.is_end_stream()).then_some(guard);
        Self {
            body,
            idle,
            timer: None,
            guard,
        }
    }
}

impl<G: Unpin> Body for Timed<G> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let idle = self.idle;
                let timer = self
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(far(idle))));
                std::task::ready!(timer.as_mut().poll(cx));
                self.guard = None;
                return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
            }
        };
        self.timer = None;
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.guard = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Error::Hyper)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A guest may name a time that no clock reaches.
fn far(idle: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    Instant::now() + idle.min(YEAR)
}
