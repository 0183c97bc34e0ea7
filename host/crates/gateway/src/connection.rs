//! One client connection, HTTP/1.1 or HTTP/2, from its first byte to its last.
//!
//! Timeouts are kept by a slow beat instead of a timer a request: at each beat
//! the connection is either serving, in the middle of a request's head, or idle.
//! A head that takes too long is cut off, and so is a client that does not read; an
//! idle connection is closed politely.

mod activity;
mod behind;
mod framing;
mod lasting;
mod leaving;
mod unread;
mod watched;

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::Either;
use h2::Reason;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Client;
use super::identity::LastToken;
use super::{Gateway, websocket};
pub(super) use activity::{Activity, Serving};
use activity::{Limits, Verdict, Watch};
use lasting::Lasting;
pub(super) use leaving::Leaves;
use stoa_http::aside::heaped;
use stoa_http::shutdown::Drain;
use stoa_settings::config;
use unread::Unread;
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

/// Serves a connection until it ends, or is idle when the drain begins. `held` is held
/// as long as its socket is open: a WebSocket takes that over.
pub(super) async fn serve<S, H>(
    gateway: Arc<Gateway>,
    (stream, held): (S, H),
    client: Client,
    drain: Drain,
) where
    S: AsyncRead + AsyncWrite + Leaves + Unpin + Send + 'static,
    H: Unpin + Send + 'static,
{
    let limits = limits(&gateway.settings);
    let activity = Arc::new(Activity::new(&limits));
    let unread = Unread::new(gateway.clone(), client.over_tls());
    let io = TokioIo::new(Watched::new((stream, held), activity.clone(), unread));
    let builder = builder(&gateway.settings);
    let beat = gateway.settings.header_timeout / BEATS;
    let client = Arc::new(client);
    let service = {
        let (gateway, activity) = (gateway.clone(), activity.clone());
        let (client, last) = (client.clone(), Arc::new(LastToken::default()));
        let drain = drain.clone();
        service_fn(move |mut request| {
            websocket::note(&mut request, &activity, &drain);
            let (gateway, client, last) = (gateway.clone(), client.clone(), last.clone());
            let serving = activity.serve();
            let lasts = activity
                .is_http2()
                .then(|| (serving.tie().clone(), gateway.holds.clone()));
            let answer = async move {
                let tie = serving.tie();
                let response = gateway.handle(request, &client, &last, tie).await;
                tie.answer(response.body().as_whole().is_some());
                Ok::<_, Infallible>(response.map(|body| body.with_guard(serving)))
            };
            match lasts {
                Some((tie, holds)) => Either::Right(Lasting::new(answer, tie, holds)),
                None => Either::Left(answer),
            }
        })
    };
    let mut watch = Watch::new(limits);
    let mut beats = tokio::time::interval_at(tokio::time::Instant::now() + beat, beat);
    let mut connection = heaped(|| builder.serve_connection_with_upgrades(io, service));
    let mut draining = pin!(drain.begun());
    let mut closing = false;
    // The connection goes first and nearly always alone.
    let cut_off = poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(ended.err().and_then(|error| refused(&*error)));
        }
        if !closing && (client.has_ended() || draining.as_mut().poll(cx).is_ready()) {
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
    if let Some(reason) = activity.flood().map(|flood| flood.0).or(cut_off) {
        gateway.metrics.rejected(reason).inc();
        tracing::debug!(reason, "a connection was cut off");
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

fn limits(settings: &config::Gateway) -> Limits {
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

fn builder(settings: &config::Gateway) -> auto::Builder<TokioExecutor> {
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
