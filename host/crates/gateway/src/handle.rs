//! One request, from its head to its response's head.

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use hyper::body::Incoming;

use super::Gateway;
use super::admitted::Admitted;
use super::asked::Asked;
use super::cache::Write;
use super::client::Client;
use super::cors::{self, Cors};
use super::endpoint::{Destination, Endpoint};
use super::identity::{Denied, LastToken};
use super::input::RequestBody;
use super::origin::Origin;
use super::pace::Pace;
use super::respond::{self, Refusal, Response};
use super::rest::Wire;
use super::serve::serve;
use super::table::{Found, Parameters, Table};
use super::validators::Condition;
use super::websocket::{self, Wish};
use stoa_call::{CallContext, Tie};
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
        let (parts, body) = request.into_parts();
        let stands = client.stands();
        // HTTP/2 says so in a frame of its own.
        let says_last = stands.is_err() && parts.version < Version::HTTP_2;
        let (client, told) = match self.proxies.client(client, &parts.headers) {
            Ok(told) => (told, Ok(())),
            Err(fault) => (Cow::Borrowed(client), Err(Refusal::BadRequest(fault))),
        };
        let (body, rest) = Wire::new(&parts, body, Pace::of(&self.settings));
        let mut asked = Asked::new(&parts, &client);
        asked.tie = Some(tie.clone());
        let admitted = asked.admitted(self.rates.admit_address(&client).map(|()| None));
        let found = admitted
            .and(stands.map_err(|ended| Refusal::Denied(Denied::Certificate(ended))))
            .and(told)
            .and_then(|()| self.find(&parts, &asked.uri));
        let (endpoint, answered) = match found {
            Ok((endpoint, parameters)) => {
                let body = RequestBody::Wire(body);
                let unanswered = Unanswered(self, &asked, &endpoint);
                let answered = self
                    .answer(&asked, &endpoint, parts, body, &parameters, last)
                    .await;
                std::mem::forget(unanswered);
                (Some(endpoint), answered)
            }
            Err(refusal) => {
                drop(body);
                (None, Err(refusal))
            }
        };
        let endpoint = endpoint.as_deref();
        let mut response =
            answered.unwrap_or_else(|refusal| self.refuse(refusal, endpoint, &asked.origin));
        if let Some(rest) = rest {
            rest.settle(&mut response);
        }
        if says_last {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        let response = self.finish(&asked, endpoint, response);
        self.record(&asked, endpoint, response.status());
        response
    }

    fn find<'u>(
        &self,
        parts: &Parts,
        uri: &'u Uri,
    ) -> Result<(Arc<Endpoint>, Parameters<'u>), Refusal> {
        if target_length(uri) > self.settings.max_uri_bytes {
            return Err(Refusal::UriTooLong);
        }
        // hyper sees to it for HTTP/1 only.
        if parts.headers.len() > self.settings.max_headers {
            return Err(Refusal::TooManyFields);
        }
        spelling::check(uri.path()).map_err(Refusal::BadRequest)?;
        uri.query()
            .map_or(Ok(()), spelling::check_query)
            .map_err(Refusal::BadRequest)?;
        let host = host(parts)?;
        // RFC 9110, section 9.3.7: it asks for what the host takes, not for a route.
        if uri.path() == "*" {
            return Err(match parts.method {
                Method::OPTIONS => Refusal::Options(ANY_METHOD.to_vec()),
                _ => Refusal::BadRequest("only OPTIONS takes the target `*`: expected a path"),
            });
        }
        let table = self.table.load();
        if let Some(method) = cors::preflight_for(parts)
            && let Found::Endpoint(endpoint, parameters) = table.find(host, &method, uri.path())
            && endpoint.cors.is_some()
        {
            return Ok((endpoint, parameters));
        }
        match table.find(host, &parts.method, uri.path()) {
            Found::Endpoint(endpoint, _)
                if is_ambiguous(&table, host, parts, uri.path(), &endpoint) =>
            {
                Err(Refusal::BadRequest(
                    "the path has another spelling that another route takes",
                ))
            }
            // RFC 9110, section 9.3.8: it sends a client's secrets back. Who wants that
            // names the method.
            Found::Endpoint(endpoint, _)
                if parts.method == Method::TRACE && endpoint.route.method.is_none() =>
            {
                Err(Refusal::MethodNotAllowed(ANY_METHOD.to_vec()))
            }
            Found::Endpoint(endpoint, parameters) => Ok((endpoint, parameters)),
            Found::OtherMethods(methods) if parts.method == Method::OPTIONS => {
                Err(Refusal::Options(methods))
            }
            Found::OtherMethods(methods) => Err(Refusal::MethodNotAllowed(methods)),
            Found::Nothing => Err(Refusal::NoRoute {
                nearest: table.nearest(host, &parts.method, uri.path()),
            }),
        }
    }

    /// The stages of a request, in their order: each may answer or refuse it.
    async fn answer(
        &self,
        asked: &Asked<'_>,
        endpoint: &Arc<Endpoint>,
        mut parts: Parts,
        body: RequestBody,
        parameters: &Parameters<'_>,
        last: &LastToken,
    ) -> Result<Response, Refusal> {
        if let Some(cors) = &endpoint.cors
            && let Some(method) = cors::preflight_for(&parts)
        {
            let told = cors.preflight(asked.page.as_ref(), &method);
            return Ok(respond::preflight(told));
        }
        // Before all else that could answer: what is kept is not served meanwhile either.
        endpoint.check_intake()?;
        let access = &endpoint.route.access;
        let identified = (self.identity).identify(access, &parts.headers, asked.client, last);
        let caller = match identified.await {
            Ok(caller) => caller,
            Err(denied) => {
                // Who tries out credentials is told to wait, as who has one.
                if !matches!(denied, Denied::Unchecked(_)) {
                    asked.admitted(self.rates.admit_denied(endpoint, asked.client))?;
                }
                return Err(Refusal::Denied(denied));
            }
        };
        let principal = caller.principal.as_deref();
        asked.admitted(self.rates.admit(endpoint, asked.client, principal))?;
        let deadline = endpoint.deadline(asked.began);
        caller.keep_credential(&mut parts.headers);
        let priority = endpoint.route.priority;
        let mut context =
            (asked.origin).context(&parts.headers, caller.principal, deadline, priority);
        context.tie.clone_from(&asked.tie);
        let mut response = self
            .kept(asked, endpoint, parts, body, parameters, context)
            .await?;
        if endpoint.cors.is_some() {
            Cors::silence(response.headers_mut());
        }
        Ok(response)
    }

    /// Answers a request that was let in: by what was kept for it, or by its service.
    async fn kept(
        &self,
        asked: &Asked<'_>,
        endpoint: &Arc<Endpoint>,
        mut parts: Parts,
        body: RequestBody,
        parameters: &Parameters<'_>,
        context: CallContext,
    ) -> Result<Response, Refusal> {
        if let Some(wish) = Wish::of(&mut parts) {
            let place = (&**endpoint, self.access_log);
            return aside(|| wish.answer(asked, place, parts, body, context)).await;
        }
        let target = self.cache.target(asked.client, &parts);
        if let Some(key) = self.idempotency.key(endpoint, &parts)? {
            let request = Admitted::new(asked, endpoint, parts, parameters, context);
            let request = request.writing(target);
            return aside(|| self.idempotency.answer(key, request, body)).await;
        }
        let condition = Condition::of(&parts.method, endpoint, &context);
        if let Some(rule) = self.cache.takes(endpoint, &parts) {
            let request = Admitted::new(asked, endpoint, parts, parameters, context);
            let response = aside(|| self.cache.answer(request, body, rule)).await?;
            return condition.check(response);
        }
        let write = Write::begin(target);
        let answered = serve(asked, endpoint, parts, body, parameters, context).await;
        write.settle(&answered);
        let response = answered?;
        match endpoint.destination {
            Destination::Function { .. } => condition.apply(response),
            Destination::Http { .. } | Destination::Upstream(_) => Ok(response),
        }
    }

    fn refuse(&self, refusal: Refusal, endpoint: Option<&Endpoint>, origin: &Origin) -> Response {
        if let Some(reason) = respond::reason(&refusal) {
            self.metrics.rejected(reason).inc();
            let service = endpoint.map(|endpoint| &**endpoint.service());
            tracing::debug!(reason, service, "request refused: {refusal:?}");
        }
        respond::refuse(refusal, origin)
    }

    fn record(&self, asked: &Asked<'_>, endpoint: Option<&Endpoint>, status: StatusCode) {
        let took = asked.began.elapsed();
        let metrics = endpoint.map_or(&self.unrouted, |endpoint| &endpoint.metrics);
        metrics.observe(asked.method.as_str(), status.as_u16(), took);
        let wanted = match self.access_log {
            AccessLog::Off => false,
            AccessLog::Errors => status.is_server_error(),
            AccessLog::All => true,
        };
        if wanted {
            tracing::info!(
                http.request.method = asked.method.as_str(),
                url.path = asked.uri.path(),
                http.response.status_code = status.as_u16(),
                client.ip = %asked.client.address(),
                http.request.id = %asked.origin.request_id,
                trace.id = asked.origin.trace_id(),
                event.duration = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
                service.name = endpoint.map(|endpoint| &**endpoint.service()),
                service.version = endpoint.map(Endpoint::number),
                "request"
            );
        }
    }
}

/// A request that has no answer yet. Dropped, its client has left and none is made.
struct Unanswered<'h>(&'h Gateway, &'h Asked<'h>, &'h Endpoint);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let Self(gateway, asked, endpoint) = self;
        gateway.record(asked, Some(endpoint), respond::client_left());
    }
}

/// Whether who gets the raw path could take it for one of another route, or of none.
/// A function does not see the path: its parameters are read here.
fn is_ambiguous(
    table: &Table,
    host: Option<&str>,
    parts: &Parts,
    path: &str,
    endpoint: &Endpoint,
) -> bool {
    if matches!(endpoint.destination, Destination::Function { .. }) {
        return false;
    }
    let Cow::Owned(lax) = spelling::laxest(path) else {
        return false;
    };
    let other = table.find_decoded(host, &parts.method, &lax);
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
