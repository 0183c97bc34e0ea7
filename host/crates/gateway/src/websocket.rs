//! WebSockets through to an upstream: a client that asks for one, over HTTP/1.1 by
//! `Upgrade` (RFC 6455) or over HTTP/2 by an extended CONNECT (RFC 8441), is joined
//! with the instance that agrees.
//!
//! Until then it is a request like any other: access, limits and balancing apply. No
//! other protocol is begun here, and components have no interface for this one.

mod frames;
mod tunnel;

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Request};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::client::{Activity, Serving};
use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::forward;
use super::input::Limited;
use super::respond::{self, Over, Refusal, Response};
use stoa_http::shutdown::Drain;
use stoa_mesh::Guard;
use stoa_mesh::upstream::{FarEnd, Switched, Upstream};
use stoa_settings::OnDisconnect;
use stoa_settings::config::AccessLog;
use tunnel::{Carried, Ends, Times};

const NAME: &str = "websocket";

/// A client's wish for a WebSocket, with its end of the tunnel to be.
#[derive(Clone)]
pub(super) struct Wish {
    stream: OnUpgrade,
    over: Over,
    activity: Arc<Activity>,
    drain: Drain,
}

/// Keeps the wish of a request for a WebSocket with it, which then reads as the GET that
/// it is. What asks for another protocol, does not get it.
pub(super) fn note(request: &mut Request<Incoming>, activity: &Arc<Activity>, drain: &Drain) {
    let Some(stream) = request.extensions_mut().remove::<OnUpgrade>() else {
        return;
    };
    let Some(over) = wished(request) else {
        return;
    };
    if over == Over::Http2 {
        request.extensions_mut().remove::<Protocol>();
        *request.method_mut() = Method::GET;
    }
    request.extensions_mut().insert(Wish {
        stream,
        over,
        activity: activity.clone(),
        drain: drain.clone(),
    });
}

fn wished(request: &Request<Incoming>) -> Option<Over> {
    if let Some(protocol) = request.extensions().get::<Protocol>() {
        return (protocol.as_str() == NAME).then_some(Over::Http2);
    }
    let lists = |name, wanted: &str| {
        let values = request.headers().get_all(name).iter();
        let mut words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        words.any(|word| word.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let bare = request.method() == Method::GET && http_body::Body::is_end_stream(request.body());
    let asks = lists(header::CONNECTION, "upgrade") && lists(header::UPGRADE, NAME);
    (bare && asks).then_some(Over::Http1)
}

/// Whether a request asks for a protocol by an extended CONNECT, and for none that there is.
pub(super) fn is_of_another_protocol(parts: &Parts) -> bool {
    parts.extensions.get::<Protocol>().is_some()
}

// === impl Wish ===

impl Wish {
    /// The wish of a request.
    pub(super) fn of(parts: &mut Parts) -> Option<Self> {
        parts.extensions.remove()
    }

    /// Asks the upstream of a request that was let in, and joins both ends if it agrees.
    pub(super) async fn answer(
        self,
        exchange: &mut Exchange,
        endpoint: &Endpoint,
        guard: &Guard<Arc<Upstream>>,
        access_log: AccessLog,
    ) -> Result<Response, Refusal> {
        let body = exchange.take_body();
        let taken = Limited::new(body, endpoint.body_limit(), &endpoint.host);
        let (body, upload) = taken.map_err(Refusal::Body)?;
        let context = exchange.context(endpoint.route.priority);
        let (head, origin) = (exchange.take_head(), &exchange.origin);
        let request = http::Request::from_parts(head, body);
        let mut request = forward::outside(request, origin, &context, &exchange.client);
        if self.over == Over::Http2 {
            request
                .headers_mut()
                .insert(header::SEC_WEBSOCKET_KEY, key());
        }
        // Nobody else has a use for it, whatever its route says.
        if let Some(tie) = &context.tie {
            tie.wait(OnDisconnect::Cancel);
        }
        let switched = guard.switch(request, &context, &upload).await;
        match switched.map_err(Refusal::Call)? {
            // It would open the stream.
            Switched::Declined(response)
                if self.over == Over::Http2 && response.status().is_success() =>
            {
                let reason = format!("it answers {} without a WebSocket", response.status());
                Err(Refusal::Call(guard.useless(reason, &context.trace)))
            }
            Switched::Declined(response) => Ok(respond::pass(response)),
            Switched::Agreed(headers, far) => {
                let response = respond::switched(headers, self.over);
                let record = Record::of(exchange, endpoint, access_log);
                self.begin(far, record);
                Ok(response)
            }
        }
    }

    /// Joins both ends as soon as the client has the answer.
    fn begin(self, far: FarEnd, record: Record) {
        if self.over == Over::Http1 {
            self.activity.leaves_http();
        }
        let serving = self.activity.serve();
        tokio::spawn(async move { run(self, far, serving, &record).await });
    }
}

async fn run(wish: Wish, far: FarEnd, _serving: Serving, record: &Record) {
    let FarEnd { stream: far, held } = far;
    // Where one does not come about, its connection has ended.
    let Ok((client, far)) = tokio::try_join!(wish.stream, far) else {
        return;
    };
    let times = Times {
        idle: held.idle,
        leave: held.limit,
    };
    let leaving = || async {
        tokio::select! {
            () = wish.drain.begun() => {}
            () = held.recalled() => {}
        }
    };
    let carried = Carried::default();
    let ends = Ends {
        client: TokioIo::new(client),
        far: TokioIo::new(far),
    };
    let end = tunnel::join(ends, &carried, times, leaving).await;
    record.write(end, &carried, held.instance());
}

/// The nonce of a handshake that has none, section 4.1.
fn key() -> HeaderValue {
    let nonce: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    HeaderValue::try_from(STANDARD.encode(nonce)).expect("base64 is printable")
}

/// What the log tells of a WebSocket at its end.
struct Record {
    wanted: bool,
    began: Instant,
    path: String,
    client: std::net::IpAddr,
    request: String,
    trace: String,
    service: Arc<str>,
    number: u64,
}

impl Record {
    fn of(exchange: &Exchange, endpoint: &Endpoint, access_log: AccessLog) -> Self {
        Self {
            wanted: access_log == AccessLog::All,
            began: exchange.began,
            path: exchange.head.uri.path().to_owned(),
            client: exchange.client.address(),
            request: exchange.origin.request_id.to_string(),
            trace: exchange.origin.trace_id(),
            service: endpoint.service().clone(),
            number: endpoint.number(),
        }
    }

    fn write(&self, end: tunnel::End, carried: &Carried, instance: &str) {
        use std::sync::atomic::Ordering::Relaxed;
        if !self.wanted {
            return;
        }
        tracing::info!(
            url.path = self.path,
            client.ip = %self.client,
            http.request.id = self.request,
            trace.id = self.trace,
            event.duration = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX),
            http.request.body.bytes = carried.up.load(Relaxed),
            http.response.body.bytes = carried.down.load(Relaxed),
            service.name = &*self.service,
            service.version = self.number,
            instance,
            "a WebSocket ended: {end:?}"
        );
    }
}
