//! The OpenAPI 3.1 document of services, derived from contracts and routes.
//!
//! Says in JSON Schema what the gateway's transcoding does, so that nobody
//! writes it by hand and it can't be out of date. Components carry no doc
//! comments, so the document has none either. Knows nothing of requests, and
//! trusts that the routes were checked when the services were deployed: a route
//! to a function that is not there, or has no form in JSON, is left out.

use std::collections::BTreeSet;

use semver::Version;
use serde_json::{Map, Value, json};

use self::operation::Operation;
use self::schema::Schemas;
use stoa_service::contract::{Contract, Function, Interface};
use stoa_settings::{Access, Route, Target};

mod operation;
mod problem;
mod schema;
#[cfg(test)]
mod tests;

/// The document of `services`: each with its name, its contract and its routes.
pub fn document(title: &str, services: &[(&str, &Contract, &[Route])]) -> Value {
    let mut document = Document::default();
    for (service, contract, routes) in services {
        for route in *routes {
            document.route(service, contract, route);
        }
    }
    document.finish(title, services.iter().map(|(service, ..)| *service))
}

/// The methods that OpenAPI has a place for.
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// What a route of any method is shown as, with a body and without.
const ANY_WITH_BODY: [&str; 3] = ["post", "put", "patch"];
const ANY_WITHOUT_BODY: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// What a queue answers that has kept a call.
const ACCEPTED: u16 = 202;

#[derive(Default)]
struct Document {
    paths: Map<String, Value>,
    schemas: Schemas,
    operation_ids: BTreeSet<String>,
    version: Option<Version>,
}

impl Document {
    fn route(&mut self, service: &str, contract: &Contract, route: &Route) {
        match &route.target {
            Target::Http => self.raw(service, route),
            Target::Call(name) => {
                let found = contract.function(name);
                if let Some((interface, function)) =
                    found.filter(|(_, function)| function.is_plain())
                {
                    self.call(service, interface, function, route);
                }
            }
            Target::Queue(name) => {
                let all = contract.exports().iter().chain(contract.imports());
                let mut of = all.filter(|one| one.name.unversioned() == name.interface);
                let found = of.find_map(|one| Some((one, one.function(&name.function)?)));
                if let Some((interface, function)) = found {
                    let status = route.status.or(Some(ACCEPTED));
                    let kept = Route {
                        status,
                        ..route.clone()
                    };
                    self.call(service, interface, function, &kept);
                }
            }
        }
    }

    fn call(&mut self, service: &str, interface: &Interface, function: &Function, route: &Route) {
        self.version = self.version.take().max(interface.name.version.clone());
        let operation = Operation::new(function, route, &mut self.schemas);
        let methods: Vec<String> = match &route.method {
            Some(method) => vec![method.to_ascii_lowercase()],
            None if operation.takes_body() => ANY_WITH_BODY.map(str::to_owned).to_vec(),
            None => ANY_WITHOUT_BODY.map(str::to_owned).to_vec(),
        };
        let id = identifier(&[service, &interface.name.interface, &function.name]);
        let summary = format!("{}.{}", interface.name.unversioned(), function.name);
        for method in methods {
            let mut value = operation.json();
            value.insert(
                "operationId".to_owned(),
                self.operation_id(&id, &method).into(),
            );
            value.insert("summary".to_owned(), summary.clone().into());
            self.place(service, route, &method, value);
        }
    }

    /// A route to the service's own handler: only the service knows what it takes.
    fn raw(&mut self, service: &str, route: &Route) {
        let summary = format!("The service {service} handles this path itself.");
        let Some(method) = &route.method else {
            let item = self.item(route);
            item.insert("summary".to_owned(), summary.into());
            item.insert(
                "description".to_owned(),
                "Any method; what it takes and answers is the service's own.".into(),
            );
            return;
        };
        let method = method.to_ascii_lowercase();
        let mut value = Map::new();
        value.insert(
            "operationId".to_owned(),
            self.operation_id(&identifier(&[service, "http"]), &method)
                .into(),
        );
        value.insert("summary".to_owned(), summary.into());
        value.insert(
            "responses".to_owned(),
            json!({ "default": { "description": "What the service answers." } }),
        );
        self.place(service, route, &method, value);
    }

