//! Routes: where they are, and which of their settings go together.

mod binding;

use std::collections::BTreeSet;

use http::HeaderName;

use super::Check;
use crate::config::values::scope;
use crate::spelling;
use crate::{Access, Cache, Choice, MAX_PARAMETERS, MAX_SEGMENTS, Route, Target, route_key};

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Bytes of a path: a request's target may have as many, and the host refuses longer ones
/// unless it is told otherwise.
const LONGEST: usize = 8 << 10;
/// Letters of a host name's label and of all of it, RFC 1035 section 2.3.4.
const LONGEST_LABEL: usize = 63;
const LONGEST_HOST: usize = 253;
/// What a success that made something is answered with: now, or later.
const CREATED: [u16; 2] = [201, 202];

/// Whose routes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// They lead to a function, or to the component's own handler.
    Component,
    /// They lead to an HTTP service outside.
    Upstream,
}

/// Looks through all routes of one service.
pub(super) fn all(check: &mut Check, routes: &[Route], owner: Owner) {
    let mut keys = BTreeSet::new();
    for route in routes {
        let key = route.key();
        check.within(&key, |check| {
            one(check, route, owner);
            let path = spelling::normal(&route.path);
            let (method, host) = (route.method.as_deref(), route.host.as_deref());
            if !keys.insert(route_key(method, host, &path)) {
                check.whole(format!("the route {:?} is there twice", route.key()));
            }
        });
    }
}

/// Checks where a route's requests come in.
///
/// # Errors
/// What was expected and what was found.
pub fn place(method: Option<&str>, host: Option<&str>, path: &str) -> Result<(), String> {
    method.map_or(Ok(()), self::method)?;
    host.map_or(Ok(()), self::host)?;
    self::path(path)
}

fn one(check: &mut Check, route: &Route, owner: Owner) {
    let (method, host) = (route.method.as_deref(), route.host.as_deref());
    if let Err(fault) = place(method, host, &route.path) {
        check.whole(fault);
    }
    for fault in contradictions(route, owner) {
        check.whole(fault);
    }
    if let Access::Scope(name) = &route.access {
        check.value("scope", scope(name));
    }
    if let Some(found) = route.status.filter(|status| !(200..=299).contains(status)) {
        let fault = format!("expected a status from 200 to 299, found \"{found}\"");
        check.value("status", Err::<(), _>(fault));
    }
    let location = route.location.as_deref();
    if let Some(Err(fault)) = location.map(self::location) {
        check.value("location", Err::<(), _>(fault));
    }
    check.within("errors", |check| {
        for (case, found) in &route.errors {
            if !(400..=599).contains(found) {
                let fault = format!("expected a status from 400 to 599, found \"{found}\"");
                check.value(case, Err::<(), _>(fault));
            }
        }
    });
    binding::bindings(check, route);
    if let Some(cache) = &route.cache {
        check.within("cache", |check| self::cache(check, cache));
    }
    if let Some(idempotency) = &route.idempotency {
        check.within("idempotency", |check| {
            check.positive("window", idempotency.window);
        });
    }
    check.rate(Choice::in_force(route.rate.as_ref(), None));
    check.cors(Choice::in_force(route.cors.as_ref(), None));
}

fn cache(check: &mut Check, cache: &Cache) {
    check.time("max_age", cache.max_age);
    check.time("stale_while_revalidate", cache.stale_while_revalidate);
    check.time("stale_if_error", cache.stale_if_error);
    for name in &cache.vary {
        let fault = match name.parse::<HeaderName>() {
            _ if name == "*" => {
                "`*` would keep each answer for one request alone: name the headers, or leave `cache` out"
                    .to_owned()
            }
            Ok(_) => continue,
            Err(_) => format!("expected names of headers such as \"accept-language\", found {name:?}"),
        };
        check.value("vary", Err::<(), _>(fault));
    }
}

