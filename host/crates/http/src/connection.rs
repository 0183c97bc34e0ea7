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
#[cfg(test)]
mod tests;
mod unread;
mod watched;

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
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::aside::heaped;
pub use activity::{Activity, Serving};
use activity::{Limits, Verdict, Watch};
pub use lasting::Lasting;
pub use leaving::Leaves;
pub use unread::{Refusals, Unread};
use watched::Watched;

/// HTTP/2 flow-control windows, in bytes, as Envoy advises for edges: a stream
/// can't make the host hold more than this of a body that nobody reads.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of responses that a stream may hold back: a client may close its window.
const SEND_BUFFER: usize = 256 << 10;
/// Streams that a client may take back before the host has looked at them; h2's own
/// value, told here because rapid reset (CVE-2023-44487) hangs on it.
const RESET_UNSEEN: usize = 20;
/// Streams that the host may have to reset for a client's faults, on one connection:
/// an honest client makes none. MadeYouReset, CVE-2025-8671.
const RESET_BY_FAULT: usize = 100;

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
    beat: Duration,
    builder: auto::Builder<TokioExecutor>,
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
            beat: settings.header_timeout / BEATS,
            builder: builder(settings),
        }
    }

    /// What it is doing.
    pub fn activity(&self) -> &Arc<Activity<T>> {
        &self.activity
    }

    /// Serves until it ends, or is idle when `closes` is ready, which is asked at each
    /// turn of the connection. Gives the reason if the client was cut off.
    pub async fn serve<V, B>(
        self,
        service: V,
        closes: impl Future<Output = ()>,
    ) -> Option<&'static str>
    where
        V: Service<Request<Incoming>, Response = Response<B>>,
        V::Future: 'static,
        V::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
        TokioExecutor: auto::HttpServerConnExec<V::Future, B>,
    {
        let (activity, beat) = (self.activity, self.beat);
        let (io, builder) = (TokioIo::new(self.io), self.builder);
        let mut watch = Watch::new(self.limits);
        let mut beats = tokio::time::interval_at(tokio::time::Instant::now() + beat, beat);
        let mut connection = heaped(|| builder.serve_connection_with_upgrades(io, service));
        let mut closes = pin!(closes);
        let mut closing = false;
        // The connection goes first and nearly always alone.
        let cut_off = poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended.err().and_then(|error| refused(&*error)));
            }
            if !closing && closes.as_mut().poll(cx).is_ready() {
                closing = true;
                connection.as_mut().graceful_shutdown();
                cx.waker().wake_by_ref();
            }
            while beats.poll_tick(cx).is_ready() {
                match watch.beat(&activity) {
                    Verdict::Fine => {}
                    // Asked to close, and did not.
                    Verdict::Idle if closing => return Poll::Ready(None),
                    Verdict::Idle => {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
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
fn refused(error: &(dyn Error + 'static)) -> Option<&'static str> {
    tracing::debug!(error, "a connection ended with an error");
    let error = error.downcast_ref::<hyper::Error>()?;
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

fn builder(settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .keep_alive(true)
        .max_buf_size(settings.max_header_bytes)
        .max_headers(settings.max_headers)
        // Who has left is told from the socket: hyper would read for it, and is
        // blind once it has read what comes next.
        .half_close(true)
        // Most answers are short: one buffer costs less than a list of them.
        .writev(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(settings.http2_streams)
        // Also bounds the CONTINUATION frames of a head.
        .max_header_list_size(u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESET_UNSEEN)
        .max_local_error_reset_streams(RESET_BY_FAULT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(settings.idle_timeout);
    builder
}
