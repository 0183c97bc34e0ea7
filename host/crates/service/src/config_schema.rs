//! A service's own rules for its configuration: a JSON Schema of the object that
//! keys and values make.
//!
//! Values of `wasi:config` are text. A value is tried as the text that it is, and
//! where the schema does not take the text, as the JSON that it holds: `"900"`
//! fits `{"type": "integer"}` as well as `{"type": "string"}`, and a JSON object
//! in a value can have a schema of its own. What a component could read otherwise
//! than the schema does is refused: see [`mod@reading`] and [`rules`]. A schema stands
//! alone: references to other documents are not followed.

mod known;
mod reading;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use self::known::Known;
use self::reading::reading;
use stoa_settings::Settings;

pub use self::known::names;

/// A schema, ready to check with.
pub struct ConfigSchema {
    validator: Validator,
    known: Known,
}

impl ConfigSchema {
    /// The schema of these settings, if they have one.
    ///
    /// # Errors
    /// Why it is no JSON Schema.
    pub fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let compile = |schema: &Value| match rules::options().build(schema) {
            Ok(validator) => Ok(Self {
                validator,
                known: Known::of(schema),
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
        let as_text = self.errors(&object, values);
        let mut unread = BTreeMap::new();
        for (key, text) in values {
            if as_text.contains_key(key) {
                match reading(text) {
                    Ok(Some(read)) => object[key] = read,
                    Ok(None) => {}
                    Err(reason) => {
                        unread.insert(key.clone(), [format!("/{key}: {reason}")].into());
                    }
                }
            }
        }
        let mut errors = self.errors(&object, values);
        errors.append(&mut unread);
        errors.into_values().flatten().collect()
    }

    /// Key → what is wrong with its value; `""` is the object itself.
    fn errors(
        &self,
        object: &Value,
        values: &BTreeMap<String, String>,
    ) -> BTreeMap<String, BTreeSet<String>> {
        let mut errors = BTreeMap::<String, BTreeSet<String>>::new();
        for error in self.validator.iter_errors(object) {
            let key = key_of(&error);
            let text = values.get(&key);
            let reason = self.explain(&error, text);
            errors.entry(key).or_default().insert(reason);
        }
        errors
    }

    /// `text` is what the value was read from.
    fn explain(&self, error: &ValidationError<'_>, text: Option<&String>) -> String {
        match (error.instance_path().as_str(), error.kind()) {
            ("", ValidationErrorKind::AdditionalProperties { .. }) if self.known.is_empty() => {
                NO_SETTINGS.to_owned()
            }
            ("", ValidationErrorKind::AdditionalProperties { unexpected }) => {
                let unexpected = unexpected.iter().map(|key| self.known.no(key));
                unexpected.collect::<Vec<_>>().join("; ")
            }
            // So the schema has neither names nor patterns of keys.
            ("", ValidationErrorKind::FalseSchema)
                if error.schema_path().as_str() == "/additionalProperties" =>
            {
                NO_SETTINGS.to_owned()
            }
            ("", _) => error.to_string(),
            (pointer, ValidationErrorKind::Custom { message, .. }) => {
                // As it was written, where it is the whole value.
                let is_whole = !pointer[1..].contains('/');
                let found = match text.filter(|_| is_whole) {
                    Some(text) => format!("{text:?}"),
                    None => error.instance().to_string(),
                };
                format!("{pointer}: expected {message}, found {found}")
            }
            (pointer, _) => format!("{pointer}: {error}"),
        }
    }
}

const NO_SETTINGS: &str = "the service has no settings: its schema takes no key at all";

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
            (
                "ttl",
                "15m",
                "/ttl: expected an integer in plain digits such as 900 or -5, found \"15m\"",
            ),
            ("ttl", "0", "/ttl: 0 is less than the minimum of 1"),
            ("on", "yes", "/on: expected boolean, found \"yes\""),
            (
                "region.eu",
                "{}",
                "/region.eu: \"currency\" is a required property",
            ),
            (
                "regoin.eu",
                "{}",
                "no key \"regoin.eu\": did you mean \"region.eu\"?",
            ),
            (
                "something",
                "{}",
                "no key \"something\"; it knows code, either, on, ttl and keys like ^region\\.",
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

    /// A schema and a component read the same of a value, whatever the component is made with.
    #[test]
    fn integers_are_written_in_plain_digits() {
        let integer = json!({ "type": "integer" });
        let schemas = [
            integer.clone(),
            json!({ "type": ["integer", "null"] }),
            json!({ "$ref": "#/$defs/ttl" }),
            json!({ "enum": [5, 100, 900, 2_592_000, -5, 0] }),
            json!({ "const": 100 }),
        ];
        let with =
            |ttl: &Value| json!({ "$defs": { "ttl": integer }, "properties": { "ttl": ttl } });
        for schema in &schemas {
            for value in [
                "1e2", "100.0", "1.0e2", "2E0", "2.592e6", "9e2", "1E+2", "-0", "-5e0", "+100",
                "0100", " 100", "100 ", "100\n", "1_00", "0x64",
            ] {
                let found = faults(with(schema), &[("ttl", value)]);
                assert_eq!(found.len(), 1, "{schema}: {value:?}");
                let written = format!("found {value:?}");
                assert!(found[0].contains("/ttl: expected "), "{found:?}");
                assert!(found[0].contains(&written), "{written}: {found:?}");
            }
            let fine = faults(with(schema), &[("ttl", "100")]);
            assert_eq!(fine, Vec::<String>::new(), "{schema}");
        }
        for fine in ["-5", "0", "18446744073709551615", "-9223372036854775808"] {
            let found = faults(with(&integer), &[("ttl", fine)]);
            assert_eq!(found, Vec::<String>::new(), "{fine}");
        }
        // Within JSON, too; and what is no integer may be written as numbers are.
        let nested = json!({ "properties": { "a": {
            "type": "object",
            "properties": { "ttl": integer, "all": { "type": "array", "items": integer } },
            "additionalProperties": integer,
        } } });
        for value in ["{\"ttl\": 1e2}", "{\"all\": [1, 2.0]}", "{\"other\": 1.0}"] {
            let found = faults(nested.clone(), &[("a", value)]).join("; ");
            assert!(
                found.contains("expected an integer in plain digits"),
                "{found}"
            );
        }
        let number = json!({ "properties": {
            "ratio": { "type": "number" }, "step": { "enum": [0.5, 1.0] },
        } });
        for value in ["1e2", "100.0", "0.5", "7"] {
            assert_eq!(
                faults(number.clone(), &[("ratio", value)]),
                Vec::<String>::new()
            );
        }
        assert_eq!(faults(number, &[("step", "1")]), Vec::<String>::new());
    }

    #[test]
    fn a_key_in_json_stands_once() {
        let schema = json!({ "properties": {
            "region": { "type": "object" }, "list": { "type": "array" }, "text": { "type": "string" },
        } });
        for (key, value, twice) in [
            (
                "region",
                "{\"currency\": \"EUR\", \"a\": 1, \"currency\": \"EUR\"}",
                "currency",
            ),
            ("region", "{\"a\": {\"b\": 1, \"\\u0062\": 1}}", "b"),
            ("list", "[{\"a\": 1, \"a\": 2}]", "a"),
        ] {
            let found = faults(schema.clone(), &[(key, value)]);
            let expected =
                format!("/{key}: expected each key of an object once, found {twice:?} twice");
            assert!(found.contains(&expected), "{value}: {found:?}");
            assert_eq!(found.len(), 1, "{found:?}");
        }
        let text = [("text", "{\"a\": 1, \"a\": 2}")];
        assert_eq!(faults(schema, &text), Vec::<String>::new());
    }

    #[test]
    fn a_schema_without_keys_says_that_there_are_no_settings() {
        for schema in [
            json!({ "type": "object", "additionalProperties": false }),
            json!({ "properties": {}, "additionalProperties": false }),
        ] {
            assert_eq!(
                faults(schema, &[("ttl", "1")]),
                ["the service has no settings: its schema takes no key at all"]
            );
        }
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
