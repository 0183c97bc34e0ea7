//! How slowly a request's body may come.
//!
//! A body has a time that it may let its service wait, and each byte that comes adds
//! to it: a slow line is let be, a client that sends as little as it can is not. The
//! time that the service takes for itself does not count.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

/// A request's body that must come in time.
pub struct MinRateBody<B = Incoming> {
    body: B,
    rate: MinRate,
    received: u64,
    waited: Duration,
    waiting: Option<Waiting>,
}

/// How slow is slow.
#[derive(Debug, Clone, Copy)]
pub struct MinRate {
    /// What a body may wait without a byte.
    pub grace: Duration,
    /// So many bytes earn a second more; 0 counts as 1.
    pub bytes_per_second: u64,
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum MinRateError<E> {
    /// It let its reader wait longer than it may.
    #[error("the body comes too slowly")]
    TooSlow,
    /// The body's own error.
    #[error(transparent)]
    Broken(E),
}

struct Waiting {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<B> MinRateBody<B> {
    /// A body that has brought nothing yet.
    pub fn new(body: B, rate: MinRate) -> Self {
        Self {
            body,
            rate,
            received: 0,
            waited: Duration::ZERO,
            waiting: None,
        }
    }

    /// A timer is set only when the body is not there: most are.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waiting = self.waiting.get_or_insert_with(|| {
            let since = Instant::now();
            let earned = Duration::from_secs(self.received / self.rate.bytes_per_second.max(1));
            let left = (self.rate.grace + earned).saturating_sub(self.waited);
            let timer = Box::pin(tokio::time::sleep_until(since + left));
            Waiting { since, timer }
        });
        waiting.timer.as_mut().poll(cx)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for MinRateBody<B> {
    type Data = Bytes;
    type Error = MinRateError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                if let Some(waiting) = this.waiting.take() {
                    this.waited += waiting.since.elapsed();
                }
                if let Some(Ok(frame)) = &frame {
                    this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(MinRateError::Broken)))
            }
            Poll::Pending => this
                .poll_late(cx)
                .map(|()| Some(Err(MinRateError::TooSlow))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    const RATE: MinRate = MinRate {
        grace: Duration::from_secs(20),
        bytes_per_second: 100,
    };

    /// Pieces of this size, one each so many seconds.
    fn pieces(
        count: u32,
        size: usize,
        every: u64,
    ) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let stream = futures::stream::unfold(0, move |sent| async move {
            if sent == count {
                return None;
            }
            tokio::time::sleep(Duration::from_secs(every)).await;
            Some((Ok(Frame::data(Bytes::from(vec![0; size]))), sent + 1))
        });
        StreamBody::new(Box::pin(stream))
    }

    /// Bytes that come, until the end or a fault.
    async fn read(body: impl Body<Data = Bytes, Error = Infallible> + Unpin) -> (usize, bool) {
        let mut body = MinRateBody::new(body, RATE);
        let mut received = 0;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => received += frame.into_data().unwrap().len(),
                Err(MinRateError::TooSlow) => return (received, false),
                Err(MinRateError::Broken(never)) => match never {},
            }
        }
        (received, true)
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_is_let_be_and_a_trickle_is_not() {
        assert_eq!(read(pieces(100, 1000, 10)).await, (100_000, true));
        assert_eq!(
            read(pieces(10, 1, 1)).await,
            (10, true),
            "short, and soon over"
        );
        assert!(!read(pieces(1000, 10, 1)).await.1);
        assert_eq!(read(pieces(1, 10, 21)).await, (0, false));
    }

    #[tokio::test(start_paused = true)]
    async fn the_readers_own_time_does_not_count() {
        let mut body = MinRateBody::new(pieces(10, 1, 1), RATE);
        while let Some(frame) = body.frame().await {
            frame.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
}
