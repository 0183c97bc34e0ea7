//! Which route a request is for, if it is for any.

use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderValue, Method, Uri, Version, header};

use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::plan::Plan;
use super::respond::Refusal;
use super::table::{RouteMatch, Table};
use super::{Gateway, websocket};
use stoa_http::cors;
use stoa_settings::spelling;
use stoa_telemetry::metrics::Held;

impl Gateway {
    /// Where a request goes, if it can go anywhere.
    pub(super) fn find(&self, exchange: &mut Exchange) -> Result<Held<Plan>, Refusal> {
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
            matches!(&found, RouteMatch::Plan(plan, _) if plan.answers_preflights())
                .then_some(found)
        });
        match preflight.unwrap_or_else(|| table.find(host, &head.method, path)) {
            RouteMatch::Plan(plan, _) if is_ambiguous(&table, host, head, &plan.endpoint) => Err(
                Refusal::BadRequest("the path has another spelling that another route takes"),
            ),
            // RFC 9110, section 9.3.8: it sends a client's secrets back. Who wants that
            // names the method.
            RouteMatch::Plan(plan, _)
                if head.method == Method::TRACE && plan.endpoint.route.method.is_none() =>
            {
                Err(Refusal::MethodNotAllowed(ANY_METHOD.to_vec()))
            }
            RouteMatch::Plan(plan, parameters) => {
                exchange.places = parameters.places(path);
                Ok(plan)
            }
            RouteMatch::OtherMethods(methods) if head.method == Method::OPTIONS => {
                Err(Refusal::Options(methods))
            }
            RouteMatch::OtherMethods(methods) => Err(Refusal::MethodNotAllowed(methods)),
            RouteMatch::Nothing => Err(Refusal::NoRoute {
                nearest: table.nearest(host, &head.method, path),
            }),
        }
    }
}

/// Whether who gets the raw path could take it for one of another route, or of none.
/// A function does not see the path: its parameters are read here.
fn is_ambiguous(table: &Table, host: Option<&str>, head: &Parts, endpoint: &Endpoint) -> bool {
    if !endpoint.shows_headers() {
        return false;
    }
    let Cow::Owned(lax) = spelling::laxest(head.uri.path()) else {
        return false;
    };
    let other = table.find_decoded(host, &head.method, &lax);
    other.is_none_or(|other| !other.endpoint.is_of_the_same_route(endpoint))
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
