//! One record, before it is rendered.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use super::level::Level;

/// What every form of output shows.
#[derive(Debug, Clone)]
pub(super) struct Record<'a> {
    /// RFC 3339 in UTC with microseconds.
    pub timestamp: Cow<'a, str>,
    pub level: Level,
    pub message: Cow<'a, str>,
    /// `service.name`: `stoa`, or the service that the record is about.
    pub service: Cow<'a, str>,
    /// `service.version`: the host's version, or the service's revision. Empty where
    /// that is not known.
    pub version: Cow<'a, str>,
    /// `log.logger`: a module of the host, or what the component calls its logger.
    pub logger: Cow<'a, str>,
    pub fields: Fields,
}

/// Further fields by their full ECS names, in the order they came; each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(Name, Value)>);

/// `http.request.id`, `labels.addr`.
pub(super) type Name = Cow<'static, str>;

/// What a field says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Bool(bool),
}

/// Longer texts are cut, so that one record can't fill the buffers: 16 KiB holds
/// any message that a person reads, and a backtrace.
pub(super) const TEXT_LIMIT: usize = 16 * 1024;

/// Names that the record's own parts have.
const RESERVED: [&str; 5] = [
    "@timestamp",
    "log.level",
    "log.logger",
    "message",
    "ecs.version",
];

/// The time now as a record shows it.
pub(super) fn timestamp() -> String {
    // Formatting a time before 1970 would panic; a clock can be that wrong.
    let now = SystemTime::now().max(UNIX_EPOCH);
    humantime::format_rfc3339_micros(now).to_string()
}

/// `text`, or its beginning and how much was cut.
pub(super) fn clip(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= TEXT_LIMIT {
        return text;
    }
    let end = text.floor_char_boundary(TEXT_LIMIT);
    let (kept, cut) = text.split_at(end);
    Cow::Owned(format!("{kept}… ({} bytes cut)", cut.len()))
}

/// A field's full name: one with a dot is ECS' own, any other is a label.
pub(super) fn full_name(name: &'static str) -> Name {
    let name = name.strip_prefix("r#").unwrap_or(name);
    if name.contains('.') && !RESERVED.contains(&name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("labels.{}", name.replace('.', "_")))
    }
}

// === impl Fields ===

impl Fields {
    /// Sets a field; one that is there gets the new value.
    pub(super) fn set(&mut self, name: Name, value: Value) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets all of `others`.
    pub(super) fn set_all(&mut self, others: &Self) {
        for (name, value) in &others.0 {
            self.set(name.clone(), value.clone());
        }
    }

    /// Removes a field, and gives its text.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.remove(place).1.into_text())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Name, Value)> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

// === impl Value ===

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(clip(Cow::Owned(text.into())).into_owned())
    }

    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Signed(number) => number.to_string(),
            Self::Unsigned(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
        }
    }
}
