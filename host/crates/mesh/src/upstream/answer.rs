//! What an instance answered, as it is passed on: it counts until its body's end, and
//! a body that breaks off counts against the instance.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, Version, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Upstream;
use super::headers::strip_hop_by_hop;
use super::instance::Instance;
use crate::upload::RequestBodyState;
use stoa_call::TraceContext;
use stoa_engine::capabilities::outbound::body::Timed;
use stoa_engine::http::{BodyError, ResponseBody};

/// Counts as under way on its instance until it is dropped.
pub(super) struct Serving(Arc<Instance>);

/// What a request holds of its upstream until its answer's end.
pub(super) struct UnderWay {
    pub(super) _on: Serving,
    pub(super) _room: OwnedSemaphorePermit,
}

/// Who answers which request.
pub(super) struct Exchange {
    pub(super) upstream: Arc<Upstream>,
    pub(super) instance: Arc<Instance>,
    pub(super) upload: RequestBodyState,
    pub(super) trace: TraceContext,
}

/// How long a reader may let an instance wait before the answer's end is its own doing.
const PATIENCE: Duration = Duration::from_secs(1);

/// A body, with whom to blame if it breaks off.
struct Watched<B> {
    body: B,
    exchange: Exchange,
    reader: Reader,
}

/// Whether a body waits for its reader: servers close what nobody reads for long.
#[derive(Default)]
struct Reader {
    /// When it got the last piece, as long as it has not asked for the next.
    busy_since: Option<Instant>,
}

/// The response as it is passed on. Its body may stall no longer than a head may take.
pub(super) fn finish(
    exchange: Exchange,
    response: Response<Incoming>,
    under_way: UnderWay,
) -> Response<ResponseBody> {
    let idle = exchange.upstream.settings.limits.deadline;
    let mut response = response.map(|body| {
        let body = Timed::new(body, idle, under_way);
        let watched = Watched {
            body,
            exchange,
            reader: Reader::default(),
        };
        ResponseBody::new(watched.boxed_unsync())
    });
    // RFC 9110, section 2.5: of who sends it on.
    *response.version_mut() = Version::HTTP_11;
    let status = response.status();
    let headers = response.headers_mut();
    strip_hop_by_hop(headers);
    // RFC 9110, section 8.6.
    if status.as_u16() == 204 {
        headers.remove(header::CONTENT_LENGTH);
    }
    response
}

// === impl Serving ===

impl Serving {
    pub(super) fn enter(instance: Arc<Instance>) -> Self {
        instance.enter();
        Self(instance)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.leave();
    }
}

// === impl Exchange ===

impl Exchange {
    /// The answer broke off after its head, which was counted as a success. A client
    /// that leaves does not come here: it takes no more of the body.
    fn broke_off(&self, error: &BodyError) {
        // The instance may have given up a request that does not end.
        if self.upload.fault().is_some() {
            return;
        }
        self.instance.breaker.fail();
        tracing::warn!(
            service.name = &*self.upstream.name,
            service.version = self.upstream.number,
            instance = self.instance.id,
            trace.id = format_args!("{:032x}", self.trace.trace_id),
            "an answer of an upstream broke off: {error}"
        );
    }
}

// === impl Reader ===

impl Reader {
    fn gets(&mut self) {
        self.busy_since = Some(Instant::now());
    }

    fn asks(&mut self) {
        self.busy_since = None;
    }

    fn held_up(&self) -> bool {
        self.busy_since
            .is_some_and(|since| since.elapsed() > PATIENCE)
    }
}

// === impl Watched ===

impl<B> Body for Watched<B>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Pending => self.reader.asks(),
            Poll::Ready(Some(Err(_))) if self.reader.held_up() => {}
            Poll::Ready(Some(Err(error))) => self.exchange.broke_off(error),
            Poll::Ready(_) => self.reader.gets(),
        }
        polled
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_reads_too_slowly_ends_the_answer_itself() {
        let mut reader = Reader::default();
        assert!(!reader.held_up(), "nothing has come");
        reader.gets();
        assert!(!reader.held_up(), "the next piece was there");
        tokio::time::advance(PATIENCE * 2).await;
        assert!(reader.held_up());
        reader.asks();
        assert!(!reader.held_up(), "it waits for the instance");
    }
}
