//! A TOML text read key by key, each fault with its line.
//!
//! Deserializing with serde would end at the first fault; this goes on. Knows
//! nothing of which keys there are: its callers do.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::faults::{Fault, Faults, nearest};
use super::values;

/// A key, and where it stands.
pub type Key<'t> = Spanned<DeString<'t>>;
/// A value, and where it stands.
pub type Value<'t> = Spanned<DeValue<'t>>;
/// Keys and values.
pub type Table<'t> = DeTable<'t>;

/// Collects the faults of one text.
#[derive(Debug)]
pub struct Document<'t> {
    origin: String,
    text: &'t str,
    faults: Faults,
}

impl<'t> Document<'t> {
    /// Parses a text; `origin` names it in faults. A text with faults in its
    /// syntax gives the part that could be read.
    pub fn parse(origin: impl Into<String>, text: &'t str) -> (Self, Table<'t>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut document = Self {
            origin: origin.into(),
            text,
            faults: Faults::default(),
        };
        for error in errors {
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            document.fault(error.span().unwrap_or(0..0), message);
        }
        (document, table.into_inner())
    }

    /// What was wrong, in no order.
    pub fn into_faults(self) -> Faults {
        self.faults
    }

    /// Notes a fault at a place of the text.
    pub fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        self.faults.push(Fault {
            origin: self.origin.clone(),
            line: Some(line),
            message: message.into(),
        });
    }

    /// Notes a key that nobody knows, with the one that was likely meant.
    pub fn unknown(&mut self, key: &Key<'_>, place: &str, known: &[&str]) {
        let hint = match nearest(key.get_ref(), known.iter().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("known are {}", quoted(known)),
        };
        let place = if place.is_empty() {
            "at the top level".into()
        } else {
            format!("in [{place}]")
        };
        self.fault(
            key.span(),
            format!("unknown key `{}` {place}: {hint}", key.get_ref()),
        );
    }

    /// Parses a value, and notes under its key what is wrong with it.
    pub fn check<T>(
        &mut self,
        key: &Key<'_>,
        value: &Value<'_>,
        parsed: Result<T, String>,
    ) -> Option<T> {
        parsed
            .map_err(|fault| self.fault(value.span(), format!("`{}`: {fault}", key.get_ref())))
            .ok()
    }

    /// A table.
    pub fn table<'v>(&mut self, key: &Key<'_>, value: &'v Value<'t>) -> Option<&'v Table<'t>> {
        let found = value.get_ref();
        let table = found.as_table();
        self.check(key, value, table.ok_or_else(|| expected("a table", found)))
    }
}

/// A key and its value, and where faults of theirs go.
pub struct Entry<'d, 't> {
    /// The text that they are in.
    pub document: &'d mut Document<'t>,
    /// The section, as faults name it: `service.shop.pool`.
    pub section: &'d str,
    /// The key.
    pub key: &'d Key<'t>,
    /// The value.
    pub value: &'d Value<'t>,
}

impl<'d, 't> Entry<'d, 't> {
    /// One that is in no section.
    pub fn at_top(document: &'d mut Document<'t>, key: &'d Key<'t>, value: &'d Value<'t>) -> Self {
        Self {
            document,
            section: "",
            key,
            value,
        }
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        self.key.get_ref()
    }

    /// What a section below its own is called that has its key for a name.
    pub fn below(&self) -> String {
        format!("{}.{}", self.section, self.name())
    }

    /// Looks at all that its table has, which faults call `section`.
    pub fn each(&mut self, section: &str, mut look: impl FnMut(&mut Entry<'_, 't>)) {
        for (key, value) in self.table().into_iter().flatten() {
            let document = &mut *self.document;
            look(&mut Entry {
                document,
                section,
                key,
                value,
            });
        }
    }

    /// Whether its table has a key of this name.
    pub fn has(&self, name: &str) -> bool {
        let table = self.value.get_ref().as_table();
        table.is_some_and(|table| table.keys().any(|key| key.get_ref() == name))
    }

    /// Notes a fault of the key.
    pub fn fault(&mut self, message: impl Into<String>) {
        self.document.fault(self.key.span(), message);
    }

    /// What was parsed of the value, or else a fault.
    pub fn check<V>(&mut self, parsed: Result<V, String>) -> Option<V> {
        self.document.check(self.key, self.value, parsed)
    }

    /// Writes a parsed value to its place, or notes what is wrong with it.
    pub fn set<V>(&mut self, place: &mut V, parse: impl FnOnce(&str) -> Result<V, String>) {
        let parsed = scalar(self.value.get_ref()).and_then(|text| parse(&text));
        if let Some(parsed) = self.check(parsed) {
            *place = parsed;
        }
    }

    /// A string.
    pub fn string(&mut self) -> Option<String> {
        let found = self.value.get_ref();
        let text = found.as_str().map(str::to_owned);
        self.check(text.ok_or_else(|| expected("a string", found)))
    }

    /// A list of strings.
    pub fn strings(&mut self) -> Option<Vec<String>> {
        let found = self.value.get_ref();
        let text = |item: &Value<'_>| item.get_ref().as_str().map(str::to_owned);
        let list = found.as_array();
        let list = list.and_then(|list| list.iter().map(text).collect());
        self.check(list.ok_or_else(|| expected("a list of strings", found)))
    }

    /// A duration.
    pub fn duration(&mut self) -> Option<Duration> {
        let text = self.string()?;
        self.check(values::duration(&text))
    }
}

impl<'d, 't> Entry<'d, 't> {
    /// A table.
    pub fn table(&mut self) -> Option<&'d Table<'t>> {
        self.document.table(self.key, self.value)
    }
}

/// A string, number or truth value, as it was written.
///
/// # Errors
/// What was found instead.
pub fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| format!("expected a number that fits, found {number}")),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        other => Err(expected("a single value", other)),
    }
}

/// A value as the environment and flags would write it: the elements of a list with
/// commas between, a table as `key=element element` with commas between.
///
/// # Errors
/// What was found instead.
pub fn flat(value: &DeValue<'_>) -> Result<String, String> {
    let list = |values: &[Value<'_>], between: &str| {
        let texts = values.iter().map(|value| {
            let text = scalar(value.get_ref())?;
            match text.contains(',') {
                true => Err(format!(
                    "expected no comma within an element of a list, found {text:?}"
                )),
                false => Ok(text),
            }
        });
        Ok::<_, String>(texts.collect::<Result<Vec<_>, _>>()?.join(between))
    };
    match value {
        DeValue::Array(values) => list(values, ","),
        DeValue::Table(table) => {
            let entries = table.iter().map(|(name, value)| {
                let texts = match value.get_ref() {
                    DeValue::Array(values) => list(values, " ")?,
                    single => scalar(single)?,
                };
                Ok(format!("{}={texts}", name.get_ref()))
            });
            Ok(entries.collect::<Result<Vec<_>, String>>()?.join(","))
        }
        single => scalar(single),
    }
}

/// "expected A, found B".
pub fn expected(what: &str, found: &DeValue<'_>) -> String {
    let kind = match found {
        DeValue::Integer(_) => "an integer",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
        DeValue::String(_) => "a string",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
    };
    format!("expected {what}, found {kind}")
}

/// `` `a`, `b` ``.
pub fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
