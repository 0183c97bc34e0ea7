//! The keys that a schema has for its configuration as a whole, for messages.

use serde_json::{Value, json};

use stoa_settings::config::faults::meant;

/// The keys of a schema.
pub struct Known {
    /// Those that it names.
    names: Vec<String>,
    /// Regular expressions of others.
    patterns: Vec<String>,
}

impl Known {
    /// Reads them from a schema.
    pub fn of(schema: &Value) -> Self {
        Self {
            names: names(schema),
            patterns: keys(schema, "patternProperties"),
        }
    }

    /// Whether the schema has no key.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty()
    }

    /// Says that there is no such key, and which there are.
    pub fn no(&self, key: &str) -> String {
        let patterns = self.patterns.iter();
        let alike: Vec<_> = patterns.filter_map(|pattern| alike(pattern, key)).collect();
        let names = self.names.iter().chain(&alike).map(String::as_str);
        let hint = meant(key, names, &self.all());
        format!("the schema has no key {key:?}{hint}")
    }

    fn all(&self) -> String {
        let like = match self.patterns.as_slice() {
            [] => None,
            patterns => Some(format!("keys like {}", patterns.join(" or "))),
        };
        let names = (!self.names.is_empty()).then(|| self.names.join(", "));
        let all: Vec<_> = names.into_iter().chain(like).collect();
        format!("it knows {}", all.join(" and "))
    }
}

/// The keys that a schema names.
pub fn names(schema: &Value) -> Vec<String> {
    keys(schema, "properties")
}

fn keys(schema: &Value, keyword: &str) -> Vec<String> {
    let keys = schema.get(keyword).and_then(Value::as_object);
    keys.map_or_else(Vec::new, |keys| keys.keys().cloned().collect())
}

/// The key that a pattern takes in place of `key`, where its beginning is misspelt:
/// `region.eu` for `^region\.` and `regin.eu`.
fn alike(pattern: &str, key: &str) -> Option<String> {
    let start = literal_start(pattern);
    let separator = start
        .chars()
        .last()
        .filter(|last| !last.is_alphanumeric())?;
    let (_, rest) = key.split_once(separator)?;
    let key = format!("{start}{rest}");
    let taken = jsonschema::validator_for(&json!({ "pattern": pattern })).ok()?;
    taken.is_valid(&json!(key)).then_some(key)
}

/// The letters that all begin with which a regular expression takes.
fn literal_start(pattern: &str) -> String {
    let mut start = String::new();
    if pattern.contains('|') {
        return start;
    }
    let mut rest = pattern.strip_prefix('^').unwrap_or_default().chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => match rest.next().filter(char::is_ascii_punctuation) {
                Some(escaped) => start.push(escaped),
                None => break,
            },
            '*' | '?' | '{' => {
                start.pop();
                break;
            }
            '.' | '[' | '(' | ')' | '+' | '$' | '^' => break,
            letter => start.push(letter),
        }
    }
    start
}
