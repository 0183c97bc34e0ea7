//! What `up` says when all is up: where each thing is, and a request that works.
//!
//! The request is chosen of the routes, whatever the application is: best one that anybody
//! may make and that needs no parameters.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::host::Host;
use stoa_api::RouteSummary;
use stoa_settings::config::{ADMIN_PORT, DATA, Development};

use super::output::Output;
use super::place::{reachable, real};

/// A host that has just come up.
#[derive(Debug, Clone)]
pub struct Running {
    /// `http://ADDR:PORT`, as of the others.
    gateway: String,
    tls: Option<String>,
    admin: String,
    data: PathBuf,
    /// Whether it signs tokens for development.
    signs: bool,
    /// How `stoa` was called.
    program: String,
}

/// Who may make a request; the easier ones come first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    Anybody,
    /// With a token of this scope, if there is one.
    Somebody(Option<String>),
}

/// How sure it is that a request is answered well; the surer ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// A function that needs nothing.
    Bare,
    /// The service's own handler.
    Raw,
    /// A function whose parameters are made up: what they name may not be there.
    Filled,
}

/// A request that could be shown.
#[derive(Debug)]
struct Candidate<'r> {
    route: &'r RouteSummary,
    caller: Caller,
    fit: Fit,
    /// From the root, with its query.
    target: String,
}

// === impl Running ===

impl Running {
    /// Of this host.
    pub fn of(host: &Host) -> Self {
        let called = std::env::args().next().filter(|name| name.contains('/'));
        Self {
            gateway: format!("http://{}", reachable(host.gateway_addr())),
            tls: host
                .tls_addr()
                .map(|at| format!("https://{}", reachable(at))),
            admin: format!("http://{}", reachable(host.admin_addr())),
            data: host.data().to_owned(),
            signs: host.development_tokens() == Development::On,
            program: called.unwrap_or_else(|| "stoa".to_owned()),
        }
    }

    /// Shows where each thing is, and what to try.
    pub fn show(
        &self,
        routes: &[RouteSummary],
        document: &Value,
        output: Output,
    ) -> anyhow::Result<()> {
        let tls = self.tls.iter().map(|address| ("TLS", address.clone()));
        let gateway = ("Gateway", self.gateway.clone());
        let admin = ("Admin API", self.admin.clone());
        let data = ("Data", real(&self.data).display().to_string());
        let places = std::iter::once(gateway).chain(tls).chain([admin, data]);
        let lines: Vec<_> = places
            .map(|(what, at)| format!("{what:<10} {at}"))
            .collect();
        output.line("")?;
        output.section("Where", &lines)?;
        output.section("Try", &[self.request(routes, document)])
    }

    /// A command that asks this host for something.
    fn request(&self, routes: &[RouteSummary], document: &Value) -> String {
        let candidates = routes.iter().filter_map(|route| candidate(route, document));
        let possible = candidates.filter(|one| self.signs || one.caller == Caller::Anybody);
        let best = possible.min_by_key(|one| {
            let rank = match (&one.caller, one.fit) {
                (_, Fit::Filled) => 1,
                _ => 0,
            };
            (
                rank,
                one.caller.clone(),
                one.fit,
                one.target.len(),
                one.target.clone(),
            )
        });
        match best {
            Some(candidate) => self.curl(&candidate),
            None => format!("curl {}/healthz", self.admin),
        }
    }

    fn curl(&self, candidate: &Candidate<'_>) -> String {
        let mut command = "curl".to_owned();
        if candidate.route.host != "*" {
            command += &format!(" -H 'host: {}'", candidate.route.host);
        }
        if let Caller::Somebody(scope) = &candidate.caller {
            let scope = scope.iter().map(|scope| format!(" --scope {scope}"));
            let scope: String = scope.collect();
            command += &format!(
                " -H \"authorization: Bearer $({} token --subject me{scope}{})\"",
                self.program,
                self.flags()
            );
        }
        let url = format!("{}{}", self.gateway, candidate.target);
        command + " " + &quoted(&url)
    }

    /// What `stoa` must be told to find this host, where it would not by itself.
    fn flags(&self) -> String {
        let mut flags = String::new();
        if self.admin != format!("http://127.0.0.1:{ADMIN_PORT}") {
            flags += &format!(" --host {}", self.admin);
        }
        if self.data != Path::new(DATA) {
            flags += &format!(
                " --data {}",
                quoted(&real(&self.data).display().to_string())
            );
        }
        flags
    }
}

fn candidate<'r>(route: &'r RouteSummary, document: &Value) -> Option<Candidate<'r>> {
    if !matches!(route.method.as_str(), "GET" | "*") {
        return None;
    }
    let caller = match route.access.as_str() {
        "public" => Caller::Anybody,
        "authenticated" => Caller::Somebody(None),
        scope if scope.chars().all(is_plain) => Caller::Somebody(Some(scope.to_owned())),
        _ => return None,
    };
    let is_raw = matches!(route.target.as_str(), "wasi:http" | "upstream");
    let (fit, target) = if is_raw {
        let path = route.path.trim_end_matches('*');
        (Fit::Raw, (!path.contains('{')).then(|| path.to_owned())?)
    } else {
        let operation = &document["paths"][&route.path]["get"];
        let parameters = operation.as_object()?.get("parameters");
        let parameters = parameters
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let needed = parameters.iter().filter(|one| one["required"] == true);
        let needed: Vec<_> = needed.collect();
        let fit = if needed.is_empty() {
            Fit::Bare
        } else {
            Fit::Filled
        };
        (fit, filled(&route.path, &needed, document)?)
    };
    Some(Candidate {
        route,
        caller,
        fit,
        target,
    })
}

