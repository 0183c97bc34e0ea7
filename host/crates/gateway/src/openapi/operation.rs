//! One route to one function: where its parameters come from, what it answers.

use serde_json::{Map, Value, json};

use super::problem::{self, Input};
use super::schema::{Schemas, record, snake_case};
use stoa_service::contract::Function;
use stoa_service::contract::types::{Field, Shape, Type};
use stoa_settings::{IdempotencyKey, Route};

/// An operation, but for its id and what depends on the route alone.
pub(super) struct Operation {
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
}

impl Operation {
    pub(super) fn new(function: &Function, route: &Route, schemas: &mut Schemas) -> Self {
        let mut rest: Vec<&Field> = function.params.iter().collect();
        let mut parameters: Vec<_> = path_parameters(&route.path)
            .filter_map(|name| path_parameter(name, &mut rest, schemas))
            .collect();
        let headers = route.headers.iter();
        parameters.extend(headers.filter_map(|bound| header(bound, &mut rest, schemas)));
        let raw = route.body.as_deref();
        let raw = raw.and_then(|name| raw_body(name, &mut rest));
        let has_query = matches!(route.method.as_deref(), Some("GET" | "HEAD" | "DELETE"));
        let body = if has_query || raw.is_some() {
            parameters.extend(query(&rest, schemas));
            None
        } else {
            body(&rest, schemas)
        };
        let input = match (&body, parameters.is_empty()) {
            _ if raw.is_some() => Input::Raw,
            (Some(_), _) => Input::Body,
            (None, false) => Input::Parameters,
            (None, true) => Input::Nothing,
        };
        parameters.extend(idempotency_key(route));
        let mut responses = success(function, route, schemas);
        let reads = matches!(route.method.as_deref(), Some("GET" | "HEAD"));
        if reads
            && responses
                .values()
                .any(|answer| answer.get("content").is_some())
        {
            let known = json!({ "description": "The client has it (If-None-Match)." });
            responses.insert("304".to_owned(), known);
        }
        for (status, problem) in problem::responses(function, route, input) {
            responses.entry(status).or_insert(problem);
        }
        Self {
            parameters,
            body: raw.or(body),
            responses,
        }
    }

    pub(super) fn takes_body(&self) -> bool {
        self.body.is_some()
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let mut operation = Map::new();
        if !self.parameters.is_empty() {
            operation.insert("parameters".to_owned(), self.parameters.clone().into());
        }
        if let Some(body) = &self.body {
            operation.insert("requestBody".to_owned(), body.clone());
        }
        operation.insert("responses".to_owned(), self.responses.clone().into());
        operation
    }
}

/// The names in a path's braces.
pub(super) fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name)
}

/// Takes the parameter of that name out of `rest`.
fn take<'f>(name: &str, rest: &mut Vec<&'f Field>) -> Option<&'f Field> {
    let at = rest
        .iter()
        .position(|field| snake_case(&field.name) == snake_case(name))?;
    Some(rest.remove(at))
}

fn path_parameter(name: &str, rest: &mut Vec<&Field>, schemas: &mut Schemas) -> Option<Value> {
    let schema = schemas.of(required(&take(name, rest)?.ty));
    Some(json!({ "name": name, "in": "path", "required": true, "schema": schema }))
}

/// A parameter that is a header.
fn header(
    (name, header): (&String, &String),
    rest: &mut Vec<&Field>,
    schemas: &mut Schemas,
) -> Option<Value> {
    let ty = &take(name, rest)?.ty;
    Some(json!({
        "name": header,
        "in": "header",
        "required": !is_option(ty),
        "schema": schemas.of(required(ty)),
    }))
}

/// The parameter that is the body as it was sent. A schema is for JSON: bytes have none.
fn raw_body(name: &str, rest: &mut Vec<&Field>) -> Option<Value> {
    let content = match take(name, rest)?.ty {
        Type::String => json!({ "schema": { "type": "string" } }),
        _ => json!({}),
    };
    Some(json!({
        "description": "Taken as it is sent, whatever its type.",
        "content": { "*/*": content },
    }))
}

