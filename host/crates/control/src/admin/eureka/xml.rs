//! XML as Eureka writes it, to and from the shape of its JSON.
//!
//! Text is a string, children are fields, children of one name are an array, and
//! an element with attributes and text is `{"@enabled": "true", "$": "8080"}`.
//! What comes from outside is bounded in depth and number; a document type, and
//! with it every entity but XML's own five, is refused.

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::{BytesRef, BytesStart, Event};
use serde_json::{Map, Value};

/// Elements in each other: Eureka's documents have five.
const DEPTH: usize = 16;
/// Elements, attributes and references of a document: an instance has some fifty
/// and its metadata.
const PIECES: usize = 5_000;

/// Reads a document: the root's name, and what is in it.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<(String, Value), String> {
    let mut parser = Parser::default();
    let mut reader = Reader::from_str(text);
    loop {
        let event = reader.read_event().map_err(|fault| fault.to_string())?;
        match event {
            Event::Start(start) => parser.open(&start)?,
            Event::Empty(start) => {
                parser.open(&start)?;
                parser.close();
            }
            Event::End(_) => parser.close(),
            Event::Text(text) => parser.text(&text.xml10_content()),
            Event::CData(text) => parser.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let text = resolve(&reference)?;
                parser.piece()?;
                parser.text(&text);
            }
            Event::DocType(_) => {
                return Err("a document type is not accepted: leave it out".to_owned());
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match parser.root {
        Some(root) if parser.open.is_empty() => Ok(root),
        _ => Err("expected one whole element, found the end of the document".to_owned()),
    }
}

/// Writes a document of this root.
pub fn write(root: &str, value: &Value) -> String {
    let mut text = String::new();
    element(&mut text, root, value);
    text
}

// === reading ===

#[derive(Default)]
struct Parser {
    open: Vec<Element>,
    root: Option<(String, Value)>,
    pieces: usize,
}

#[derive(Default)]
struct Element {
    name: String,
    fields: Map<String, Value>,
    text: String,
}

impl Parser {
    fn piece(&mut self) -> Result<(), String> {
        self.pieces += 1;
        if self.pieces > PIECES {
            return Err(format!("expected at most {PIECES} elements and attributes"));
        }
        Ok(())
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        self.piece()?;
        if self.open.len() == DEPTH {
            return Err(format!("expected elements at most {DEPTH} deep"));
        }
        if self.root.is_some() {
            return Err("expected one element at the top, found more".to_owned());
        }
        let mut element = Element {
            name: start.name().0.to_owned(),
            ..Element::default()
        };
        for attribute in start.attributes() {
            self.piece()?;
            let attribute = attribute.map_err(|fault| fault.to_string())?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|fault| fault.to_string())?;
            element.fields.insert(
                format!("@{}", attribute.key.0),
                Value::from(value.into_owned()),
            );
        }
        self.open.push(element);
        Ok(())
    }

    /// The reader has seen that the end fits its start.
    fn close(&mut self) {
        let Some(element) = self.open.pop() else {
            return;
        };
        let (name, value) = element.finish();
        match self.open.last_mut() {
            Some(parent) => parent.add(name, value),
            None => self.root = Some((name, value)),
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
    }
}

impl Element {
    fn add(&mut self, name: String, value: Value) {
        match self.fields.get_mut(&name) {
            None => {
                self.fields.insert(name, value);
            }
            Some(Value::Array(several)) => several.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }

    fn finish(mut self) -> (String, Value) {
        let text = self.text.trim();
        if self.fields.is_empty() {
            return (self.name, Value::from(text));
        }
        if !text.is_empty() {
            self.fields.insert("$".to_owned(), Value::from(text));
        }
        (self.name, Value::Object(self.fields))
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(letter) = reference
        .resolve_char_ref()
        .map_err(|fault| fault.to_string())?
    {
        return Ok(letter.to_string());
    }
    let name = reference.xml10_content();
    match resolve_xml_entity(&name) {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("there is no entity &{name};")),
    }
}

// === writing ===

fn element(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(several) => several.iter().for_each(|one| element(text, name, one)),
        Value::Object(fields) => object(text, &tag(name), fields),
        scalar => {
            let name = tag(name);
            text.push_str(&format!("<{name}>{}</{name}>", escape(scalar_text(scalar))));
        }
    }
}

fn object(text: &mut String, name: &str, fields: &Map<String, Value>) {
    text.push_str(&format!("<{name}"));
    for (key, value) in fields {
        if let Some(attribute) = key.strip_prefix('@') {
            let value = scalar_text(value);
            text.push_str(&format!(" {}=\"{}\"", tag(attribute), escape(&value)));
        }
    }
    text.push('>');
    for (key, value) in fields.iter().filter(|(key, _)| !key.starts_with('@')) {
        match key.as_str() {
            "$" => text.push_str(&escape(scalar_text(value))),
            _ => element(text, key, value),
        }
    }
    text.push_str(&format!("</{name}>"));
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().filter(|c| is_xml(*c)).collect(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What a document may hold at all (XML 1.0, 2.2).
fn is_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A name that is one in XML: keys of metadata may be anything.
fn tag(name: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
            c
        } else {
            '_'
        }
    };
    let tag: String = name.chars().map(letter).collect();
    if tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        tag
    } else {
        format!("_{tag}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_become_fields() {
        let text = r#"<?xml version="1.0"?>
            <instance>
                <app>SHOP &amp; &#x43;o</app>
                <port enabled="true">8080</port>
                <dataCenterInfo class="a.B$C"><name>MyOwn</name></dataCenterInfo>
                <metadata><zone>a</zone><zone><![CDATA[b<c]]></zone></metadata>
                <homePageUrl/>
            </instance>"#;
        let expected = json!({
            "app": "SHOP & Co",
            "port": { "@enabled": "true", "$": "8080" },
            "dataCenterInfo": { "@class": "a.B$C", "name": "MyOwn" },
            "metadata": { "zone": ["a", "b<c"] },
            "homePageUrl": ""
        });
        assert_eq!(read(text).unwrap(), ("instance".to_owned(), expected));
    }

    #[test]
    fn what_would_blow_up_is_refused() {
        let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>";
        let outside = "<!DOCTYPE l [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><l>&x;</l>";
        let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
        let many = format!("<a>{}</a>", "<b/>".repeat(10_000));
        let references = format!("<a>{}</a>", "&amp;".repeat(10_000));
        for (text, said) in [
            (laughs, "document type"),
            (outside, "document type"),
            ("<a>&x;</a>", "no entity"),
            (&deep, "deep"),
            (&many, "at most"),
            (&references, "at most"),
            ("<a></b>", ""),
            ("<a>", "whole element"),
            ("<a/><b/>", "one element"),
            ("", "whole element"),
            ("text", "whole element"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(said), "{said}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,200}", tags in "[<>/&;!\\[\\]a-c\"= ]{0,200}") {
            let _ = (read(&text), read(&tags));
        }

        /// Whatever a client told is read back as it was.
        #[test]
        fn what_is_written_is_read_again(values in prop::collection::btree_map("[a-z][a-zA-Z.]{0,8}", "[ -~äß€]{1,20}", 1..6)) {
            let values: std::collections::BTreeMap<_, _> = values.iter()
                .map(|(key, value)| (key.clone(), value.trim().to_owned()))
                .collect();
            let value = json!({ "metadata": values, "port": { "$": "1", "@enabled": "true" } });
            prop_assert_eq!(read(&write("instance", &value)).unwrap(), ("instance".to_owned(), value));
        }
    }
}