/// The path with values for these parameters; `None` where one can't be made up.
fn filled(path: &str, parameters: &[&Value], document: &Value) -> Option<String> {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in parameters {
        let name = parameter["name"].as_str()?;
        let value = made_up(name, &parameter["schema"], document)?;
        match parameter["in"].as_str()? {
            "path" => path = path.replace(&format!("{{{name}}}"), &value),
            "query" => query.push(format!("{name}={value}")),
            _ => return None,
        }
    }
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    (!path.contains('{')).then_some(path)
}

fn made_up(name: &str, schema: &Value, document: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let place = document.pointer(reference.strip_prefix('#')?)?;
        return made_up(name, place, document);
    }
    if let Some(cases) = schema["enum"].as_array() {
        return cases.first()?.as_str().map(str::to_owned);
    }
    match schema["type"].as_str()? {
        "string" => Some(name.to_owned()),
        "integer" | "number" => Some("1".to_owned()),
        "boolean" => Some("true".to_owned()),
        _ => None,
    }
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    if text.chars().all(|c| is_plain(c) || c == '/') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._:[]".contains(c)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(method: &str, path: &str, target: &str, access: &str) -> RouteSummary {
        RouteSummary {
            method: method.into(),
            host: "*".into(),
            path: path.into(),
            service: "a".into(),
            target: target.into(),
            access: access.into(),
            on_disconnect: None,
        }
    }

    fn running(data: &str) -> Running {
        Running {
            gateway: "http://127.0.0.1:1".into(),
            tls: None,
            admin: "http://127.0.0.1:8081".into(),
            data: data.into(),
            signs: true,
            program: "target/stoa".into(),
        }
    }

    fn document() -> Value {
        let parameter = |name: &str, place: &str, schema: Value| json!({ "name": name, "in": place, "required": true, "schema": schema });
        json!({
            "paths": {
                "/open": { "get": { "parameters": [{ "name": "limit", "in": "query", "required": false }] } },
                "/mine": { "get": {} },
                "/hello/{name}": { "get": { "parameters": [parameter("name", "path", json!({ "type": "string" }))] } },
                "/in/{place}": { "get": { "parameters": [
                    parameter("place", "path", json!({ "$ref": "#/components/schemas/Place" })),
                    parameter("deep", "query", json!({ "type": "boolean" })),
                ] } },
                "/hard": { "get": { "parameters": [parameter("all", "query", json!({ "type": "array" }))] } },
            },
            "components": { "schemas": { "Place": { "enum": ["eu", "us"] } } },
        })
    }

    #[test]
    fn the_request_is_the_surest_that_anybody_can_make() {
        let open = || route("GET", "/open", "a:b/c.d", "public");
        let mine = || route("GET", "/mine", "a:b/c.d", "orders:read");
        let hello = || route("GET", "/hello/{name}", "a:b/c.d", "public");
        let place = || route("GET", "/in/{place}", "a:b/c.d", "public");
        let hard = || route("GET", "/hard", "a:b/c.d", "public");
        let write = || route("POST", "/open", "a:b/c.d", "public");
        let raw = || route("*", "/site/*", "wasi:http", "public");
        let token = "$(target/stoa token --subject me --scope orders:read)";
        let token = format!("curl -H \"authorization: Bearer {token}\" http://127.0.0.1:1/mine");
        for (routes, expected) in [
            (
                vec![hello(), mine(), raw(), open()],
                "curl http://127.0.0.1:1/open",
            ),
            (
                vec![hello(), mine(), raw()],
                "curl http://127.0.0.1:1/site/",
            ),
            (vec![hello(), mine()], token.as_str()),
            (vec![hard(), hello()], "curl http://127.0.0.1:1/hello/name"),
            (vec![place()], "curl 'http://127.0.0.1:1/in/eu?deep=true'"),
            (vec![hard(), write()], "curl http://127.0.0.1:8081/healthz"),
            (vec![], "curl http://127.0.0.1:8081/healthz"),
        ] {
            assert_eq!(running(DATA).request(&routes, &document()), expected);
        }
        let host = RouteSummary {
            host: "shop.example".into(),
            ..open()
        };
        assert_eq!(
            running(DATA).request(&[host], &document()),
            "curl -H 'host: shop.example' http://127.0.0.1:1/open"
        );
        let unsigned = Running {
            signs: false,
            ..running(DATA)
        };
        assert_eq!(
            unsigned.request(&[mine()], &document()),
            "curl http://127.0.0.1:8081/healthz"
        );
    }

    #[test]
    fn a_host_that_is_elsewhere_is_named() {
        let elsewhere = Running {
            admin: "http://127.0.0.1:9".into(),
            ..running("/not there/data")
        };
        assert_eq!(
            elsewhere.flags(),
            " --host http://127.0.0.1:9 --data '/not there/data'"
        );
        assert_eq!(running(DATA).flags(), "");
    }
}