/// The header by which a client asks again for the same answer.
fn idempotency_key(route: &Route) -> Option<Value> {
    let asks = route.idempotency.as_ref()?;
    let window = humantime::format_duration(asks.window);
    Some(json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": asks.key == IdempotencyKey::Required,
        "description": format!(
            "A new one for each operation. The first answer is replayed for {window}, with \
             Idempotency-Replayed: true."
        ),
        "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
    }))
}

/// One record gives its fields, anything else itself.
fn query(rest: &[&Field], schemas: &mut Schemas) -> Vec<Value> {
    if let [field] = rest
        && let Some(Shape::Record(fields)) = field.ty.shape()
    {
        return fields
            .iter()
            .map(|field| query_parameter(field, schemas))
            .collect();
    }
    rest.iter()
        .map(|field| query_parameter(field, schemas))
        .collect()
}

fn query_parameter(field: &Field, schemas: &mut Schemas) -> Value {
    let ty = required(&field.ty);
    let repeats = matches!(ty.shape(), Some(Shape::Flags(_)))
        || matches!(ty.shape(), Some(Shape::List(item)) if !matches!(item, Type::U8));
    let is_option = matches!(field.ty.shape(), Some(Shape::Option(_)));
    let mut parameter = json!({
        "name": snake_case(&field.name),
        "in": "query",
        "required": !repeats && !is_option,
        "schema": schemas.of(ty),
    });
    if repeats {
        parameter["style"] = "form".into();
        parameter["explode"] = true.into();
    }
    parameter
}

/// One parameter is the whole body, several are its fields.
fn body(rest: &[&Field], schemas: &mut Schemas) -> Option<Value> {
    let (schema, may_be_absent) = match rest {
        [] => return None,
        [field] => (schemas.of(&field.ty), may_be_empty(&field.ty)),
        fields => (
            record(fields.iter().copied(), schemas),
            fields.iter().all(|field| is_option(&field.ty)),
        ),
    };
    Some(
        json!({ "required": !may_be_absent, "content": { "application/json": { "schema": schema } } }),
    )
}

fn may_be_empty(ty: &Type) -> bool {
    match ty.shape() {
        Some(Shape::Record(fields)) => fields.iter().all(|field| is_option(&field.ty)),
        _ => is_option(ty),
    }
}

fn is_option(ty: &Type) -> bool {
    matches!(ty.shape(), Some(Shape::Option(_)))
}

/// The type of a value that is there.
fn required(ty: &Type) -> &Type {
    match ty.shape() {
        Some(Shape::Option(some)) => some,
        _ => ty,
    }
}

/// The answer of a call that went well; a `none` has no body.
fn success(function: &Function, route: &Route, schemas: &mut Schemas) -> Map<String, Value> {
    let value = match function.result.as_ref() {
        Some(ty) => match ty.shape() {
            Some(Shape::Result { ok, .. }) => ok.as_ref(),
            _ => Some(ty),
        },
        None => None,
    };
    let mut responses = Map::new();
    let Some(ty) = value else {
        responses.insert(
            route.status.unwrap_or(204).to_string(),
            json!({ "description": "Done." }),
        );
        return responses;
    };
    let content = json!({ "application/json": { "schema": schemas.of(required(ty)) } });
    let mut answer = json!({ "description": "The result.", "content": content });
    if let Some(template) = &route.location {
        answer["headers"] = json!({ "Location": {
            "description": format!("Where it is: {template}, by the result's fields."),
            "schema": { "type": "string", "format": "uri-reference" },
        } });
    }
    responses.insert(route.status.unwrap_or(200).to_string(), answer);
    if is_option(ty) {
        responses.insert("204".to_owned(), json!({ "description": "There is none." }));
    }
    responses
}
