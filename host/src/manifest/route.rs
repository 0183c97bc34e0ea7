//! Routes of a manifest: `"GET /products/{id}" = { call = "…", access = "public" }`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::{kept, policy};
use crate::config::document::{Document, Key, Table, Value, expected};
use crate::config::values::{number, scope, word};
use crate::settings::{
    Access, Choice, Compression, FunctionName, OnDisconnect, Priority, Route, Target,
};

const KNOWN: &[&str] = &[
    "call",
    "http",
    "access",
    "scope",
    "status",
    "cache",
    "idempotency",
    "errors",
    "rate",
    "cors",
    "compression",
    "priority",
    "on_disconnect",
];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Reads the table of a service's routes.
pub fn routes<'t>(
    document: &mut Document<'t>,
    section: &str,
    table: &Table<'t>,
    owner: Owner,
) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for (key, value) in table {
        let place = parse_key(key.get_ref());
        let place = place
            .map_err(|fault| document.fault(key.span(), fault))
            .ok();
        // A route with a faulty key is read all the same, for the faults in its value.
        let place = place.unwrap_or_default();
        let Some(route) = route(document, section, key, value, place, owner) else {
            continue;
        };
        if routes.iter().any(|other| other.key() == route.key()) && !route.path.is_empty() {
            document.fault(
                key.span(),
                format!("the route {:?} is there twice", route.key()),
            );
        }
        routes.push(route);
    }
    routes
}

/// Whose routes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// They lead to a function, or to the component's own handler.
    Component,
    /// They lead to an HTTP service outside.
    Upstream,
}

/// Where a route's requests come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Upper-case; `None` is any.
    pub method: Option<String>,
    /// Lower-case; `None` is any.
    pub host: Option<String>,
    /// The path template.
    pub path: String,
}

/// Reads `METHOD [host]/path`; method and host may be left out.
///
/// # Errors
/// What was expected and what was found.
pub fn parse_key(key: &str) -> Result<Place, String> {
    let (method, rest) = match key.trim().split_once(char::is_whitespace) {
        Some((method, rest)) => (Some(self::method(method)?), rest.trim_start()),
        None => (None, key.trim()),
    };
    let Some(slash) = rest.find('/') else {
        return Err(format!(
            "expected a route such as \"GET /products/{{id}}\", found {key:?}, which has no path"
        ));
    };
    let (host, path) = rest.split_at(slash);
    let host = (!host.is_empty()).then(|| self::host(host)).transpose()?;
    self::path(path)?;
    Ok(Place {
        method,
        host,
        path: path.to_owned(),
    })
}

/// What stands behind a route's key, before it is known to make sense together.
#[derive(Default)]
struct Parts {
    call: Option<FunctionName>,
    http: bool,
    public: bool,
    scope: Option<String>,
}

fn route<'t>(
    document: &mut Document<'t>,
    section: &str,
    key: &Key<'t>,
    value: &Value<'t>,
    Place { method, host, path }: Place,
    owner: Owner,
) -> Option<Route> {
    let (target, access) = (Target::Http, Access::Authenticated);
    let errors = BTreeMap::new();
    let mut route = Route {
        method,
        host,
        path,
        target,
        status: None,
        access,
        cache: None,
        idempotency: None,
        errors,
        rate: None,
        cors: None,
        compression: Compression::On,
        priority: Priority::default(),
        on_disconnect: None,
    };
    let mut parts = Parts::default();
    if value.get_ref().is_str() {
        parts.call = Some(function(document, key, value)?);
    } else {
        let Some(table) = value.get_ref().as_table() else {
            let what = "a function, or a table such as { call = \"shop:product/products.get\" }";
            document.fault(value.span(), expected(what, value.get_ref()));
            return None;
        };
        for (key, value) in table {
            if KNOWN.contains(&key.get_ref().as_ref()) {
                entry(document, &mut route, &mut parts, key, value);
            } else {
                document.unknown(key, section, KNOWN);
            }
        }
        let complete = table
            .keys()
            .any(|key| ["call", "http"].contains(&key.get_ref().as_ref()));
        if !complete && owner == Owner::Component {
            let fault = format!(
                "the route {:?} has neither `call` nor `http = true`",
                key.get_ref()
            );
            document.fault(key.span(), fault);
        }
    }
    for fault in contradictions(&route, &parts, owner) {
        document.fault(key.span(), fault);
    }
    if let Some(scope) = parts.scope {
        route.access = Access::Scope(scope);
    } else if parts.public {
        route.access = Access::Public;
    }
    if let Some(call) = parts.call {
        route.target = Target::Call(call);
    }
    Some(route)
}

