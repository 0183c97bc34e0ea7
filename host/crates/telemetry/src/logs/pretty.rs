//! A record as a person reads it on a terminal.
//!
//! Text from outside reaches the terminal here, so escape sequences, controls and
//! direction overrides are taken out: a component must not move the operator's
//! cursor, set the window's title, or write what looks like another record.

use std::borrow::Cow;
use std::fmt::Write;

use super::level::Level;
use super::record::{Fields, Record, Value};

/// Whether output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// With ANSI colours.
    On,
    /// Plain text.
    Off,
}

/// A line of the JSON stream as a person reads it; `None` when it is no record.
pub fn pretty_line(json: &str, colour: Colour) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).ok()?;
    let text = |name| object.get(name).and_then(serde_json::Value::as_str);
    let own = |name| Cow::Borrowed(text(name).unwrap_or_default());
    let mut fields = Fields::default();
    for (name, value) in &object {
        if !SHOWN_APART.contains(&name.as_str()) {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            fields.set(name.clone().into(), Value::Text(value));
        }
    }
    let record = Record {
        timestamp: own("@timestamp"),
        level: text("log.level")?.parse().ok()?,
        message: own("message"),
        service: own("service.name"),
        version: own("service.version"),
        logger: own("log.logger"),
        fields,
    };
    Some(render(&record, HOST, colour))
}

/// The host's own `service.name`.
pub(super) const HOST: &str = "stoa";

const SHOWN_APART: [&str; 7] = [
    "@timestamp",
    "log.level",
    "message",
    "ecs.version",
    "service.name",
    "service.version",
    "log.logger",
];

/// Continuation lines begin so, and can't be taken for a record.
const CONTINUED: &str = "\n             │ ";

/// `12:31:37.123  INFO stoa::gateway listening addr=127.0.0.1:8080`, or
/// `product@3` in the module's place for a record of a service.
pub(super) fn render(record: &Record<'_>, host: &str, colour: Colour) -> String {
    let mut out = String::with_capacity(128 + record.message.len());
    // The time of day of `2026-01-31T12:31:37.123456Z`.
    let time = record.timestamp.get(11..23).unwrap_or(&record.timestamp);
    push_painted(&mut out, DIM, time, colour);
    let level = format!(" {:>5} ", record.level.as_str().to_uppercase());
    push_painted(&mut out, paint_of(record.level), &level, colour);
    push_painted(&mut out, BOLD, &origin(record, host), colour);
    out.push(' ');
    push_clean(&mut out, record.message.trim_end(), CONTINUED);
    for (name, value) in record.fields.iter() {
        out.push(' ');
        let name = name.strip_prefix("labels.").unwrap_or(name);
        push_painted(&mut out, DIM, &format!("{name}="), colour);
        push_value(&mut out, &value.clone().into_text());
    }
    out
}

fn origin(record: &Record<'_>, host: &str) -> String {
    let (service, version, logger) = (&record.service, &record.version, &record.logger);
    match (service == host, logger.is_empty()) {
        (true, true) => host.to_owned(),
        (true, false) => logger.to_string(),
        (false, true) => format!("{service}@{version}"),
        (false, false) => format!("{service}@{version} {logger}"),
    }
}

fn push_value(out: &mut String, value: &str) {
    let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"');
    if !plain {
        out.push('"');
    }
    push_clean(out, value, "⏎");
    if !plain {
        out.push('"');
    }
}

// Select graphic rendition, ECMA-48 8.3.117.
const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BLUE: &str = "34";
const MAGENTA: &str = "35";

fn paint_of(level: Level) -> &'static str {
    match level {
        Level::Trace => MAGENTA,
        Level::Debug => BLUE,
        Level::Info => GREEN,
        Level::Warn => YELLOW,
        Level::Error | Level::Critical => RED,
    }
}

fn push_painted(out: &mut String, paint: &str, text: &str, colour: Colour) {
    if colour == Colour::On {
        write!(out, "\x1b[{paint}m").expect("a String takes any text");
    }
    push_clean(out, text, "⏎");
    if colour == Colour::On {
        out.push_str("\x1b[0m");
    }
}

/// Adds `text` without anything that a terminal obeys; `newline` stands for `\n`.
fn push_clean(out: &mut String, text: &str, newline: &str) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\x1b' => rest = after_escape(rest),
            '\u{9b}' => rest = after_control_sequence(rest),
            '\n' => out.push_str(newline),
            '\t' => out.push(' '),
            // Direction overrides and isolates show text in another order.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
}

/// What follows the escape sequence whose ESC stood before `rest` (ECMA-48 5.3).
fn after_escape(rest: &str) -> &str {
    match rest.chars().next() {
        Some('[') => after_control_sequence(&rest[1..]),
        Some(']' | 'P' | 'X' | '^' | '_') => after_control_string(&rest[1..]),
        Some(c) if c.is_ascii_graphic() => {
            let rest = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
            rest.strip_prefix(|c| matches!(c, '0'..='~'))
                .unwrap_or(rest)
        }
        _ => rest,
    }
}

fn after_control_sequence(rest: &str) -> &str {
    let rest = rest.trim_start_matches(|c| matches!(c, ' '..='?'));
    rest.strip_prefix(|c| matches!(c, '@'..='~'))
        .unwrap_or(rest)
}

/// A string that is never closed is shown, as it would hide the rest of the text.
fn after_control_string(rest: &str) -> &str {
    let bell = rest.find('\x07').map(|at| at + 1);
    let terminator = rest.find("\x1b\\").map(|at| at + 2);
    let end = match (bell, terminator) {
        (Some(bell), Some(terminator)) => bell.min(terminator),
        (bell, terminator) => bell.or(terminator).unwrap_or(0),
    };
    &rest[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str) -> String {
        let mut out = String::new();
        push_clean(&mut out, text, "|");
        out
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(clean("\x1b[2J\x1b[31;1mred\x1b[0m"), "red");
        assert_eq!(clean("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c"), "abc");
        assert_eq!(clean("\u{9b}2Ka\u{85}\r\x08\x7fb"), "ab");
        assert_eq!(clean("\x1b(Ba\x1bcb\x1b"), "ab");
        assert_eq!(clean("safe\u{202e}txt.exe"), "safetxt.exe");
        assert_eq!(clean("one\ntwo\tthree"), "one|two three");
    }

    #[test]
    fn an_open_string_hides_nothing() {
        assert_eq!(clean("\x1b]0;price is 5"), "0;price is 5");
        assert_eq!(clean("\x1b[5éé"), "éé");
    }

    #[test]
    fn a_json_line_reads_like_its_record() {
        let json = r#"{"@timestamp":"2026-01-31T12:31:37.123456Z","log.level":"warn",
            "message":"low\nstock","ecs.version":"8.11.0","service.name":"product",
            "service.version":"3","labels.left":2,"labels.note":"two \u001b[1mwords"}"#;
        let line = pretty_line(json, Colour::Off).unwrap();
        let expected =
            "12:31:37.123  WARN product@3 low\n             │ stock left=2 note=\"two words\"";
        assert_eq!(line, expected);
        assert_eq!(pretty_line("not a record", Colour::Off), None);
    }
}
