//! One request, from its head to its response's head.

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use hyper::body::Incoming;

use super::Client;
use super::Gateway;
use super::cors::{self, Cors};
use super::endpoint::{Destination, Endpoint};
use super::exchange::Exchange;
use super::identity::{Denied, LastToken};
use super::input::RequestBody;
use super::min_rate::MinRate;
use super::onward::Onward;
use super::origin::Origin;
use super::respond::{self, Refusal, Response};
use super::rest::Wire;
use super::serve::serve;
use super::table::{Found, Table};
use super::validators::Condition;
use super::websocket::{self, Wish};
use stoa_call::Tie;
use stoa_http::aside::aside;
use stoa_settings::config::AccessLog;
use stoa_settings::spelling;

impl Gateway {
    /// Answers a request. There is always an answer.
    pub(super) async fn handle(
        &self,
        request: Request<Incoming>,
        client: &Arc<Client>,
        last: &LastToken,
        tie: &Tie,
    ) -> Response {
        let _active = self.active.enter();
        let (head, body) = request.into_parts();
        let stands = client.stands();
        // HTTP/2 says so in a frame of its own.
        let says_last = stands.is_err() && head.version < Version::HTTP_2;
        let (client, told) = match self.proxies.client(client, &head.headers) {
            Ok(told) => (told.into_owned(), Ok(())),
            Err(fault) => (client.clone(), Err(Refusal::BadRequest(fault))),
        };
        let (body, rest) = Wire::new(&head, body, MinRate::of(&self.settings));
        let exchange = Exchange::new(head, RequestBody::Wire(body), client, tie);
        let mut request = Unanswered::new(self, exchange);
        let exchange = &mut request.exchange;
        let address = self.rates.admit_address(&exchange.client).map(|()| None);
        let found = exchange
            .admitted(address)
            .and(stands.map_err(|ended| Refusal::Denied(Denied::Certificate(ended))))
            .and(told)
            .and_then(|()| self.find(exchange));
        let answered = match found {
            Ok(endpoint) => {
                let endpoint = request.endpoint.insert(endpoint);
                self.answer(&mut request.exchange, endpoint, last).await
            }
            Err(refusal) => Err(refusal),
        };
        let (exchange, endpoint) = request.answered();
        let mut response =
            answered.unwrap_or_else(|refusal| self.refuse(refusal, endpoint, &exchange.origin));
        if let Some(rest) = rest {
            // Whoever would have read it has not.
            drop(exchange.take_body());
            rest.settle(&mut response);
        }
        if says_last {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        let response = self.finish(exchange, endpoint, response);
        self.record(exchange, endpoint, response.status());
        response
    }

    /// Where a request goes, if it can go anywhere.
    fn find(&self, exchange: &mut Exchange) -> Result<Arc<Endpoint>, Refusal> {
        let head = &exchange.head;
        if target_length(&head.uri) > self.settings.max_uri_bytes {
            return Err(Refusal::UriTooLong);
        }
        // hyper sees to it for HTTP/1 only.
        if head.headers.len() > self.settings.max_headers {
            return Err(Refusal::TooManyFields);
        }
        let (path, query) = (head.uri.path(), head.uri.query());
        spelling::check(path).map_err(Refusal::BadRequest)?;
        query
            .map_or(Ok(()), spelling::check_query)
            .map_err(Refusal::BadRequest)?;
        let host = host(head)?;
        // RFC 9110, section 9.3.7: it asks for what the host takes, not for a route.
        if path == "*" {
            return Err(match head.method {
                Method::OPTIONS => Refusal::Options(ANY_METHOD.to_vec()),
                _ => Refusal::BadRequest("only OPTIONS takes the target `*`: expected a path"),
            });
        }
        let table = self.table.load();
        let preflight = cors::preflight_for(head).and_then(|method| {
            let found = table.find(host, &method, path);
            matches!(&found, Found::Endpoint(endpoint, _) if endpoint.cors.is_some())
                .then_some(found)
        });
        match preflight.unwrap_or_else(|| table.find(host, &head.method, path)) {
            Found::Endpoint(endpoint, _) if is_ambiguous(&table, host, head, &endpoint) => Err(
                Refusal::BadRequest("the path has another spelling that another route takes"),
            ),
            // RFC 9110, section 9.3.8: it sends a client's secrets back. Who wants that
            // names the method.
            Found::Endpoint(endpoint, _)
                if head.method == Method::TRACE && endpoint.route.method.is_none() =>
            {
                Err(Refusal::MethodNotAllowed(ANY_METHOD.to_vec()))
            }
            Found::Endpoint(endpoint, parameters) => {
                exchange.places = parameters.places(path);
                Ok(endpoint)
            }
            Found::OtherMethods(methods) if head.method == Method::OPTIONS => {
                Err(Refusal::Options(methods))
            }
            Found::OtherMethods(methods) => Err(Refusal::MethodNotAllowed(methods)),
            Found::Nothing => Err(Refusal::NoRoute {
                nearest: table.nearest(host, &head.method, path),
            }),
        }
    }

    /// The stages of a request, in their order: each may answer or refuse it.
    async fn answer(
        &self,
        exchange: &mut Exchange,
        endpoint: &Arc<Endpoint>,
        last: &LastToken,
    ) -> Result<Response, Refusal> {
        if let Some(cors) = &endpoint.cors
            && let Some(method) = cors::preflight_for(&exchange.head)
        {
            let told = cors.preflight(exchange.page.as_ref(), &method);
            return Ok(respond::preflight(told));
        }
        // Before all else that could answer: what is kept is not served meanwhile either.
        endpoint.check_intake()?;
        let access = &endpoint.route.access;
        let (headers, client) = (&exchange.head.headers, &exchange.client);
        let caller = match self.identity.identify(access, headers, client, last).await {
            Ok(caller) => caller,
            Err(denied) => {
                // Who tries out credentials is told to wait, as who has one.
                if !matches!(denied, Denied::Unchecked(_)) {
                    let admitted = self.rates.admit_denied(endpoint, &exchange.client);
                    exchange.admitted(admitted)?;
                }
                return Err(Refusal::Denied(denied));
            }
        };
        let principal = caller.principal.as_deref();
        let admitted = self.rates.admit(endpoint, &exchange.client, principal);
        exchange.admitted(admitted)?;
        caller.keep_credential(&mut exchange.head.headers);
        exchange.is_let_in(caller.principal, endpoint.deadline(exchange.began));
        let mut response = self.kept(exchange, endpoint).await?;
        if endpoint.cors.is_some() {
            Cors::silence(response.headers_mut());
        }
        Ok(response)
    }

    /// Answers a request that was let in: by what was kept for it, or by its service.
    async fn kept(
        &self,
        exchange: &mut Exchange,
        endpoint: &Arc<Endpoint>,
    ) -> Result<Response, Refusal> {
        if let Some(wish) = Wish::of(&mut exchange.head) {
            return aside(|| wish.answer(exchange, endpoint, self.access_log)).await;
        }
        exchange.target = self.cache.target(&exchange.client, &exchange.head);
        if let Some(key) = self.idempotency.key(endpoint, &exchange.head)? {
            let request = Onward::of(exchange, endpoint);
            return aside(|| self.idempotency.answer(key, request)).await;
        }
        let condition = Condition::of(exchange, endpoint);
        if let Some(rule) = self.cache.takes(endpoint, &exchange.head) {
            let request = Onward::of(exchange, endpoint);
            let response = aside(|| self.cache.answer(request, rule)).await?;
            return condition.check(response);
        }
        let response = serve(exchange, endpoint).await?;
        match endpoint.destination {
            Destination::Function(_) => condition.apply(response),
            Destination::Handler(_) | Destination::Upstream(_) => Ok(response),
        }
    }

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
        let metrics = endpoint.map_or(&self.unrouted, |endpoint| &endpoint.metrics);
        metrics.observe(exchange.head.method.as_str(), status.as_u16(), took);
        let wanted = match self.access_log {
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

/// A request that has no answer yet. Dropped on its way to its service, its client has
/// left and none is made.
struct Unanswered<'g> {
    gateway: &'g Gateway,
    exchange: Exchange,
    /// Where it goes, once that is known.
    endpoint: Option<Arc<Endpoint>>,
    is_answered: bool,
}

impl<'g> Unanswered<'g> {
    fn new(gateway: &'g Gateway, exchange: Exchange) -> Self {
        Self {
            gateway,
            exchange,
            endpoint: None,
            is_answered: false,
        }
    }

    fn answered(&mut self) -> (&mut Exchange, Option<&Endpoint>) {
        self.is_answered = true;
        (&mut self.exchange, self.endpoint.as_deref())
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(endpoint) = &self.endpoint
            && !self.is_answered
        {
            let status = respond::client_left();
            self.gateway.record(&self.exchange, Some(endpoint), status);
        }
    }
}

/// Whether who gets the raw path could take it for one of another route, or of none.
/// A function does not see the path: its parameters are read here.
fn is_ambiguous(table: &Table, host: Option<&str>, head: &Parts, endpoint: &Endpoint) -> bool {
    if matches!(endpoint.destination, Destination::Function(_)) {
        return false;
    }
    let Cow::Owned(lax) = spelling::laxest(head.uri.path()) else {
        return false;
    };
    let other = table.find_decoded(host, &head.method, &lax);
    other.is_none_or(|other| !other.is_of_the_same_route(endpoint))
}

/// What a route for any method is told to allow.
const ANY_METHOD: [Method; 7] = [
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
];

/// Bytes of a request's target.
fn target_length(uri: &Uri) -> usize {
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let authority = uri.authority().map_or(0, |name| name.as_str().len());
    path + authority
}

/// The host that a request names, without its port. HTTP/1.1 asks for exactly one,
/// RFC 9112 section 3.2; two are a way to make gateways disagree.
fn host(parts: &Parts) -> Result<Option<&str>, Refusal> {
    let mut values = parts.headers.get_all(header::HOST).iter();
    if websocket::is_of_another_protocol(parts) {
        return Err(Refusal::OtherProtocol);
    }
    if parts.method == Method::CONNECT {
        return Err(Refusal::BadRequest(
            "this is no proxy: CONNECT leads nowhere",
        ));
    }
    if let Some(authority) = parts.uri.authority() {
        if parts.uri.scheme().is_none() {
            return Err(Refusal::BadRequest(
                "expected a target that begins with a slash, such as `GET /products`",
            ));
        }
        // RFC 9110, section 4.2.4: user information is a way to show another host.
        if authority.as_str().contains('@') {
            return Err(Refusal::BadRequest("the target has user information"));
        }
        // RFC 9112 section 3.2.2 would have the header ignored; RFC 9113 section
        // 8.3.1 has such a request malformed.
        let agree = |value: &HeaderValue| {
            let value = value.as_bytes();
            value.eq_ignore_ascii_case(authority.as_str().as_bytes())
        };
        return if values.all(agree) {
            Ok(Some(authority.host()))
        } else {
            Err(Refusal::BadRequest(
                "the Host header is not the target's host",
            ))
        };
    }
    let (Some(value), None) = (values.next(), values.next()) else {
        return match parts.version {
            Version::HTTP_10 if !parts.headers.contains_key(header::HOST) => Ok(None),
            _ => Err(Refusal::BadRequest("expected exactly one Host header")),
        };
    };
    let value = value
        .to_str()
        .map_err(|_| Refusal::BadRequest("the Host header is not text"))?;
    // The port follows the last colon, unless that is inside an IPv6 address.
    let name = match value.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => value,
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]!$&'()*+,;=%".contains(&byte);
    if name.bytes().all(legal) {
        Ok(Some(name))
    } else {
        Err(Refusal::BadRequest("the Host header is not a host name"))
    }
}