    /// Puts an operation to its path, with what only depends on the route.
    fn place(
        &mut self,
        service: &str,
        route: &Route,
        method: &str,
        mut operation: Map<String, Value>,
    ) {
        if !METHODS.contains(&method) {
            return;
        }
        operation.insert("tags".to_owned(), json!([service]));
        if let Some(security) = security(&route.access) {
            operation.insert("security".to_owned(), security);
        }
        if let Some(host) = &route.host {
            operation.insert(
                "servers".to_owned(),
                json!([{ "url": format!("//{host}/") }]),
            );
        }
        let item = self.item(route);
        match item.get_mut(method) {
            None => {
                item.insert(method.to_owned(), operation.into());
            }
            // One path and method can differ by host, for which OpenAPI has no
            // second place: the first stays, and says so.
            Some(first) => {
                let host = route.host.as_deref().unwrap_or("any other host");
                let summary = operation
                    .get("summary")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                first["description"] = format!("On {host}: {summary}").into();
            }
        }
    }

    fn item(&mut self, route: &Route) -> &mut Map<String, Value> {
        let path = template(&route.path);
        let item = self.paths.entry(path).or_insert_with(|| {
            let mut item = Map::new();
            if let Some(wildcard) = wildcard(&route.path) {
                let description = "The rest of the path, slashes included.";
                let parameter = json!({
                    "name": wildcard,
                    "in": "path",
                    "required": true,
                    "description": description,
                    "schema": { "type": "string" },
                });
                item.insert("parameters".to_owned(), json!([parameter]));
            }
            item.into()
        });
        item.as_object_mut().expect("path items are objects")
    }

    fn operation_id(&mut self, id: &str, method: &str) -> String {
        let with_method = format!("{id}_{method}");
        let numbered = (2..).map(|number| format!("{with_method}_{number}"));
        let mut candidates = [id.to_owned(), with_method.clone()]
            .into_iter()
            .chain(numbered);
        let free = candidates.find(|candidate| self.operation_ids.insert(candidate.clone()));
        free.expect("numbers don't end")
    }

    fn finish<'a>(self, title: &str, services: impl Iterator<Item = &'a str>) -> Value {
        let tags: Vec<_> = services.map(|service| json!({ "name": service })).collect();
        let version = self
            .version
            .unwrap_or_else(|| Version::new(0, 0, 0))
            .to_string();
        let mut schemas = self.schemas.finish();
        schemas.insert(problem::SCHEMA.to_owned(), problem::schema());
        json!({
            "openapi": "3.1.0",
            "info": { "title": title, "version": version },
            "tags": tags,
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "bearer": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A signed token (JWT), or an API key.",
                    },
                    "api_key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                },
            },
        })
    }
}

/// For tools that make code of it: `product_products_get`.
fn identifier(parts: &[&str]) -> String {
    parts.join("_").replace(['-', '.'], "_")
}

/// What a caller must show, in one of two ways; scopes stand as roles of the schemes.
fn security(access: &Access) -> Option<Value> {
    match access {
        Access::Public => None,
        Access::Authenticated => Some(json!([{ "bearer": [] }, { "api_key": [] }])),
        Access::Scope(scope) => Some(json!([{ "bearer": [scope] }, { "api_key": [scope] }])),
    }
}

/// The path as OpenAPI writes it: a wildcard becomes a parameter.
fn template(path: &str) -> String {
    match (path.strip_suffix('*'), wildcard(path)) {
        (Some(prefix), Some(name)) => format!("{prefix}{{{name}}}"),
        _ => path.to_owned(),
    }
}

/// A name for the trailing wildcard that no parameter of the path has.
fn wildcard(path: &str) -> Option<&'static str> {
    path.ends_with('*').then(|| {
        if path.contains("{path}") {
            "rest_of_path"
        } else {
            "path"
        }
    })
}