/// Keys that are right alone and wrong together.
fn contradictions(route: &Route, owner: Owner) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |holds: bool, fault: &str| {
        if !holds {
            faults.push(fault.to_owned());
        }
    };
    let raw = route.target == Target::Http;
    // The gateway refuses a path that whoever gets it raw could take for another.
    expect(
        !(raw && route.path.contains('%')),
        "what sees the whole request gets none with an encoded path of its own: write a parameter such as {name} \
         where the path has a `%`",
    );
    expect(
        raw || owner == Owner::Component,
        "the route has `call`, but an upstream has no functions: leave it out",
    );
    expect(
        !raw || owner == Owner::Upstream || (route.status.is_none() && route.errors.is_empty()),
        "with `http = true` the component picks its status: leave `status` and `errors` out",
    );
    expect(
        !raw || owner == Owner::Component || (route.status.is_none() && route.errors.is_empty()),
        "an upstream picks its status: leave `status` and `errors` out",
    );
    let made = route.status.is_some_and(|status| CREATED.contains(&status));
    expect(
        route.location.is_none() || (made && !raw),
        "`location` says where the thing is that a function has made: it needs `call` and `status = 201` (or 202)",
    );
    let reads = matches!(route.method.as_deref(), None | Some("GET" | "HEAD"));
    expect(
        route.cache.is_none() || reads,
        "`cache` is for answers to GET: leave it out",
    );
    let only_reads = matches!(route.method.as_deref(), Some("GET" | "HEAD" | "OPTIONS"));
    expect(
        route.idempotency.is_none() || !only_reads,
        "`idempotency` is for methods that change something: leave it out",
    );
    faults
}

fn method(text: &str) -> Result<(), String> {
    if METHODS.contains(&text) {
        return Ok(());
    }
    Err(format!(
        "expected a method ({}), found {text:?}",
        METHODS.join(", ")
    ))
}

fn host(text: &str) -> Result<(), String> {
    let label = |label: &str| {
        let letters = label
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        letters && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    if text.split('.').all(label) {
        let fits = |label: &str| label.len() <= LONGEST_LABEL;
        if text.len() <= LONGEST_HOST && text.split('.').all(fits) {
            return Ok(());
        }
        return Err(format!(
            "expected a host name of {LONGEST_HOST} letters at most, and {LONGEST_LABEL} between its dots, found \
             {text:?}"
        ));
    }
    Err(format!(
        "expected a host name without a port, such as shop.example.com, found {text:?}"
    ))
}

/// A path template whose parameters are to be filled in.
fn location(template: &str) -> Result<(), String> {
    path(template)?;
    if template.ends_with('*') {
        return Err(format!(
            "expected a path such as \"/orders/{{id}}\", found {template:?}, which names many"
        ));
    }
    Ok(())
}

/// Checks a path template.
fn path(path: &str) -> Result<(), String> {
    let bad = |why: String| Err(format!("the path {path:?} {why}"));
    let Some(rest) = path.strip_prefix('/') else {
        return Err(format!(
            "expected a route such as \"GET /products/{{id}}\", found {path:?}, which has no path"
        ));
    };
    if path.len() > LONGEST {
        return Err(format!(
            "expected a path of {LONGEST} bytes at most, as the target of a request is, found one of {}",
            path.len()
        ));
    }
    let segments: Vec<_> = rest.split('/').collect();
    if segments.len() > MAX_SEGMENTS {
        let found = segments.len();
        return bad(format!(
            "has {found} segments, at most {MAX_SEGMENTS} are possible"
        ));
    }
    let mut names = BTreeSet::new();
    for (at, segment) in segments.iter().enumerate() {
        let last = at + 1 == segments.len();
        match parameter(segment) {
            Some(name) if !snake_case(name) => {
                return bad(format!(
                    "names a parameter {name:?}: expected snake_case, such as order_id"
                ));
            }
            Some(name) if !names.insert(name) => {
                return bad(format!("has the parameter {{{name}}} twice"));
            }
            Some(_) => {}
            None if *segment == "*" && last => {}
            None if segment.contains('*') => {
                return bad("has a `*` that is not its whole last segment".into());
            }
            None if segment.is_empty() && path != "/" => return bad("has an empty segment".into()),
            None if segment.contains(['{', '}']) => {
                return bad(format!(
                    "has {segment:?}: a parameter is a whole segment, such as {{id}}"
                ));
            }
            None if !segment.chars().all(path_character) || spelling::check(segment).is_err() => {
                return bad(format!(
                    "has {segment:?}, which a path of a request can't have"
                ));
            }
            None => {}
        }
    }
    if names.len() > MAX_PARAMETERS {
        let found = names.len();
        return bad(format!(
            "has {found} parameters, at most {MAX_PARAMETERS} are possible"
        ));
    }
    Ok(())
}

/// The name in a segment's braces.
fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn snake_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// RFC 3986, `pchar`, but for `*`, which is the wildcard.
fn path_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()+,;=:@%".contains(c)
}