fn entry<'t>(
    document: &mut Document<'t>,
    route: &mut Route,
    parts: &mut Parts,
    key: &Key<'t>,
    value: &Value<'t>,
) {
    match key.get_ref().as_ref() {
        "call" => parts.call = function(document, key, value),
        "http" => {
            document.set(&mut parts.http, key, value, |v| word(v, &[("true", true)]));
        }
        "access" => {
            let words = [("public", true), ("authenticated", false)];
            document.set(&mut parts.public, key, value, |v| word(v, &words));
        }
        "scope" => {
            let text = document.string(key, value);
            parts.scope = text.and_then(|text| document.check(key, value, scope(&text)));
        }
        "status" => {
            document.set(&mut route.status, key, value, |v| {
                status(v, 200..=299).map(Some)
            });
        }
        "rate" => {
            route.rate = policy::choice(value)
                .or_else(|| policy::rate(document, key, value).map(Choice::Own));
        }
        "cors" => {
            route.cors = policy::choice(value)
                .or_else(|| policy::cors(document, key, value).map(Choice::Own));
        }
        "compression" => {
            document.set(&mut route.compression, key, value, |v| {
                word(v, &policy::COMPRESSION)
            });
        }
        "cache" => route.cache = kept::cache(document, key, value),
        "idempotency" => route.idempotency = kept::idempotency(document, key, value),
        "priority" => {
            let words = Priority::ALL.map(|priority| (priority.name(), priority));
            document.set(&mut route.priority, key, value, |v| word(v, &words));
        }
        "on_disconnect" => {
            let words = [
                ("cancel", Some(OnDisconnect::Cancel)),
                ("finish", Some(OnDisconnect::Finish)),
            ];
            document.set(&mut route.on_disconnect, key, value, |v| word(v, &words));
        }
        _ => {
            for (case, value) in document.table(key, value).into_iter().flatten() {
                let mut found = 0;
                document.set(&mut found, case, value, |v| status(v, 400..=599));
                route.errors.insert(case.get_ref().to_string(), found);
            }
        }
    }
}

/// Keys that are right alone and wrong together.
fn contradictions(route: &Route, parts: &Parts, owner: Owner) -> Vec<&'static str> {
    let mut faults = Vec::new();
    // The gateway refuses a path that whoever gets it raw could take for another.
    if (parts.http || owner == Owner::Upstream) && route.path.contains('%') {
        faults.push(
            "what sees the whole request gets none with an encoded path of its own: write a parameter such as {name} \
             where the path has a `%`",
        );
    }
    if parts.public && parts.scope.is_some() {
        faults.push("`access = \"public\"` and `scope` exclude each other: leave one out");
    }
    if parts.call.is_some() && parts.http {
        faults.push("`call` and `http` exclude each other: leave one out");
    }
    if parts.http && (route.status.is_some() || !route.errors.is_empty()) {
        faults.push(
            "with `http = true` the component picks its status: leave `status` and `errors` out",
        );
    }
    let reads = matches!(route.method.as_deref(), None | Some("GET" | "HEAD"));
    if route.cache.is_some() && !reads {
        faults.push("`cache` is for answers to GET: leave it out");
    }
    let only_reads = matches!(route.method.as_deref(), Some("GET" | "HEAD" | "OPTIONS"));
    if route.idempotency.is_some() && only_reads {
        faults.push("`idempotency` is for methods that change something: leave it out");
    }
    faults
}

fn function<'t>(
    document: &mut Document<'t>,
    key: &Key<'t>,
    value: &Value<'t>,
) -> Option<FunctionName> {
    let text = document.string(key, value)?;
    document.check(key, value, FunctionName::try_from(text))
}

fn status(text: &str, bounds: RangeInclusive<u16>) -> Result<u16, String> {
    number(text, bounds).map_err(|fault| fault.replace("a whole number", "a status"))
}

fn method(text: &str) -> Result<String, String> {
    if METHODS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected a method ({}), found {text:?}",
        METHODS.join(", ")
    ))
}

fn host(text: &str) -> Result<String, String> {
    let host = text.to_ascii_lowercase();
    let label = |label: &str| {
        let letters = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        letters && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    if host.split('.').all(label) {
        return Ok(host);
    }
    Err(format!(
        "expected a host name without a port, such as shop.example.com, found {text:?}"
    ))
}

/// Checks a path template.
fn path(path: &str) -> Result<(), String> {
    let bad = |why: String| Err(format!("the path {path:?} {why}"));
    let mut names = BTreeSet::new();
    let segments: Vec<_> = path[1..].split('/').collect();
    for (at, segment) in segments.iter().enumerate() {
        let last = at + 1 == segments.len();
        match segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        {
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
            None if matches!(*segment, "." | "..") || !segment.chars().all(path_character) => {
                return bad(format!(
                    "has {segment:?}, which a path of a request can't have"
                ));
            }
            None => {}
        }
    }
    Ok(())
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
