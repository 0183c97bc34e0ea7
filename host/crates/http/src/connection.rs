//! One client connection, HTTP/1.1 or HTTP/2, from its first byte to its last.
//!
//! Timeouts are kept by a slow beat instead of a timer a request: at each beat
//! the connection is either serving, in the middle of a request's head, or idle.
//! A head that takes too long is cut off, and so is a client that does not read; an
//! idle connection is closed politely. Knows nothing of what is served.

mod activity;
mod behind;
mod framing;
mod lasting;
mod leaving;
mod speaking;
#[cfg(test)]
mod tests;
mod unread;
mod version;
mod watched;

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use h2::Reason;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::shutdown::Holds;
pub use activity::{Activity, Serving};
use activity::{Limits, Verdict, Watch};
pub use leaving::Leaves;
use speaking::{Opening, Speaking};
pub use unread::{Refusals, Unread};
use watched::Watched;

/// An HTTP/2 connection's flow-control window, in bytes, as Envoy advises for edges.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Beats in the time that a head may take: how exact its timeout is.
const BEATS: u32 = 4;

/// What a connection may take.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long the head of a request may take.
    pub header_timeout: Duration,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of a response.
    pub write_timeout: Duration,
    /// Size of a request's head at most, in bytes.
    pub max_header_bytes: usize,
    /// Headers of a request at most.
    pub max_headers: usize,
    /// Requests at once on an HTTP/2 connection.
    pub http2_streams: u32,
}

/// What ties the call of a request to the client that waits for its answer. Clones
/// share it.
pub trait Tie: Clone + Default + Send + Sync + Unpin + 'static {
    /// Whether the call ends when its client leaves, as it is now.
    fn ends(&self) -> bool;

    /// Whether the call goes on when its client leaves, as it is now.
    fn goes_on(&self) -> bool;

    /// Whether the call wants nothing more of its request.
    fn wants_no_more(&self) -> bool;

    /// Nothing is left that could end.
    fn loosen(&self);
}

/// A connection that was accepted.
pub struct Connection<S, H, T> {
    io: Watched<S, H, T>,
    activity: Arc<Activity<T>>,
    limits: Limits,
    settings: Settings,
}

impl<S, H, T> Connection<S, H, T>
where
    S: AsyncRead + AsyncWrite + Leaves + Unpin + Send + 'static,
    H: Unpin + Send + 'static,
    T: Tie,
{
    /// One over `socket`. What is `held` is held as long as that is open: who takes over
    /// the socket takes over that too.
    pub fn new(socket: S, held: H, settings: &Settings, unread: Unread) -> Self {
        let limits = limits(settings);
        let activity = Arc::new(Activity::new(&limits));
        Self {
            io: Watched::new((socket, held), activity.clone(), unread),
            activity,
            limits,
            settings: settings.clone(),
        }
    }

    /// What it is doing.
    pub fn activity(&self) -> &Arc<Activity<T>> {
        &self.activity
    }

    /// Serves by `answer` until it ends, or is idle when `closes` is ready, which is asked
    /// at each turn of the connection. An HTTP/2 request that goes on though its client
    /// has taken it back is held by `holds`. Gives the reason if the client was cut off.
    pub async fn serve<V, F, B>(
        self,
        answer: V,
        holds: Holds,
        closes: impl Future<Output = ()>,
    ) -> Option<&'static str>
    where
        V: Fn(Request<Incoming>, Serving<T>) -> F,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: Body<Data: Send> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (activity, beat) = (self.activity, self.settings.header_timeout / BEATS);
        let mut watch = Watch::new(self.limits);
        let mut beats = tokio::time::interval_at(tokio::time::Instant::now() + beat, beat);
        let mut connection = Speaking::Opening(Box::new(Opening {
            io: self.io,
            activity: activity.clone(),
            settings: self.settings,
            answer,
            holds,
        }));
        let mut closes = pin!(closes);
        let mut closing = false;
        // The connection goes first and nearly always alone.
        let cut_off = poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.poll(cx) {
                return Poll::Ready(ended.err().and_then(|error| refused(&error)));
            }
            if !closing && closes.as_mut().poll(cx).is_ready() {
                closing = true;
                connection.graceful_shutdown();
                cx.waker().wake_by_ref();
            }
            while beats.poll_tick(cx).is_ready() {
                match watch.beat(&activity) {
                    Verdict::Fine => {}
                    // Asked to close, and did not.
                    Verdict::Idle if closing => return Poll::Ready(None),
                    Verdict::Idle => {
                        closing = true;
                        connection.graceful_shutdown();
                        cx.waker().wake_by_ref();
                    }
                    Verdict::Stalled => {
                        return Poll::Ready(activity.is_in_head().then_some("slow_head"));
                    }
                    // Its end would be that of the call.
                    Verdict::Unread if activity.tie().goes_on() => {}
                    Verdict::Unread => return Poll::Ready(Some("slow_read")),
                }
            }
            Poll::Pending
        })
        .await;
        activity.flood().map(|flood| flood.0).or(cut_off)
    }
}

/// Why hyper refused what came in; `None` if it ended for any other reason.
fn refused(error: &hyper::Error) -> Option<&'static str> {
    tracing::debug!(
        error = error as &(dyn Error + 'static),
        "a connection ended with an error"
    );
    if error.is_parse_too_large() {
        Some("head_too_large")
    } else if error.is_parse() {
        Some("malformed")
    } else {
        error.source()?.downcast_ref().and_then(ended_by_h2)
    }
}

/// Why h2 ended a connection; `None` if its client did.
fn ended_by_h2(error: &h2::Error) -> Option<&'static str> {
    let ours = error.is_library() && !error.is_io();
    match error.reason().filter(|_| ours)? {
        Reason::NO_ERROR => None,
        Reason::ENHANCE_YOUR_CALM => Some("http2_flood"),
        _ => Some("malformed"),
    }
}

fn limits(settings: &Settings) -> Limits {
    let beat = settings.header_timeout / BEATS;
    let beats = |time: Duration| {
        let beats = time.as_nanos().div_ceil(beat.as_nanos().max(1));
        u32::try_from(beats).unwrap_or(u32::MAX)
    };
    Limits {
        head: BEATS,
        idle: beats(settings.idle_timeout),
        read: beats(settings.write_timeout),
    }
}
