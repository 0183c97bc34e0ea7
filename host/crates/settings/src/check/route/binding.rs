//! Parameters that are a header of the request, or its body as it was sent.

use http::HeaderName;

use super::{Check, snake_case};
use crate::{Route, Target};

/// By these a caller shows itself. Who it is the gateway finds out; what a function needs
/// of it is in its call's principal, and no function gets what others are let in by.
const CREDENTIALS: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
];

/// Of one connection (RFC 9110, section 7.6.1) or of a body's way over it: who speaks to
/// the host may have changed them.
const OF_CONNECTION: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Any client can write these; what the host itself knows stands elsewhere.
const UNPROVEN: [&str; 2] = ["forwarded", "x-real-ip"];
const UNPROVEN_MORE: [&str; 2] = ["x-forwarded-", "x-stoa-"];

pub(super) fn bindings(check: &mut Check, route: &Route) {
    check.within("headers", |check| {
        for (parameter, header) in &route.headers {
            check.value(parameter, self::parameter(parameter));
            check.value(parameter, self::header(header));
        }
    });
    if let Some(parameter) = &route.body {
        check.value("body", self::parameter(parameter));
        if route.headers.contains_key(parameter) {
            check.whole(format!(
                "the parameter {parameter:?} is in `headers` and is the `body`: leave one out"
            ));
        }
    }
    let bound = !route.headers.is_empty() || route.body.is_some();
    if bound && route.target == Target::Http {
        check.whole(
            "`headers` and `body` fill a function's parameters, but who handles the route itself gets all of the \
             request: leave them out",
        );
    }
    if route.body.is_some() && matches!(route.method.as_deref(), Some("GET" | "HEAD")) {
        check.whole(
            "`body` is for methods whose requests have one, which GET and HEAD are not (RFC 9110, section 9.3.1): \
             leave it out",
        );
    }
}

fn parameter(name: &str) -> Result<(), String> {
    if snake_case(name) {
        return Ok(());
    }
    Err(format!(
        "expected a parameter in snake_case, such as order_id, found {name:?}"
    ))
}

fn header(text: &str) -> Result<(), String> {
    let name: HeaderName = text.parse().map_err(|_| {
        format!("expected the name of a header such as \"stripe-signature\", found {text:?}")
    })?;
    let name = name.as_str();
    let why = if CREDENTIALS.contains(&name) {
        "callers show themselves by it, and the gateway keeps that to itself: `access` and `scope` say who may call, \
         and a call has its principal"
    } else if OF_CONNECTION.contains(&name) {
        "it is about one connection and not about the request"
    } else if UNPROVEN.contains(&name) || UNPROVEN_MORE.iter().any(|more| name.starts_with(more)) {
        "any client can write it, though it looks as if a proxy or the host had"
    } else {
        return Ok(());
    };
    Err(format!(
        "expected a header that a function may have, found {text:?}: {why}"
    ))
}
