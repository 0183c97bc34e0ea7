//! The problems (RFC 9457) that a route can answer with.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use stoa_service::contract::Function;
use stoa_service::contract::types::{Definition, Shape, Type};
use stoa_settings::{Access, Choice, Route};

/// Name of the problem's schema. Names made from WIT contain a dot.
pub(super) const SCHEMA: &str = "Problem";

pub(super) fn schema() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let place = json!({
        "type": "object",
        "properties": {
            "pointer": text("JSON pointer into the request's body, or the parameter's name."),
            "detail": text("What was expected and what was found."),
        },
        "required": ["pointer", "detail"],
    });
    json!({
        "type": "object",
        "description": "Why the request was refused (RFC 9457).",
        "properties": {
            "type": text("URI reference that names the kind of problem."),
            "title": text("The kind of problem, for people."),
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": text("What was wrong with this request, for people."),
            "code": text("The kind of problem, for programs."),
            "trace_id": text("Finds the request in logs and traces."),
            "errors": { "type": "array", "items": place, "description": "Each fault in the input." },
        },
        "required": ["title", "status"],
    })
}

/// What a request carries, and so what can be wrong with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Nothing,
    Parameters,
    /// JSON.
    Body,
    /// A body of any type.
    Raw,
}

/// The responses that are no success, by status.
pub(super) fn responses(function: &Function, route: &Route, input: Input) -> Map<String, Value> {
    let mut reasons = Reasons::default();
    if input != Input::Nothing {
        reasons.add(400, "The request is not what this operation takes.");
    }
    if matches!(input, Input::Body | Input::Raw) {
        reasons.add(413, "The body is too large.");
    }
    if input == Input::Body {
        reasons.add(415, "The body is not JSON.");
        reasons.add(422, "The body is JSON of another shape.");
    }
    if route.idempotency.is_some() {
        reasons.add(400, "The Idempotency-Key is missing or malformed.");
        reasons.add(
            409,
            "The first request with this Idempotency-Key is still under way.",
        );
        reasons.add(422, "The Idempotency-Key was used for another request.");
    }
    match &route.access {
        Access::Public => {}
        Access::Authenticated => reasons.add(401, "The caller is not known."),
        Access::Scope(scope) => {
            reasons.add(401, "The caller is not known.");
            reasons.add(403, &format!("The caller lacks the scope {scope}."));
        }
    }
    if matches!(route.rate, Some(Choice::Own(_))) {
        reasons.add(429, "The caller has sent as many requests as it may.");
    }
    if let Some(Shape::Result { err, .. }) = function.result.as_ref().and_then(Type::shape) {
        match err {
            Some(Type::Defined(error)) if is_standard(error) => {
                standard(&error.shape, &mut reasons)
            }
            err => own(err.as_ref(), route, &mut reasons),
        }
    }
    let mut responses = reasons.responses();
    responses.insert(
        "default".to_owned(),
        response("Any other problem, such as 503 while the service can't answer."),
    );
    responses
}

/// Whether it is the error type that every service shares.
fn is_standard(error: &Definition) -> bool {
    error.name.as_ref().is_some_and(|name| {
        name.name == "error"
            && name
                .interface
                .as_ref()
                .is_some_and(|interface| interface.is("stoa:service", "types"))
    })
}

fn standard(error: &Shape, reasons: &mut Reasons) {
    let Shape::Variant(cases) = error else { return };
    for case in cases {
        let (status, reason) = match case.name.as_str() {
            "invalid" => (422, "The input breaks a rule."),
            "not-found" => (404, "There is no such thing."),
            "conflict" => (409, "The thing's state forbids the step."),
            "precondition-failed" => (412, "The caller's version is stale."),
            "unauthorized" => (401, "The caller must say who it is."),
            "forbidden" => (403, "The caller may not do this."),
            "too-many-requests" => (429, "The caller has used up a quota."),
            "unavailable" => (503, "A dependency can't answer now."),
            _ => (500, "The service failed."),
        };
        reasons.add(status, reason);
    }
}

/// The function's own error: statuses as the route maps them, else 500.
fn own(error: Option<&Type>, route: &Route, reasons: &mut Reasons) {
    let cases: Vec<&str> = match error.and_then(Type::shape) {
        Some(Shape::Variant(cases)) => cases.iter().map(|case| case.name.as_str()).collect(),
        Some(Shape::Enum(names)) => names.iter().map(String::as_str).collect(),
        _ => vec!["err"],
    };
    for case in cases {
        let snake_case = super::schema::snake_case(case);
        match route
            .errors
            .get(case)
            .or_else(|| route.errors.get(&snake_case))
        {
            Some(status) => reasons.add(*status, &format!("The service answered {snake_case}.")),
            None => reasons.add(500, "The service failed."),
        }
    }
}

/// Why a status is answered, each reason once.
#[derive(Default)]
struct Reasons(BTreeMap<u16, Vec<String>>);

impl Reasons {
    fn add(&mut self, status: u16, reason: &str) {
        let reasons = self.0.entry(status).or_default();
        if !reasons.iter().any(|known| known == reason) {
            reasons.push(reason.to_owned());
        }
    }

    fn responses(self) -> Map<String, Value> {
        self.0
            .into_iter()
            .map(|(status, reasons)| (status.to_string(), response(&reasons.join(" "))))
            .collect()
    }
}

fn response(description: &str) -> Value {
    let schema = json!({ "$ref": format!("#/components/schemas/{SCHEMA}") });
    json!({ "description": description, "content": { "application/problem+json": { "schema": schema } } })
}
