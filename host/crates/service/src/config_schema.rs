//! A service's own rules for its configuration: a JSON Schema of the object that
//! keys and values make.
//!
//! Values of `wasi:config` are text. A value is tried as the text that it is, and
//! where the schema does not take the text, as the JSON that it holds: `"900"`
//! fits `{"type": "integer"}` as well as `{"type": "string"}`, and a JSON object
//! in a value can have a schema of its own. A schema stands alone: references to
//! other documents are not followed.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use stoa_settings::Settings;
use stoa_settings::config::faults::meant;

/// A schema, ready to check with.
pub struct ConfigSchema {
    validator: Validator,
    /// The keys that it names.
    names: Vec<String>,
}

impl ConfigSchema {
    /// The schema of these settings, if they have one.
    ///
    /// # Errors
    /// Why it is no JSON Schema.
    pub fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let compile = |schema: &Value| match jsonschema::validator_for(schema) {
            Ok(validator) => Ok(Self {
                validator,
                names: names(schema),
            }),
            Err(fault) => Err(format!(
                "config_schema: expected a JSON Schema that stands alone, but at {:?}: {fault}",
                fault.instance_path().as_str()
            )),
        };
        settings.config_schema.as_ref().map(compile).transpose()
    }

    /// What is wrong with these values, each reason with its key.
    pub fn faults(&self, values: &BTreeMap<String, String>) -> Vec<String> {
        let texts = values
            .iter()
            .map(|(key, text)| (key.clone(), Value::String(text.clone())));
        let mut object = Value::Object(texts.collect::<Map<_, _>>());
        let as_text = self.errors(&object);
        for (key, text) in values {
            if as_text.contains_key(key)
                && let Ok(parsed) = serde_json::from_str::<Value>(text)
                && !parsed.is_string()
            {
                object[key] = parsed;
            }
        }
        self.errors(&object).into_values().flatten().collect()
    }

    /// Key → what is wrong with its value; `""` is the object itself.
    fn errors(&self, object: &Value) -> BTreeMap<String, BTreeSet<String>> {
        let mut errors = BTreeMap::<String, BTreeSet<String>>::new();
        for error in self.validator.iter_errors(object) {
            errors
                .entry(key_of(&error))
                .or_default()
                .insert(self.explain(&error));
        }
        errors
    }

    fn explain(&self, error: &ValidationError<'_>) -> String {
        match (error.instance_path().as_str(), error.kind()) {
            ("", ValidationErrorKind::AdditionalProperties { unexpected }) => {
                let unexpected = unexpected.iter().map(|key| self.unknown(key));
                unexpected.collect::<Vec<_>>().join("; ")
            }
            ("", _) => error.to_string(),
            (pointer, _) => format!("{pointer}: {error}"),
        }
    }

    fn unknown(&self, key: &str) -> String {
        let names = self.names.iter().map(String::as_str);
        let known = format!("it knows {}", self.names.join(", "));
        format!("the schema has no key {key:?}{}", meant(key, names, &known))
    }
}

/// The keys that a schema names, for its configuration as a whole.
pub fn names(schema: &Value) -> Vec<String> {
    let named = schema.get("properties").and_then(Value::as_object);
    named.map_or_else(Vec::new, |named| named.keys().cloned().collect())
}

/// First segment of the pointer (RFC 6901) to where the error is.
fn key_of(error: &ValidationError<'_>) -> String {
    let pointer = error.instance_path().as_str();
    let first = pointer.trim_start_matches('/').split('/').next();
    first
        .unwrap_or_default()
        .replace("~1", "/")
        .replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(schema: Value, values: &[(&str, &str)]) -> Vec<String> {
        let settings = Settings {
            config_schema: Some(schema),
            ..Settings::default()
        };
        let values = values
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let schema = ConfigSchema::of(&settings).unwrap().unwrap();
        schema.faults(&values)
    }

    #[test]
    fn text_is_read_as_what_the_schema_asks_for() {
        let schema = json!({
            "properties": {
                "ttl": { "type": "integer", "minimum": 1 },
                "on": { "type": "boolean" },
                "code": { "type": "string" },
                "either": { "type": ["string", "integer"] }
            },
            "patternProperties": { "^region\\.": { "type": "object", "required": ["currency"] } },
            "additionalProperties": false,
            "required": ["ttl"]
        });
        let good = [
            ("ttl", "900"),
            ("on", "true"),
            ("code", "123"),
            ("either", "7"),
            ("region.eu", "{\"currency\": \"EUR\"}"),
        ];
        assert_eq!(faults(schema.clone(), &good), Vec::<String>::new());
        for (key, value, said) in [
            ("ttl", "15m", "/ttl: \"15m\" is not of type \"integer\""),
            ("ttl", "0", "/ttl: 0 is less than the minimum of 1"),
            ("on", "yes", "/on: \"yes\" is not of type \"boolean\""),
            (
                "region.eu",
                "{}",
                "/region.eu: \"currency\" is a required property",
            ),
            (
                "regoin.eu",
                "{}",
                "no key \"regoin.eu\"; it knows code, either, on, ttl",
            ),
            ("cod", "1", "no key \"cod\": did you mean \"code\"?"),
        ] {
            let found = faults(schema.clone(), &[("ttl", "1"), (key, value)]).join("\n");
            assert!(found.contains(said), "{key} = {value}: {found}");
        }
        let missing = faults(schema, &[]).join("\n");
        assert!(
            missing.contains("\"ttl\" is a required property"),
            "{missing}"
        );
    }

    #[test]
    fn keys_may_hold_what_pointers_escape() {
        let schema = json!({ "additionalProperties": { "type": "integer" } });
        assert_eq!(
            faults(schema.clone(), &[("a/b", "1"), ("~", "2")]),
            Vec::<String>::new()
        );
        assert_eq!(faults(schema, &[("a/b", "x")]).len(), 1);
    }

    #[test]
    fn a_schema_is_checked_itself_and_reaches_nowhere() {
        for schema in [
            json!({ "type": "nonsense" }),
            json!({ "$ref": "https://example.com/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!(7),
        ] {
            let settings = Settings {
                config_schema: Some(schema.clone()),
                ..Settings::default()
            };
            let refused = ConfigSchema::of(&settings).err();
            assert!(
                refused
                    .as_ref()
                    .is_some_and(|refused| refused.starts_with("config_schema: ")),
                "{schema}: {refused:?}"
            );
        }
    }
}
