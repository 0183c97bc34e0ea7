//! Rules of JSON Schema that are stricter here.
//!
//! For JSON Schema `1e2` and `100.0` are the integer 100. What reads an integer from
//! text, or from JSON, mostly refuses them: here an integer is written in plain digits.

use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::{Number, Value};

/// As the standard has it, but for integers.
pub fn options() -> ValidationOptions<'static> {
    jsonschema::options()
        .with_keyword("type", |_, value, _| {
            let types = match value {
                Value::Array(types) => types.clone(),
                one => vec![one.clone()],
            };
            let types = types.iter().filter_map(Value::as_str).map(str::to_owned);
            Ok(Box::new(Types(types.collect())))
        })
        .with_keyword("enum", |_, value, _| {
            Ok(Box::new(OneOf(
                value.as_array().cloned().unwrap_or_default(),
            )))
        })
        .with_keyword("const", |_, value, _| {
            Ok(Box::new(OneOf(vec![value.clone()])))
        })
}

/// `type`.
struct Types(Vec<String>);

/// `enum` and `const`.
struct OneOf(Vec<Value>);

/// Values that a message names.
const MOST_NAMED: usize = 10;

// === impl Types ===

impl<'i> Keyword<'i> for Types {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if Keyword::is_valid(self, instance) {
            return Ok(());
        }
        let names = self.0.iter().map(|name| match name.as_str() {
            "integer" => "an integer in plain digits such as 900 or -5",
            other => other,
        });
        let names: Vec<_> = names.collect();
        Err(ValidationError::custom(names.join(" or ")))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.0.iter().any(|name| is(instance, name))
    }
}

fn is(instance: &Value, name: &str) -> bool {
    match name {
        "null" => instance.is_null(),
        "boolean" => instance.is_boolean(),
        "string" => instance.is_string(),
        "array" => instance.is_array(),
        "object" => instance.is_object(),
        "number" => instance.is_number(),
        "integer" => instance.as_number().is_some_and(is_plain),
        _ => false,
    }
}

/// Whether it was written in plain digits: what has a fraction or an exponent, a
/// minus before zero, or more digits than 64 bits hold, is read as a float.
fn is_plain(number: &Number) -> bool {
    !number.is_f64()
}

// === impl OneOf ===

impl<'i> Keyword<'i> for OneOf {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if Keyword::is_valid(self, instance) {
            return Ok(());
        }
        let named: Vec<_> = self
            .0
            .iter()
            .take(MOST_NAMED)
            .map(Value::to_string)
            .collect();
        let more = match self.0.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" or {more} others"),
        };
        let one_of = if self.0.len() == 1 { "" } else { "one of " };
        let named = named.join(", ");
        Err(ValidationError::custom(format!("{one_of}{named}{more}")))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.0.iter().any(|one| same(one, instance))
    }
}

/// Whether a value is the one that a schema names.
fn same(named: &Value, found: &Value) -> bool {
    match (named, found) {
        (Value::Number(named), Value::Number(found)) if named.is_f64() => {
            named.as_f64() == found.as_f64()
        }
        (Value::Array(named), Value::Array(found)) => {
            named.len() == found.len() && named.iter().zip(found).all(|(a, b)| same(a, b))
        }
        (Value::Object(named), Value::Object(found)) => {
            let has = |(key, value)| found.get(key).is_some_and(|found| same(value, found));
            named.len() == found.len() && named.iter().all(has)
        }
        _ => named == found,
    }
}
