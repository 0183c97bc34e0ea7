//! One request, from its head to its response's head.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, Version, header};
use hyper::body::Incoming;

use super::Gateway;
use super::client::Client;
use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::identity::{Denied, LastToken};
use super::input::RequestBody;
use super::origin::Origin;
use super::plan::{Met, Plan};
use super::respond::{self, Refusal, Response};
use stoa_call::Tie;
use stoa_http::min_rate::MinRate;
use stoa_http::remainder::{IncomingBody, Remainder};
use stoa_settings::config::AccessLog;
use stoa_telemetry::metrics::{ActiveRequest, Held};

/// What the requests of a connection have in common.
pub(super) struct Line {
    pub(super) gateway: Arc<Gateway>,
    /// Who is at its other end.
    pub(super) client: Arc<Client>,
    pub(super) last: LastToken,
}

/// A request that has no answer yet. Dropped on its way to its service, its client has
/// left and none is made.
pub(super) struct Unanswered {
    line: Arc<Line>,
    exchange: Exchange,
    /// What of its body nobody may read.
    rest: Option<Arc<Remainder>>,
    /// Its way, or why it has none, until that is told.
    way: Result<Held<Plan>, Option<Refusal>>,
    /// It is the last of its connection, over HTTP/1.
    is_last: bool,
    is_answered: bool,
    _active: ActiveRequest,
}

impl Unanswered {
    /// Takes a request in and finds its way.
    pub(super) fn new(line: Arc<Line>, request: Request<Incoming>, tie: &Tie) -> Self {
        let active = line.gateway.active.enter();
        let (head, body) = request.into_parts();
        let (client, told) = line.client_of(&head);
        let settings = &line.gateway.settings;
        let rate = MinRate {
            grace: settings.body_timeout,
            bytes_per_second: settings.body_rate,
        };
        let (body, rest) = IncomingBody::new(&head, body, rate);
        // Made in its place: it is too large to be moved.
        let mut this = Self {
            exchange: Exchange::new(head, RequestBody::Wire(body), client, tie),
            line,
            rest,
            way: Err(None),
            is_last: false,
            is_answered: false,
            _active: active,
        };
        this.way = this.find(told).map_err(Some);
        this
    }

    /// Its way, if it may go one; `told` is what proxies say of its client.
    fn find(&mut self, told: Result<(), Refusal>) -> Result<Held<Plan>, Refusal> {
        let (gateway, exchange) = (&*self.line.gateway, &mut self.exchange);
        let stands = self.line.client.stands();
        // HTTP/2 says so in a frame of its own.
        self.is_last = stands.is_err() && exchange.head.version < Version::HTTP_2;
        let address = gateway.shared.rates.admit_address(&exchange.client);
        exchange.admitted(address.map(|()| None))?;
        stands.map_err(|ended| Refusal::Denied(Denied::Certificate(ended)))?;
        told?;
        gateway.find(exchange)
    }

    /// Answers it. There is always an answer.
    pub(super) async fn answer(&mut self) -> Response {
        let met = match &mut self.way {
            Ok(plan) => plan.request(&mut self.exchange, &self.line.last).await,
            Err(refusal) => {
                let refusal = refusal.take();
                Met::refused(refusal.unwrap_or(Refusal::NoRoute { nearest: None }))
            }
        };
        self.is_answered = true;
        self.respond(met)
    }

    /// The way back of what it met.
    fn respond(&mut self, met: Met) -> Response {
        let Met { passed, answer } = met;
        let (gateway, exchange) = (&*self.line.gateway, &mut self.exchange);
        let to = self.way.as_ref().ok().map(|plan| &*plan.endpoint);
        let mut response =
            answer.unwrap_or_else(|refusal| gateway.refuse(refusal, to, &exchange.origin));
        match &self.way {
            Ok(plan) => plan.response(exchange, passed, &mut response),
            Err(_) => gateway.unrouted.response(exchange, &mut response),
        }
        if let Some(rest) = self.rest.take() {
            // Whoever would have read it has not.
            drop(exchange.take_body());
            rest.settle(&mut response);
        }
        if self.is_last {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        gateway.finish(exchange, &mut response);
        gateway.record(exchange, to, response.status());
        response
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Ok(plan) = &self.way
            && !self.is_answered
        {
            let status = respond::client_left();
            let to = Some(&*plan.endpoint);
            self.line.gateway.record(&self.exchange, to, status);
        }
    }
}

// === impl Line ===

impl Line {
    /// Who sends a request, and what is wrong with what it says of that.
    fn client_of(&self, head: &Parts) -> (Arc<Client>, Result<(), Refusal>) {
        match self.gateway.proxies.client(&self.client, &head.headers) {
            Ok(told) => (told.into_owned(), Ok(())),
            Err(fault) => (self.client.clone(), Err(Refusal::BadRequest(fault))),
        }
    }
}

impl Gateway {
    fn refuse(&self, refusal: Refusal, endpoint: Option<&Endpoint>, origin: &Origin) -> Response {
        if let Some(reason) = respond::reason(&refusal) {
            self.metrics.rejected(reason).inc();
            let service = endpoint.map(|endpoint| &**endpoint.service());
            tracing::debug!(
                reason,
                service,
                trace.id = origin.trace_id(),
                "request refused: {refusal:?}"
            );
        }
        respond::refuse(refusal, origin)
    }

    fn record(&self, exchange: &Exchange, endpoint: Option<&Endpoint>, status: StatusCode) {
        let took = exchange.began.elapsed();
        let metrics = endpoint.map_or(&self.nowhere, |endpoint| &endpoint.metrics);
        metrics.observe(exchange.head.method.as_str(), status.as_u16(), took);
        let wanted = match self.shared.access_log {
            AccessLog::Off => false,
            AccessLog::Errors => status.is_server_error(),
            AccessLog::All => true,
        };
        if wanted {
            tracing::info!(
                http.request.method = exchange.head.method.as_str(),
                url.path = exchange.head.uri.path(),
                http.response.status_code = status.as_u16(),
                client.ip = %exchange.client.address(),
                http.request.id = %exchange.origin.request_id,
                trace.id = exchange.origin.trace_id(),
                event.duration = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
                service.name = endpoint.map(|endpoint| &**endpoint.service()),
                service.version = endpoint.map(Endpoint::number),
                "request"
            );
        }
    }
}
