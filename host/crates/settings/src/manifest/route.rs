//! Routes of a manifest: `"GET /products/{id}" = { call = "…", access = "public" }`.

use super::keys::Keys;
use super::{kept, policy};
use crate::check::{self, route::Owner};
use crate::config::document::{Entry, expected};
use crate::config::values::{number, word};
use crate::{Access, Choice, FunctionName, OnDisconnect, Priority, Route, Target};

const ROUTE: Keys<Draft> = Keys(&[
    ("call", |it, e| it.call = function(e).or_else(unreadable)),
    ("queue", |it, e| it.queue = function(e).or_else(unreadable)),
    ("http", |it, e| {
        e.set(&mut it.http, |v| word(v, &[("true", true)]));
    }),
    ("access", |it, e| {
        let words = [("public", true), ("authenticated", false)];
        e.set(&mut it.public, |v| word(v, &words));
    }),
    ("scope", |it, e| it.scope = e.string()),
    ("status", |it, e| {
        e.set(&mut it.route.status, |v| status(v).map(Some));
    }),
    ("location", |it, e| it.route.location = e.string()),
    ("cache", |it, e| it.route.cache = kept::cache(e)),
    ("idempotency", |it, e| {
        it.route.idempotency = kept::idempotency(e);
    }),
    ("errors", |it, e| {
        e.each("errors", |e| {
            let mut found = 500;
            e.set(&mut found, status);
            it.route.errors.insert(e.name().to_owned(), found);
        });
    }),
    ("headers", |it, e| {
        e.each("headers", |e| {
            if let Some(header) = e.string() {
                it.route.headers.insert(e.name().to_owned(), header);
            }
        });
    }),
    ("body", |it, e| it.route.body = e.string()),
    ("rate", |it, e| {
        it.route.rate = policy::choice(e).or_else(|| policy::rate(e).map(Choice::Own));
    }),
    ("cors", |it, e| {
        it.route.cors = policy::choice(e).or_else(|| policy::cors(e).map(Choice::Own));
    }),
    ("compression", |it, e| {
        e.set(&mut it.route.compression, |v| word(v, &policy::COMPRESSION));
    }),
    ("priority", |it, e| {
        let words = Priority::ALL.map(|priority| (priority.name(), priority));
        e.set(&mut it.route.priority, |v| word(v, &words));
    }),
    ("on_disconnect", |it, e| {
        let words = [
            ("cancel", Some(OnDisconnect::Cancel)),
            ("finish", Some(OnDisconnect::Finish)),
        ];
        e.set(&mut it.route.on_disconnect, |v| word(v, &words));
    }),
]);

/// A route that is read, before what stands behind its key is known to make sense together.
struct Draft {
    route: Route,
    call: Option<FunctionName>,
    queue: Option<FunctionName>,
    http: bool,
    public: bool,
    scope: Option<String>,
}

/// Reads the table of a service's routes.
pub fn routes(entry: &mut Entry<'_, '_>, owner: Owner) -> Vec<Route> {
    let mut routes = Vec::new();
    entry.each(&entry.below(), |entry| routes.extend(route(entry, owner)));
    routes
}

/// Where a route's requests come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteKey {
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
pub fn parse_key(key: &str) -> Result<RouteKey, String> {
    let place = split_key(key);
    check::route::place(place.method.as_deref(), place.host.as_deref(), &place.path)?;
    Ok(place)
}

impl RouteKey {
    /// As settings spell it.
    pub(super) fn key(&self) -> String {
        crate::route_key(self.method.as_deref(), self.host.as_deref(), &self.path)
    }
}

/// The parts of a key, right or wrong.
pub(super) fn split_key(key: &str) -> RouteKey {
    let (method, rest) = match key.trim().split_once(char::is_whitespace) {
        Some((method, rest)) => (Some(method), rest.trim_start()),
        None => (None, key.trim()),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(0));
    RouteKey {
        method: method.map(str::to_owned),
        host: (!host.is_empty()).then(|| host.to_ascii_lowercase()),
        path: path.to_owned(),
    }
}

fn route(entry: &mut Entry<'_, '_>, owner: Owner) -> Option<Route> {
    let RouteKey { method, host, path } = split_key(entry.name());
    let mut draft = Draft {
        route: Route {
            method,
            host,
            path,
            ..Route::default()
        },
        call: None,
        queue: None,
        http: false,
        public: false,
        scope: None,
    };
    let found = entry.value.get_ref();
    if found.is_str() {
        draft.call = Some(function(entry)?);
    } else if found.is_table() {
        let section = entry.section;
        entry.each(section, |entry| entry.read(&mut draft, &ROUTE));
        let leads = ["call", "queue", "http"].iter().any(|key| entry.has(key));
        if !leads && owner == Owner::Component {
            let key = entry.name();
            let fault = format!("the route {key:?} has none of `call`, `queue` and `http = true`");
            entry.fault(fault);
        }
    } else {
        let what = "a function, or a table such as { call = \"shop:product/products.get\" }";
        entry
            .document
            .fault(entry.value.span(), expected(what, found));
        return None;
    }
    for fault in exclusive(&draft) {
        entry.fault(fault);
    }
    let mut route = draft.route;
    if let Some(scope) = draft.scope {
        route.access = Access::Scope(scope);
    } else if draft.public {
        route.access = Access::Public;
    }
    if let Some(call) = draft.call {
        route.target = Target::Call(call);
    } else if let Some(queue) = draft.queue {
        route.target = Target::Queue(queue);
    }
    Some(route)
}

/// Keys of which one is enough: what is read has room for one.
fn exclusive(draft: &Draft) -> Vec<&'static str> {
    let mut faults = Vec::new();
    if draft.public && draft.scope.is_some() {
        faults.push("`access = \"public\"` and `scope` exclude each other: leave one out");
    }
    if draft.call.is_some() && draft.http {
        faults.push("`call` and `http` exclude each other: leave one out");
    }
    if draft.queue.is_some() && (draft.call.is_some() || draft.http) {
        faults.push("`queue` excludes `call` and `http`: leave one out");
    }
    faults
}

fn function(entry: &mut Entry<'_, '_>) -> Option<FunctionName> {
    let text = entry.string()?;
    entry.check(FunctionName::try_from(text))
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
