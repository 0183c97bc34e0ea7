//! The requests that one service sends out: what it was granted, and within its
//! limits.
//!
//! Redirects are the guest's to follow, each as a request of its own.

use std::error::Error as _;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response, Version};
use http_body_util::BodyExt;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::answer;
use super::body::Timed;
use super::connect::{ConnectFault, Connector, System};
use super::trust::Trust;
use stoa_call::CallContext;
use stoa_settings::origin::{Origin, OriginGrant};

/// Time for a connection where the guest names none: two retransmissions of a SYN,
/// and TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for the head of a response, and between two pieces of its body, where the
/// guest names none; its call's deadline comes first in most cases.
const FIRST_BYTE: Duration = Duration::from_secs(60);
const BETWEEN_BYTES: Duration = Duration::from_secs(60);
/// Bytes that the head of a response may have.
const HEAD: usize = 64 << 10;
/// Unused connections are closed before most servers close theirs.
const IDLE: Duration = Duration::from_secs(30);
/// Unused connections kept for each origin.
const IDLE_CONNECTIONS: usize = 8;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's way from one service of this host to another.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The service that sends it.
    pub from: Arc<str>,
    /// The service that answers.
    pub to: Arc<str>,
    /// Why it is sent.
    pub errand: Errand,
}

/// Why one service sends another a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// It asks for `http://NAME.svc`, as a client of its own.
    Grant,
    /// It stands before the other, as a link says, and passes on what it got: what it
    /// tells of the client counts, as a trusted proxy's word does.
    Link,
}

/// Takes the requests to other services of this host.
pub trait Neighbours: Send + Sync {
    /// Sends a request of one service to another.
    fn send(
        &self,
        passage: Passage,
        request: Request<WasiBody>,
        context: CallContext,
    ) -> BoxFuture<'static, Result<Response<WasiBody>, Error>>;
}

/// What a service may send out, and with what.
pub struct Outgoing {
    service: Arc<str>,
    grants: Vec<OriginGrant>,
    /// Made by the first request: most services send none.
    client: OnceLock<Client<HttpsConnector<Connector>, WasiBody>>,
    trust: Arc<Trust>,
    room: Arc<Semaphore>,
    refused: Counter,
    neighbours: Arc<dyn Neighbours>,
}

/// What a service may send out.
pub struct Allowance<'a> {
    /// The service.
    pub service: &'a Arc<str>,
    /// Where to. A malformed grant grants nothing: it is refused where a revision is
    /// deployed.
    pub grants: &'a [String],
    /// Requests under way at a time.
    pub connections: u32,
}

impl Outgoing {
    /// For a service that may send so much. `refused` counts what it was not granted.
    pub fn new(
        allowance: Allowance<'_>,
        trust: &Arc<Trust>,
        refused: Counter,
        neighbours: Arc<dyn Neighbours>,
    ) -> Self {
        let grants = allowance.grants.iter();
        Self {
            service: allowance.service.clone(),
            grants: grants
                .filter_map(|text| OriginGrant::parse(text).ok())
                .collect(),
            client: OnceLock::new(),
            trust: trust.clone(),
            room: Arc::new(Semaphore::new(allowance.connections as usize)),
            refused,
            neighbours,
        }
    }

    /// The service whose requests these are.
    pub fn service(&self) -> &Arc<str> {
        &self.service
    }

    /// Sends a request of the service, in the call of `context`.
    ///
    /// # Errors
    ///
    /// The code that the guest sees. What it must not know is in the log.
    pub async fn send(
        self: Arc<Self>,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        context: CallContext,
    ) -> Result<Response<WasiBody>, Error> {
        let origin = Origin::of(request.uri()).map_err(|_| Error::HttpRequestUriInvalid)?;
        if !self.grants.iter().any(|grant| grant.allows(&origin)) {
            return Err(self.refuse(&origin, &context));
        }
        if let Some(to) = origin.service() {
            let passage = Passage {
                from: self.service.clone(),
                to: Arc::from(to),
                errand: Errand::Grant,
            };
            return self.neighbours.send(passage, request, context).await;
        }
        let permit = self.room.clone().try_acquire_owned().map_err(|_| {
            tracing::warn!(
                service.name = &*self.service,
                trace.id = context.trace.trace_id,
                "outgoing HTTP refused: as many requests are under way as limits.connections allows"
            );
            Error::ConnectionLimitReached
        })?;
        let times = Times::of(options, context.deadline);
        let mut request = prepare(request, &context);
        let mut connection = capture_connection(&mut request);
        let answered = self.client().request(request);
        tokio::pin!(answered);
        // The first timer is for the connection alone, be it new or used before.
        let early = tokio::select! {
            answered = &mut answered => Some(answered),
            connected = timeout(times.connect, connection.wait_for_connection_metadata()) => {
                connected.map_err(|_| Error::ConnectionTimeout)?;
                None
            }
        };
        let answered = match early {
            Some(answered) => answered,
            None => timeout(times.first_byte, answered)
                .await
                .map_err(|_| Error::ConnectionReadTimeout)?,
        };
        let response = answered.map_err(|fault| self.explain(&origin, &context, &fault))?;
        if let Some(fault) = answer::fault(&response) {
            tracing::warn!(
                service.name = &*self.service,
                trace.id = context.trace.trace_id,
                "outgoing HTTP to {origin} failed: {fault}"
            );
            return Err(Error::HttpProtocolError);
        }
        Ok(response.map(|body| Timed::new(body, times.between_bytes, permit).boxed_unsync()))
    }

