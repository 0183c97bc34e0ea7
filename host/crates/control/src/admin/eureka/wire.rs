//! Which of its two languages a client speaks, and answers in it.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::model::Instance;
use super::registry::{Application, hashcode};
use super::xml;

/// Reads the body of a registration.
///
/// # Errors
/// What is wrong with it.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Instance, String> {
    if speaks_json(headers, &header::CONTENT_TYPE) {
        let value: Value = serde_json::from_slice(body).map_err(|fault| fault.to_string())?;
        return match value.get("instance") {
            Some(instance) => Instance::read(instance),
            None => Err("expected {\"instance\": {…}}".to_owned()),
        };
    }
    let text = std::str::from_utf8(body).map_err(|fault| fault.to_string())?;
    match xml::read(text)? {
        (root, instance) if root == "instance" => Instance::read(&instance),
        (root, _) => Err(format!("expected <instance>, found <{root}>")),
    }
}

/// Several applications.
pub fn applications(headers: &HeaderMap, apps: &[Application]) -> Response {
    listed(headers, apps, 1, &hashcode(apps))
}

/// What changed lately: the number of changes so far, and the hashcode of all.
pub fn delta(headers: &HeaderMap, apps: &[Application], version: u64, hash: &str) -> Response {
    listed(headers, apps, version, hash)
}

/// One application.
pub fn application(headers: &HeaderMap, app: &Application) -> Response {
    answer(headers, "application", &application_json(app))
}

/// One instance.
pub fn instance(headers: &HeaderMap, instance: &Instance) -> Response {
    answer(headers, "instance", &instance.json())
}

/// Registered.
pub fn registered() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Done, or there is no such instance.
pub fn done(known: bool) -> Response {
    if known {
        StatusCode::OK.into_response()
    } else {
        unknown()
    }
}

/// There is none.
pub fn unknown() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

/// The request makes no sense.
pub fn bad(reason: String) -> Response {
    (StatusCode::BAD_REQUEST, reason).into_response()
}

/// No more can register.
pub fn full() -> Response {
    let reason = "there are as many instances as this host takes";
    (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

/// Nobody who may be here.
pub fn unauthorized() -> Response {
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"stoa\"")];
    let reason =
        "expected a user and the admin token as its password: http://eureka:TOKEN@HOST/eureka/v2";
    (StatusCode::UNAUTHORIZED, ask, reason).into_response()
}

fn listed(headers: &HeaderMap, apps: &[Application], version: u64, hash: &str) -> Response {
    let apps: Vec<_> = apps.iter().map(application_json).collect();
    let value = json!({
        "versions__delta": version.to_string(),
        "apps__hashcode": hash,
        "application": apps,
    });
    answer(headers, "applications", &value)
}

fn application_json((name, instances): &Application) -> Value {
    let instances: Vec<_> = instances.iter().map(|instance| instance.json()).collect();
    json!({ "name": name, "instance": instances })
}

fn answer(headers: &HeaderMap, root: &str, value: &Value) -> Response {
    if speaks_json(headers, &header::ACCEPT) {
        return axum::Json(json!({ root: value })).into_response();
    }
    let mut value = value.clone();
    spell_for_xml(&mut value);
    let content_type = [(header::CONTENT_TYPE, "application/xml")];
    (content_type, xml::write(root, &value)).into_response()
}

/// As Netflix's server decides it: what does not name JSON is XML.
fn speaks_json(headers: &HeaderMap, name: &HeaderName) -> bool {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.contains("json"))
}

/// One field has another spelling in XML.
fn spell_for_xml(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(spell_for_xml),
        Value::Object(fields) => {
            if let Some(status) = fields.remove("overriddenStatus") {
                fields.insert("overriddenstatus".to_owned(), status);
            }
            for key in ["application", "instance"] {
                if let Some(inner) = fields.get_mut(key) {
                    spell_for_xml(inner);
                }
            }
        }
        _ => {}
    }
}
