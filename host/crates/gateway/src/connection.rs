//! One client connection of the gateway: each request is handled on its task.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};

use super::client::{Client, Serving};
use super::handle::{Line, Unanswered};
use super::identity::LastToken;
use super::respond::Response;
use super::{Gateway, websocket};
pub(super) use stoa_http::connection::Leaves;
use stoa_http::connection::{Connection, Refusals, Settings, Unread};
use stoa_http::shutdown::Drain;
use stoa_settings::config;

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
    let unread = Unread::new(gateway.clone(), client.over_tls());
    let connection = Connection::new(stream, held, &settings(&gateway.settings), unread);
    let client = Arc::new(client);
    let line = Arc::new(Line {
        gateway: gateway.clone(),
        client: client.clone(),
        last: LastToken::default(),
    });
    let service = {
        let (activity, drain) = (connection.activity().clone(), drain.clone());
        move |mut request: Request<Incoming>, serving: Serving| {
            websocket::note(&mut request, &activity, &drain);
            answer(line.clone(), request, serving)
        }
    };
    let mut draining = pin!(drain.begun());
    let closes = poll_fn(|cx| match client.has_ended() {
        true => Poll::Ready(()),
        false => draining.as_mut().poll(cx),
    });
    let holds = gateway.holds.clone();
    if let Some(reason) = connection.serve(service, holds, closes).await {
        gateway.metrics.rejected(reason).inc();
        tracing::debug!(reason, "a connection was cut off");
    }
}

/// Answers a request, which is being answered until its response is sent.
async fn answer(
    line: Arc<Line>,
    request: Request<Incoming>,
    serving: Serving,
) -> Result<Response, Infallible> {
    let mut request = Unanswered::new(line, request, serving.tie());
    let mut response = request.answer().await;
    serving.tie().answer(response.body().as_whole().is_some());
    response.body_mut().guard(serving);
    Ok(response)
}

impl Refusals for Gateway {
    fn mark(&self) -> &'static [u8] {
        b"\r\nx-request-id: "
    }

    fn unread(&self, status: u16, fault: Option<&str>, over_tls: bool) -> Bytes {
        self.unread(status, fault, over_tls)
    }
}

fn settings(of: &config::Gateway) -> Settings {
    Settings {
        header_timeout: of.header_timeout,
        idle_timeout: of.idle_timeout,
        write_timeout: of.write_timeout,
        max_header_bytes: of.max_header_bytes,
        max_headers: of.max_headers,
        http2_streams: of.http2_streams,
    }
}
