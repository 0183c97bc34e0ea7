//! hyper's side of a connection, of the HTTP that its client speaks.

use std::convert::Infallible;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, Service};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::activity::{Activity, Serving};
use super::lasting::Lasting;
use super::leaving::Leaves;
use super::version::Version;
use super::watched::Watched;
use super::{CONNECTION_WINDOW, Settings, Tie};
use crate::aside::heaped;
use crate::shutdown::Holds;

/// An HTTP/2 stream's flow-control window, in bytes, as Envoy advises for edges: it can't
/// make the host hold more than this of a body that nobody reads.
const STREAM_WINDOW: u32 = 64 << 10;
/// Bytes of responses that a stream may hold back: a client may close its window.
const SEND_BUFFER: usize = 256 << 10;
/// Streams that a client may take back before the host has looked at them; h2's own
/// value, told here because rapid reset (CVE-2023-44487) hangs on it.
const RESET_UNSEEN: usize = 20;
/// Streams that the host may have to reset for a client's faults, on one connection:
/// an honest client makes none. MadeYouReset, CVE-2025-8671.
const RESET_BY_FAULT: usize = 100;

/// What a service says to a request: there is always an answer.
type Said<B> = Result<Response<B>, Infallible>;
type Socket<S, H, T> = TokioIo<Watched<S, H, T>>;
type Http1<S, H, T, V> = http1::UpgradeableConnection<Socket<S, H, T>, OneByOne<V, T>>;
type Http2<S, H, T, V> = http2::Connection<Socket<S, H, T>, Multiplexed<V, T>, TokioExecutor>;

/// A service on HTTP/1: each request is answered on the connection's task.
pub(super) struct OneByOne<V, T> {
    answer: V,
    activity: Arc<Activity<T>>,
}

/// A service on HTTP/2, whose streams have tasks of their own. What goes on without its
/// client is held by `holds`.
pub(super) struct Multiplexed<V, T> {
    answer: V,
    activity: Arc<Activity<T>>,
    holds: Holds,
}

/// A connection, from its first byte.
pub(super) enum Speaking<S, H, T, V>
where
    S: AsyncRead + AsyncWrite + Leaves + Unpin + Send + 'static,
    H: Unpin + Send + 'static,
    T: Tie,
    OneByOne<V, T>: HttpService<Incoming>,
    Multiplexed<V, T>: HttpService<Incoming>,
{
    /// Its client has not said enough.
    Opening(Box<Opening<S, H, T, V>>),
    Http1(Pin<Box<Http1<S, H, T, V>>>),
    Http2(Pin<Box<Http2<S, H, T, V>>>),
    Over,
}

/// What becomes a connection.
pub(super) struct Opening<S, H, T, V> {
    pub(super) io: Watched<S, H, T>,
    pub(super) activity: Arc<Activity<T>>,
    pub(super) settings: Settings,
    pub(super) answer: V,
    pub(super) holds: Holds,
}

impl<V, T, F, B> Service<Request<Incoming>> for OneByOne<V, T>
where
    V: Fn(Request<Incoming>, Serving<T>) -> F,
    T: Tie,
    F: Future<Output = Said<B>>,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = F;

    fn call(&self, request: Request<Incoming>) -> F {
        (self.answer)(request, self.activity.serve())
    }
}

impl<V, T, F, B> Service<Request<Incoming>> for Multiplexed<V, T>
where
    V: Fn(Request<Incoming>, Serving<T>) -> F,
    T: Tie,
    F: Future<Output = Said<B>> + Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Lasting<Said<B>, T>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let serving = self.activity.serve();
        let tie = serving.tie().clone();
        Lasting::new((self.answer)(request, serving), tie, self.holds.clone())
    }
}

impl<S, H, T, V, F, B> Speaking<S, H, T, V>
where
    S: AsyncRead + AsyncWrite + Leaves + Unpin + Send + 'static,
    H: Unpin + Send + 'static,
    T: Tie,
    V: Fn(Request<Incoming>, Serving<T>) -> F,
    F: Future<Output = Said<B>> + Send + 'static,
    B: Body<Data: Send> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Ready at its end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        loop {
            match self {
                Self::Http1(connection) => return connection.as_mut().poll(cx),
                Self::Http2(connection) => return connection.as_mut().poll(cx),
                Self::Opening(opening) => {
                    let version = ready!(opening.io.poll_version(cx));
                    if let Self::Opening(opening) = mem::replace(self, Self::Over) {
                        *self = Self::of(*opening, version);
                    }
                }
                Self::Over => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Ends it after the requests that it has.
    pub(super) fn graceful_shutdown(&mut self) {
        match self {
            Self::Http1(connection) => connection.as_mut().graceful_shutdown(),
            Self::Http2(connection) => connection.as_mut().graceful_shutdown(),
            Self::Opening(_) | Self::Over => *self = Self::Over,
        }
    }

    /// Goes on with what its client speaks.
    fn of(opening: Opening<S, H, T, V>, version: Version) -> Self {
        let (answer, activity, io) = (opening.answer, opening.activity, TokioIo::new(opening.io));
        match version {
            Version::Http1 => Self::Http1(heaped(|| {
                let service = OneByOne { answer, activity };
                let connection = http1(&opening.settings).serve_connection(io, service);
                connection.with_upgrades()
            })),
            Version::Http2 => Self::Http2(heaped(|| {
                let service = Multiplexed {
                    answer,
                    activity,
                    holds: opening.holds,
                };
                http2(&opening.settings).serve_connection(io, service)
            })),
        }
    }
}

fn http1(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .keep_alive(true)
        .max_buf_size(settings.max_header_bytes)
        .max_headers(settings.max_headers)
        // Who has left is told from the socket: hyper would read for it, and is
        // blind once it has read what comes next.
        .half_close(true)
        // Most answers are short: one buffer costs less than a list of them.
        .writev(false);
    builder
}

fn http2(settings: &Settings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
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
