//! What OpenAPI asks of a document.

use super::*;

/// What OpenAPI 3.1 demands of a document, as far as this one goes.
pub(super) fn check(document: &Value) {
    assert_eq!(document["openapi"], "3.1.0");
    for field in ["title", "version"] {
        assert!(document["info"][field].is_string(), "info.{field}");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with('/'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            if !crate::openapi::METHODS.contains(&method.as_str()) {
                assert!(
                    ["parameters", "summary", "description"].contains(&method.as_str()),
                    "{path} {method}"
                );
                continue;
            }
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} stands twice");
            check_parameters(path, item, operation);
            let responses = operation["responses"].as_object().unwrap();
            assert!(!responses.is_empty(), "{id}");
            for (status, response) in responses {
                assert!(
                    status == "default" || matches!(status.parse(), Ok(200..=599)),
                    "{id} {status}"
                );
                assert!(response["description"].is_string(), "{id} {status}");
            }
        }
    }
    check_references(document, document);
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(
            name.chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
            "{name}"
        );
    }
}

fn check_parameters(path: &str, item: &Value, operation: &Value) {
    let empty = Vec::new();
    let of = |value: &Value| value["parameters"].as_array().unwrap_or(&empty).clone();
    let mut seen = BTreeSet::new();
    for parameter in of(item).into_iter().chain(of(operation)) {
        let (name, place) = (
            parameter["name"].as_str().unwrap(),
            parameter["in"].as_str().unwrap(),
        );
        assert!(
            seen.insert((name.to_owned(), place.to_owned())),
            "{path}: {name} in {place} stands twice"
        );
        assert!(
            place != "path" || parameter["required"] == true,
            "{path}: {name}"
        );
        assert!(parameter["schema"].is_object(), "{path}: {name}");
    }
    for name in crate::openapi::operation::path_parameters(path) {
        assert!(
            seen.contains(&(name.to_owned(), "path".to_owned())),
            "{path}: {name} is not described"
        );
    }
}

fn check_references(document: &Value, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref") {
                let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
                assert!(
                    document.pointer(pointer).is_some(),
                    "{reference} leads nowhere"
                );
            }
            fields
                .values()
                .for_each(|value| check_references(document, value));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|value| check_references(document, value)),
        _ => {}
    }
}
