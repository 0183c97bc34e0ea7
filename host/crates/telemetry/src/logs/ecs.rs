//! A record as one line of JSON in the Elastic Common Schema.
//!
//! Names are flat and dotted and the first fields in the order that the ECS
//! logging specification gives, so that a line can be read by eye.

use std::fmt::Write;

use super::record::{Record, Value};

/// The version of the schema whose names are used.
pub(super) const VERSION: &str = "8.11.0";

/// One JSON object, without a line's end: whatever the record contains, there is
/// no other line's end in it.
pub(super) fn render(record: &Record<'_>) -> String {
    let mut line = String::with_capacity(256 + record.message.len());
    line.push('{');
    push_text(&mut line, "@timestamp", &record.timestamp);
    push_text(&mut line, "log.level", record.level.as_str());
    push_text(&mut line, "message", &record.message);
    push_text(&mut line, "ecs.version", VERSION);
    push_text(&mut line, "service.name", &record.service);
    if !record.version.is_empty() {
        push_text(&mut line, "service.version", &record.version);
    }
    if !record.logger.is_empty() {
        push_text(&mut line, "log.logger", &record.logger);
    }
    for (name, value) in record.fields.iter() {
        push_value(&mut line, name, value);
    }
    // The comma after the last member becomes the end of the object.
    line.pop();
    line.push('}');
    line
}

fn push_value(line: &mut String, name: &str, value: &Value) {
    match value {
        Value::Text(text) => push_text(line, name, text),
        Value::Signed(number) => push_plain(line, name, number),
        Value::Unsigned(number) => push_plain(line, name, number),
        Value::Float(number) if number.is_finite() => push_plain(line, name, number),
        Value::Float(number) => push_text(line, name, &number.to_string()),
        Value::Bool(value) => push_plain(line, name, value),
    }
}

fn push_text(line: &mut String, name: &str, text: &str) {
    push_string(line, name);
    line.push(':');
    push_string(line, text);
    line.push(',');
}

fn push_plain(line: &mut String, name: &str, value: impl std::fmt::Display) {
    push_string(line, name);
    write!(line, ":{value},").expect("a String takes any text");
}

/// A JSON string. Beyond what JSON asks for it escapes DEL, the C1 controls and
/// Unicode's line ends: readers split lines at some of them, and terminals obey
/// others.
fn push_string(line: &mut String, text: &str) {
    line.push('"');
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        if !is_escaped(c) {
            continue;
        }
        line.push_str(&text[plain..at]);
        plain = at + c.len_utf8();
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c => write!(line, "\\u{:04x}", u32::from(c)).expect("a String takes any text"),
        }
    }
    line.push_str(&text[plain..]);
    line.push('"');
}

fn is_escaped(c: char) -> bool {
    matches!(c, '"' | '\\' | '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_from_one_line() {
        let all: String = ('\0'..='\u{2100}').chain(['🏛', '\u{10ffff}']).collect();
        let mut json = String::new();
        push_string(&mut json, &all);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), all);
        let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        assert!(!json.contains(breaks));
    }
}
