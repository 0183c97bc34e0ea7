//! One client connection, HTTP/1.1 or HTTP/2, from its first byte to its last.
//!
//! Timeouts are kept by a slow beat instead of a timer a request: at each beat
//! the connection is either serving, in the middle of a request's head, or idle.
//! A head that takes too long is cut off; an idle connection is closed politely.

mod activity;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;

use super::Gateway;
use super::client::Client;
use crate::shutdown::Drain;
pub(super) use activity::Serving;
use activity::{Activity, Verdict, Watched};

/// The least that hyper's HTTP/1 buffer may be set to.
const MIN_BUFFER: usize = 8192;
/// HTTP/2 flow-control windows, in bytes, as Envoy advises for edges: a stream
/// can't make the host hold more than this of a body that nobody reads.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Beats in the time that a head may take: how exact its timeout is.
const BEATS: u32 = 4;

/// Serves a connection until it ends, or is idle when the drain begins.
pub(super) async fn serve(gateway: Arc<Gateway>, stream: TcpStream, client: Client, drain: Drain) {
    let activity = Arc::new(Activity::default());
    let io = TokioIo::new(Watched::new(stream, activity.clone()));
    let builder = builder(&gateway);
    let beat = gateway.settings.header_timeout / BEATS;
    let idle_beats = gateway
        .settings
        .idle_timeout
        .as_millis()
        .div_ceil(beat.as_millis().max(1));
    let service = {
        let activity = activity.clone();
        let client = Arc::new(client);
        service_fn(move |request| {
            let (gateway, client) = (gateway.clone(), client.clone());
            let serving = activity.serve();
            async move {
                let response = gateway.handle(request, &client).await;
                Ok::<_, Infallible>(response.map(|body| body.with_guard(serving)))
            }
        })
    };
    let mut watch = activity::Watch::new(BEATS, u32::try_from(idle_beats).unwrap_or(u32::MAX));
    let mut beats = tokio::time::interval_at(tokio::time::Instant::now() + beat, beat);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut draining = pin!(drain.begun());
    let mut closing = false;
    // The connection goes first and nearly always alone.
    poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended with an error");
            }
            return Poll::Ready(());
        }
        if !closing && draining.as_mut().poll(cx).is_ready() {
            closing = true;
            connection.as_mut().graceful_shutdown();
            cx.waker().wake_by_ref();
        }
        while beats.poll_tick(cx).is_ready() {
            match watch.beat(&activity) {
                Verdict::Fine => {}
                Verdict::Idle if closing => {}
                Verdict::Idle => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                    cx.waker().wake_by_ref();
                }
                Verdict::Stalled => return Poll::Ready(()),
            }
        }
        Poll::Pending
    })
    .await;
}

fn builder(gateway: &Gateway) -> auto::Builder<TokioExecutor> {
    let settings = &gateway.settings;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .keep_alive(true)
        .max_buf_size(settings.max_header_bytes.max(MIN_BUFFER))
        .max_headers(settings.max_headers)
        // Closing half a connection is how some clients say that they are done.
        .half_close(true)
        // Most answers are short: one buffer costs less than a list of them.
        .writev(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.http2_streams)
        .max_header_list_size(u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(settings.idle_timeout);
    builder
}
