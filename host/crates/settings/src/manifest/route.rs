//! Routes of a manifest: `"GET /products/{id}" = { call = "…", access = "public" }`.

use std::collections::BTreeMap;

use super::{kept, policy};
use crate::config::document::{Document, Key, Table, Value, expected};
use crate::config::values::{number, word};

use crate::check::{self, route::Owner};
use crate::{Access, Choice, Compression, FunctionName, OnDisconnect, Priority, Route, Target};

const KNOWN: &[&str] = &[
    "call",
    "http",
    "access",
    "scope",
    "status",
    "location",
    "cache",
    "idempotency",
    "errors",
    "rate",
    "cors",
    "compression",
    "priority",
    "on_disconnect",
];

/// Reads the table of a service's routes.
pub fn routes<'t>(
    document: &mut Document<'t>,
    section: &str,
    table: &Table<'t>,
    owner: Owner,
) -> Vec<Route> {
    let routes = table
        .iter()
        .filter_map(|(key, value)| route(document, section, key, value, owner));
    routes.collect()
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
    let place = split_key(key);
    check::route::place(place.method.as_deref(), place.host.as_deref(), &place.path)?;
    Ok(place)
}

impl Place {
    /// As settings spell it.
    pub(super) fn key(&self) -> String {
        crate::route_key(self.method.as_deref(), self.host.as_deref(), &self.path)
    }
}

/// The parts of a key, right or wrong.
pub(super) fn split_key(key: &str) -> Place {
    let (method, rest) = match key.trim().split_once(char::is_whitespace) {
        Some((method, rest)) => (Some(method), rest.trim_start()),
        None => (None, key.trim()),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(0));
    Place {
        method: method.map(str::to_owned),
        host: (!host.is_empty()).then(|| host.to_ascii_lowercase()),
        path: path.to_owned(),
    }
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
    owner: Owner,
) -> Option<Route> {
    let Place { method, host, path } = split_key(key.get_ref());
    let (target, access) = (Target::Http, Access::Authenticated);
    let errors = BTreeMap::new();
    let mut route = Route {
        method,
        host,
        path,
        target,
        status: None,
        location: None,
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
    for fault in exclusive(&parts) {
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
        "call" => parts.call = function(document, key, value).or_else(unreadable),
        "http" => {
            document.set(&mut parts.http, key, value, |v| word(v, &[("true", true)]));
        }
        "access" => {
            let words = [("public", true), ("authenticated", false)];
            document.set(&mut parts.public, key, value, |v| word(v, &words));
        }
        "scope" => parts.scope = document.string(key, value),
        "status" => {
            document.set(&mut route.status, key, value, |v| status(v).map(Some));
        }
        "location" => route.location = document.string(key, value),
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
                let mut found = 500;
                document.set(&mut found, case, value, status);
                route.errors.insert(case.get_ref().to_string(), found);
            }
        }
    }
}

/// Keys of which one is enough: what is read has room for one.
fn exclusive(parts: &Parts) -> Vec<&'static str> {
    let mut faults = Vec::new();
    if parts.public && parts.scope.is_some() {
        faults.push("`access = \"public\"` and `scope` exclude each other: leave one out");
    }
    if parts.call.is_some() && parts.http {
        faults.push("`call` and `http` exclude each other: leave one out");
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

fn status(text: &str) -> Result<u16, String> {
    number(text, 0..=u16::MAX).map_err(|fault| fault.replace("a whole number", "a status"))
}

/// In the place of a function that can't be read, so that nothing else is said of it.
fn unreadable() -> Option<FunctionName> {
    Some(FunctionName {
        interface: String::new(),
        function: String::new(),
    })
}