    fn client(&self) -> &Client<HttpsConnector<Connector>, WasiBody> {
        self.client.get_or_init(|| self.make_client())
    }

    fn make_client(&self) -> Client<HttpsConnector<Connector>, WasiBody> {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(self.trust.client_config())
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Connector::new(System));
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(HEAD)
            .http2_max_header_list_size(HEAD as u32)
            .build(connector)
    }

    fn refuse(&self, origin: &Origin, context: &CallContext) -> Error {
        self.refused.inc();
        tracing::warn!(
            service.name = &*self.service,
            trace.id = context.trace.trace_id,
            "outgoing HTTP refused: {service} has no grant for {origin}; add {origin:?} to `http` in \
             [service.{service}.grants]",
            service = self.service,
            origin = origin.to_string(),
        );
        Error::HttpRequestDenied
    }

    fn explain(&self, origin: &Origin, context: &CallContext, fault: &legacy::Error) -> Error {
        let (error, reason) = code(fault);
        if matches!(error, Error::DestinationIpProhibited) {
            self.refused.inc();
        }
        tracing::warn!(
            service.name = &*self.service,
            trace.id = context.trace.trace_id,
            "outgoing HTTP to {origin} failed: {reason}"
        );
        error
    }
}

/// How long things may take.
struct Times {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
}

impl Times {
    /// The guest's, else the defaults; none goes on after the call's deadline.
    fn of(options: Option<RequestOptions>, deadline: Instant) -> Self {
        let left = deadline.saturating_duration_since(Instant::now());
        let of = |wanted: Option<Duration>, default: Duration| wanted.unwrap_or(default).min(left);
        let options = options.as_ref();
        Self {
            connect: of(options.and_then(|o| o.connect_timeout), CONNECT),
            first_byte: of(options.and_then(|o| o.first_byte_timeout), FIRST_BYTE),
            between_bytes: of(options.and_then(|o| o.between_bytes_timeout), BETWEEN_BYTES),
        }
    }
}

/// The request as it goes out: in the call's trace, unless the guest leads its own.
fn prepare(mut request: Request<WasiBody>, context: &CallContext) -> Request<WasiBody> {
    *request.version_mut() = Version::HTTP_11;
    let trace = context.trace.child().to_string();
    let id = context.request_id.to_string();
    for (name, value) in [(TRACEPARENT, trace), (REQUEST_ID, id)] {
        if let Ok(value) = HeaderValue::try_from(value)
            && !request.headers().contains_key(&name)
        {
            request.headers_mut().insert(name, value);
        }
    }
    request
}

/// The code of a failed exchange, and its causes for the log.
fn code(fault: &legacy::Error) -> (Error, String) {
    let mut reason = String::new();
    let mut found = None;
    let mut cause = fault.source();
    while let Some(one) = cause {
        reason = format!("{reason}{}{one}", if reason.is_empty() { "" } else { ": " });
        found = found.or_else(|| of_cause(one));
        cause = one.source();
    }
    let default = || match fault.is_connect() {
        true => Error::DestinationUnavailable,
        false => Error::HttpProtocolError,
    };
    (found.unwrap_or_else(default), reason)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Error> {
    if let Some(fault) = cause.downcast_ref::<ConnectFault>() {
        return Some(match fault {
            ConnectFault::Uri(_) => Error::HttpRequestUriInvalid,
            ConnectFault::Inside { .. } => Error::DestinationIpProhibited,
            ConnectFault::ResolveTimeout(_) => Error::DnsTimeout,
            ConnectFault::Resolve(..) => Error::DnsError {
                rcode: None,
                info_code: None,
            },
            ConnectFault::Connect(_, fault) => match fault.kind() {
                io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                _ => Error::DestinationUnavailable,
            },
        });
    }
    if let Some(fault) = cause.downcast_ref::<hyper::Error>() {
        return match () {
            () if fault.is_incomplete_message() => Some(Error::HttpResponseIncomplete),
            () if fault.is_parse_too_large() => Some(Error::HttpResponseHeaderSectionSize(
                u32::try_from(HEAD).ok(),
            )),
            () if fault.is_parse() => Some(Error::HttpProtocolError),
            () => None,
        };
    }
    let fault = cause.downcast_ref::<io::Error>()?;
    let tls = fault.get_ref().and_then(|inner| inner.downcast_ref());
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => Some(Error::TlsCertificateError),
        Some(_) => Some(Error::TlsProtocolError),
        None if fault.kind() == io::ErrorKind::ConnectionReset => Some(Error::ConnectionTerminated),
        None => None,
    }
}
